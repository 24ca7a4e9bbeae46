"""Training views of images in memory, made in batches on the device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from bcl_edu.augment.batched import batched_views
from bcl_edu.augment.policies import ViewPolicy
from bcl_edu.counting import counted
from bcl_edu.seeds import derive_seed

Batch = tuple[UInt8[Tensor, "views n channel size size"], Int64[Tensor, " n"], Int64[Tensor, " n"]]


def view_seeds(seed: int, epoch: int, indices: Sequence[int]) -> list[int]:
    """The seeds of images' views in a shuffled epoch, where every image occurs once.

    Each depends on the run's seed, the epoch and the image's index alone, so neither the order nor the composition
    of batches changes what is trained on. A stream that draws with replacement must seed by slot instead: an image
    that occurs twice in an epoch would otherwise get the same views twice.
    """
    return [derive_seed("views", seed, epoch, index) for index in indices]


class BatchedTrainingViews:
    """Batches of training views of images in memory, made together where the network is.

    For images of one size that fit into the device's memory, so without worker processes.

    Args:
        images: uint8, shape (n, channels, height, width).
        labels: class of each image, shape (n,).
        policy: how views are made.
        device: where images are kept and views are made.

    Raises:
        ValueError: images and labels disagree, or images are not uint8 with one or three channels.
    """

    def __init__(
        self,
        images: UInt8[Tensor, "n channel height width"],
        labels: Int64[Tensor, " n"],
        policy: ViewPolicy,
        device: torch.device | str = "cpu",
    ) -> None:
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
            raise ValueError(
                f"images of type {images.dtype} and shape {tuple(images.shape)}, expected torch.uint8 of shape "
                "(n, 1 or 3, height, width)"
            )
        if labels.shape != images.shape[:1]:
            raise ValueError(
                f"{counted(len(images), 'image')}, but labels of shape {tuple(labels.shape)}; expected one each"
            )
        self.images = images.to(device)
        self.labels = labels.to(device)
        self.policy = policy

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, pairs: Sequence[tuple[int, int]]) -> Batch:
        """The batch of these (index, seed) pairs, as ``FileViews`` takes them."""
        return self.views([index for index, _ in pairs], [seed for _, seed in pairs])

    def views(self, indices: Sequence[int], seeds: Sequence[int]) -> Batch:
        """The views of the images at these positions, each with its own seed (see ``view_seeds``).

        Returns:
            The views (v1 of all images, then v2, then v3), the labels and the indices, all on the device.
        """
        chosen = torch.tensor(indices, dtype=torch.int64).to(self.images.device, non_blocking=True)
        return batched_views(self.policy, self.images[chosen], seeds), self.labels[chosen], chosen
