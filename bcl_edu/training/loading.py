"""From images to the batches that a step or an evaluation takes, on the device.

Small images lie in memory, and their views are made in batches on the device; views of larger ones are made one by one
in worker processes, which read image files as well. Which of these it is, only this file knows.
"""

from __future__ import annotations

import atexit
import os
import signal
import warnings
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from torch.utils.data import DataLoader

from bcl_edu.augment import (
    BatchedTrainingViews,
    FileBatch,
    FileCentres,
    FileViews,
    TrainingViews,
    ViewPolicy,
    only_batch,
)
from bcl_edu.data import ImageFiles, Images
from bcl_edu.training.batches import EpochBatches

SMALL = 64
"""Images up to this height and width have their views made in batches on the device."""

Batch = tuple[UInt8[Tensor, "views n c h w"], Int64[Tensor, " n"], Int64[Tensor, " n"]]
"""Views, labels and indices of a process's share of a batch, on the device."""


class UnreadableImage(ValueError):
    """An image file is missing or damaged; the message names it."""


class UnreadableImageWarning(UserWarning):
    """An image file that cannot be read was replaced by another of its class."""


class BatchLoader:
    """Loads the batches of one epoch after another, and is closed at the end.

    Args:
        train: the training set.
        policy: how views are made.
        batches: which samples are in which batch.
        seed: of the run.
        device: where the step is computed.
        workers: processes that make the views of large images; they live from epoch to epoch.
        replace_unreadable: whether an image file that cannot be read is replaced by the next one of its class.

    Attributes:
        unreadable: what is wrong with each image file that could not be read so far.
        working: how many worker processes there are; none for small images.
    """

    def __init__(
        self,
        train: Images,
        policy: ViewPolicy,
        batches: EpochBatches,
        seed: int,
        device: torch.device,
        workers: int,
        *,
        replace_unreadable: bool = False,
    ) -> None:
        self.batches, self.device = batches, device
        self.unreadable: list[str] = []
        self.working = 0
        self.loader: DataLoader[Any] | None = None
        self.views: TrainingViews | BatchedTrainingViews | FileViews
        if isinstance(train, ImageFiles):
            self.views = FileViews(train, policy, seed, replace=replace_unreadable)
        elif max(train.image_shape[1:]) <= SMALL:
            self.views = BatchedTrainingViews(train.images, train.labels, policy, seed, device)
            return
        else:
            self.views = TrainingViews(train.images, train.labels, policy, seed)
        self.loader = _data_loader(self.views, device, workers, batch_sampler=batches)
        self.working = workers

    def close(self) -> None:
        """Let the workers go. Where an error keeps the loader alive, nothing else would."""
        if self.loader is not None:
            _let_workers_go(self.loader._iterator)

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """This process's share of each batch of an epoch, from a step on.

        A share is empty where a last batch is too small for all processes.

        Raises:
            UnreadableImage: an image file cannot be read, and is not to be replaced or cannot be.
        """
        self.views.set_epoch(epoch)
        self.batches.set_position(epoch, first_step)
        for step, (images, labels, indices) in enumerate(self._loaded(), start=first_step):
            n = self.batches.share_size(step)
            images = images[:, :n].to(self.device, non_blocking=True)
            yield images, labels[:n].to(self.device, non_blocking=True), indices[:n]

    def _loaded(self) -> Iterator[Batch]:
        loaded: Iterable[Any]
        if isinstance(self.views, BatchedTrainingViews):
            loaded = map(self.views.__getitem__, self.batches)
        else:
            assert self.loader is not None
            loaded = self.loader
        if isinstance(self.views, FileViews):
            for batch in loaded:
                self._report(batch)
                yield batch.images, batch.labels, batch.indices
            return
        for images, labels, indices in loaded:
            yield images.transpose(0, 1), labels, indices

    def _report(self, batch: FileBatch) -> None:
        """Say of each unreadable file once that it was replaced, or refuse it."""
        new = [reason for reason in batch.unreadable if reason not in self.unreadable]
        self.unreadable += new
        if batch.black:
            hint = "--unreadable-images replace takes the next image of its class instead"
            if isinstance(self.views, FileViews) and self.views.replace:
                hint = "no other image of its class can be read either"
            raise UnreadableImage(f"{batch.unreadable[-1]}; {hint}. {_CHECK}")
        for reason in new:
            warnings.warn(
                f"{reason}; replaced by the next image of its class", UnreadableImageWarning, stacklevel=3
            )


def load_images(
    images: Images,
    positions: Int64[Tensor, " m"],
    device: torch.device,
    workers: int = 0,
    batch_size: int = 1000,
) -> Iterator[tuple[Int64[Tensor, " n"], UInt8[Tensor, "n c h w"]]]:
    """Images as evaluation sees them, in batches: their positions, and the images on the device.

    Args:
        images: the test set; of image files the centre square is taken.
        positions: which of them, in this order, shape (m,).
        device: where to bring them.
        workers: processes that decode image files.
        batch_size: images at a time; of image files at most 256.

    Raises:
        UnreadableImage: an image file cannot be read. A test image is never replaced.
    """
    if not isinstance(images, ImageFiles):
        for chosen in positions.split(batch_size):
            yield chosen, images.images[chosen].to(device)
        return
    parts = [chosen.tolist() for chosen in positions.split(min(batch_size, 256))]
    loaded = iter(_data_loader(FileCentres(images), device, workers, batch_sampler=parts, lasting=False))
    try:
        for batch in loaded:
            if batch.black:
                raise UnreadableImage(f"{batch.unreadable[0]}; a test image is never replaced. {_CHECK}")
            yield batch.indices, batch.images.to(device, non_blocking=True)
    finally:
        _let_workers_go(loaded)


_CHECK = "`python -m bcl_edu.data check NAME --decode` finds all such files"


def _data_loader(
    views: TrainingViews | FileViews | FileCentres,
    device: torch.device,
    workers: int,
    *,
    batch_sampler: Any,
    lasting: bool = True,
) -> DataLoader[Any]:
    return DataLoader(
        views,
        batch_sampler=batch_sampler,
        num_workers=workers,
        collate_fn=None if isinstance(views, TrainingViews) else only_batch,  # type: ignore[arg-type]
        pin_memory=device.type == "cuda",
        persistent_workers=lasting and workers > 0,
        prefetch_factor=2 if workers > 0 else None,
        worker_init_fn=partial(_in_a_worker, _ending),
        generator=torch.Generator().manual_seed(0),  # else each loader draws from the global generator
    )


def _let_workers_go(iterator: Any) -> None:
    """End the worker processes of a DataLoader's iterator, if it has any; torch has no public way to."""
    shutdown = getattr(iterator, "_shutdown_workers", None)
    if shutdown is not None:
        shutdown()


# Whether the main process is at its end; shared with the workers. Python ends what is left of them with SIGTERM then.
_ending = torch.zeros((), dtype=torch.bool).share_memory_()
atexit.register(_ending.fill_, True)


def _in_a_worker(ending: Tensor, worker: int) -> None:
    """Leave signals to the main process, which lets its workers go when it has saved.

    Ctrl-C and a scheduler's SIGTERM reach the whole group of processes.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0) if ending else None)
    # some of ImageNet's photographs have damaged EXIF data, which nobody reads
    warnings.filterwarnings("ignore", "Corrupt EXIF data", module="PIL")
