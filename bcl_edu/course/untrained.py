"""The long-tailed digits, their random views, and what a network that has learned nothing makes of them."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from bcl_edu.augment import batched_views, channel_statistics, normalise, view_policy
from bcl_edu.augment.draws import derive_seed
from bcl_edu.data import LabelledImages, exponential_profile, long_tailed_subset
from bcl_edu.data.digits import read_digits
from bcl_edu.models import DigitsNet, ProjectionHead

LARGEST_CLASS = 134
"""Images of the largest class of the long-tailed digits."""


class LongTailedDigits(NamedTuple):
    """Training images of the digits, head class first.

    Attributes:
        images: bytes, shape (n, 1, 8, 8).
        labels: class of each image, shape (n,).
        class_counts: images of each class, shape (10,).
    """

    images: UInt8[Tensor, "n 1 8 8"]
    labels: Int[Tensor, " n"]
    class_counts: Int[Tensor, " k"]


class FirstBatch(NamedTuple):
    """The long-tailed digits as one batch, two views of each image.

    Attributes:
        embeddings: unit vectors of the second views, then of the third, shape (2n, 32), float64.
        labels: class of each embedding, shape (2n,).
        class_counts: embeddings of each class, shape (10,): twice the number of its images.
    """

    embeddings: Float[Tensor, "n2 dim"]
    labels: Int[Tensor, " n2"]
    class_counts: Int[Tensor, " k"]


def long_tailed_digits(imbalance_factor: float = 50) -> LongTailedDigits:
    """The long tail of digits that the course trains on: at factor 50, 371 images, 134 of the 0 down to two of the 9.

    Raises:
        ValueError: the imbalance factor is below 1.
    """
    digits = read_digits().train
    assert isinstance(digits, LabelledImages)
    counts = exponential_profile(LARGEST_CLASS, 10, imbalance_factor)
    chosen = digits.select(long_tailed_subset(digits.labels, counts))
    return LongTailedDigits(chosen.images, chosen.labels, counts)


def digits_views(
    images: UInt8[Tensor, "n 1 8 8"], *, epoch: int = 0, seed: int = 0
) -> Float[Tensor, "3 n 1 8 8"]:
    """Three random views of each image, normalised: shifts by a pixel, brightness and noise; others each epoch."""
    seeds = [derive_seed(seed, "views", epoch, position) for position in range(len(images))]
    views = batched_views(view_policy("digits", image_size=8), images, seeds)
    return normalise(views, *channel_statistics(images))


def untrained_embeddings(
    imbalance_factor: float = 50, *, seed: int = 0, mode: Literal["train", "eval"] = "train"
) -> FirstBatch:
    """Embeddings of the long-tailed digits from a freshly initialised backbone and projection head.

    Training computes its losses in train mode, where batch normalisation uses the statistics of the batch. In eval mode
    an untrained network uses the statistics that it was initialised with (mean 0, variance 1), which fit no data:
    all embeddings then lie close together, and no loss ever sees them.

    Args:
        imbalance_factor: largest over smallest class, at least 1.
        seed: of the weights and of the views. The global random state is left as it was.
        mode: of batch normalisation.

    Raises:
        ValueError: the imbalance factor or the mode is out of range.
    """
    if mode not in ("train", "eval"):
        raise ValueError(f"mode is {mode!r}; expected 'train' or 'eval'")
    images, labels, counts = long_tailed_digits(imbalance_factor)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network = torch.nn.Sequential(DigitsNet(), ProjectionHead(64, 64, 32)).train(mode == "train")
        z = network(digits_views(images, seed=seed).flatten(0, 1))
    # the first views passed through batch normalisation with the others; their embeddings are not used
    return FirstBatch(z[len(images) :].double(), labels.repeat(2), 2 * counts)
