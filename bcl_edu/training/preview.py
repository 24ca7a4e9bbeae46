"""A few training images and their views, as the first epoch of a run would make them: to look at before training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import UInt8
from torch import Tensor

from bcl_edu.augment import BatchedTrainingViews, EvalImages, FileViews, view_policy, view_seeds
from bcl_edu.data import ImageFiles
from bcl_edu.recipe import Recipe
from bcl_edu.training.data import TrainingData, fitted_to


@dataclass(frozen=True)
class Preview:
    """Images beside their views.

    Attributes:
        images: as an evaluation sees them, shape (n, channel, height, width).
        views: v1, v2, v3 of each, shape (n, 3, channel, height, width).
        names: class of each, n of them.
    """

    images: UInt8[Tensor, "n channel height width"]
    views: UInt8[Tensor, "n views channel height width"]
    names: tuple[str, ...]


def preview_views(recipe: Recipe, data: TrainingData, positions: Sequence[int]) -> Preview:
    """The views of some training images.

    Args:
        recipe: names the policy, its options and the seed.
        data: of this recipe.
        positions: which training images.

    Raises:
        ValueError: an image file cannot be read.
    """
    recipe, chosen = fitted_to(data, recipe), list(positions)
    size = data.train.image_shape[1]
    seeds = view_seeds(recipe.seed, 0, chosen)
    policy = view_policy(recipe.views, image_size=size, crop_scale=recipe.crop_scale, blur=recipe.blur)
    if isinstance(data.train, ImageFiles):
        batch = FileViews(data.train, policy).views(chosen, seeds)
        if batch.unreadable:
            raise ValueError(batch.unreadable[0])
        images = EvalImages(data.train).__getitems__(chosen).images
        views, labels = batch.images, batch.labels
    else:
        views, labels, _ = BatchedTrainingViews(data.train.images, data.train.labels, policy).views(
            chosen, seeds
        )
        images = data.train.images[chosen]
    return Preview(
        images.contiguous(),
        views.transpose(0, 1).contiguous(),
        tuple(data.train.class_names[k] for k in labels.tolist()),
    )


def one_of_each(data: TrainingData, classes: int = 4) -> list[int]:
    """Positions of the first training image of some classes, evenly chosen from head to tail."""
    order = data.class_counts.argsort(descending=True, stable=True)
    ranks = torch.linspace(0, len(order) - 1, min(classes, len(order))).round().long()
    return [int((data.train.labels == k).nonzero()[0]) for k in order[ranks].tolist()]
