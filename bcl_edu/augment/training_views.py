"""The training set as a torch data set of view triples."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from bcl_edu.augment.batched import batched_views
from bcl_edu.augment.draws import draw_parameters
from bcl_edu.augment.per_sample import views_from_parameters
from bcl_edu.augment.policies import ViewPolicy
from bcl_edu.seeds import derive_seed

Batch = tuple[UInt8[Tensor, "n views channel size size"], Int64[Tensor, " n"], Int64[Tensor, " n"]]
Item = tuple[UInt8[Tensor, "views channel size size"], int, int]


def sample_seeds(seed: int, epoch: int, indices: Sequence[int]) -> list[int]:
    """The seeds of samples' views: each depends on the run's seed, the epoch and the sample's index alone."""
    return [derive_seed("views", seed, epoch, index) for index in indices]


def _require_data(images: Tensor, labels: Tensor) -> None:
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(
            f"images of type {images.dtype} and shape {tuple(images.shape)}, expected torch.uint8 of shape "
            "(n, 1 or 3, height, width)"
        )
    if labels.shape != images.shape[:1]:
        raise ValueError(
            f"{len(images)} images, but labels of shape {tuple(labels.shape)}; expected one each"
        )


class TrainingViews(Dataset[Item]):
    """Item i is (views of image i, its label, i).

    Image i's views in an epoch depend on (seed, epoch, i) alone: ``derive_seed("views", seed, epoch, i)`` seeds
    them. So neither the number of workers nor the order or composition of batches changes what is trained on.

    Workers do not copy the images: forked ones read the parent's memory, for spawned ones torch moves a tensor
    into shared memory when it is handed over. The epoch is shared from the start, so that ``set_epoch`` also
    reaches workers that live on from epoch to epoch.

    Args:
        images: bytes, shape (n, channels, height, width).
        labels: class of each image, shape (n,).
        policy: how views are made.
        seed: of the run.

    Raises:
        ValueError: images and labels disagree, or images are not bytes with one or three channels.
    """

    def __init__(
        self,
        images: UInt8[Tensor, "n channel height width"],
        labels: Int64[Tensor, " n"],
        policy: ViewPolicy,
        seed: int = 0,
    ) -> None:
        _require_data(images, labels)
        self.images = images
        self.labels = labels
        self.policy = policy
        self.seed = seed
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose views the next items are."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Item:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: list[int]) -> list[Item]:
        """The items of a whole batch: what DataLoader asks for; parameters are drawn together."""
        epoch = int(self._epoch)
        seeds = np.array(
            [derive_seed("views", self.seed, epoch, index) for index in indices], dtype=np.uint64
        )
        _, channels, height, width = self.images.shape
        parameters = [
            draw_parameters(recipe, seeds, view, (channels, height, width), self.policy.image_size)
            for view, recipe in enumerate(self.policy.views)
        ]
        return [
            (views_from_parameters(self.policy, self.images[i], parameters, row), int(self.labels[i]), i)
            for row, i in enumerate(indices)
        ]


class BatchedTrainingViews(Dataset[Batch]):
    """Item [i, j, ...] is a batch: (views of the images, their labels, their indices), all on ``device``.

    The same views as ``TrainingViews`` makes of the same seed and epoch, made together where the network is. For
    images of one size that fit into the device's memory. Without workers:
    ``DataLoader(views, batch_size=None, sampler=batches)``, where ``batches`` yields lists of indices.

    Args:
        images: bytes, shape (n, channels, height, width).
        labels: class of each image, shape (n,).
        policy: how views are made.
        seed: of the run.
        device: where images are kept and views are made.

    Raises:
        ValueError: images and labels disagree, or images are not bytes with one or three channels.
    """

    def __init__(
        self,
        images: UInt8[Tensor, "n channel height width"],
        labels: Int64[Tensor, " n"],
        policy: ViewPolicy,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        _require_data(images, labels)
        self.images = images.to(device)
        self.labels = labels.to(device)
        self.policy = policy
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose views the next batches are."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, indices: list[int]) -> Batch:
        chosen = torch.tensor(indices, dtype=torch.int64).to(self.images.device, non_blocking=True)
        seeds = sample_seeds(self.seed, self.epoch, indices)
        views = batched_views(self.policy, self.images[chosen], seeds)
        return views.transpose(0, 1), self.labels[chosen], chosen
