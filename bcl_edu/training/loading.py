"""From the training set to the batches of views that a step takes, on the device."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from bcl_edu.datasets import LabelledImages
from bcl_edu.training.batches import EpochBatches
from bcl_edu.views import BatchedTrainingViews, TrainingViews, ViewPolicy

SMALL = 64
"""Images up to this height and width have their views made in batches on the device."""


def training_views(
    train: LabelledImages, policy: ViewPolicy, seed: int, device: torch.device
) -> TrainingViews | BatchedTrainingViews:
    """Views of small images are made in batches on the device, of large ones one by one in workers."""
    if max(train.images.shape[-2:]) <= SMALL:
        return BatchedTrainingViews(train.images, train.labels, policy, seed, device)
    return TrainingViews(train.images, train.labels, policy, seed)


def load_batches(
    views: TrainingViews | BatchedTrainingViews, batches: EpochBatches, device: torch.device, workers: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """This process's share of each batch that is left of the epoch, on the device.

    Args:
        views: of the training set, with their epoch set.
        batches: with their position set.
        device: where the step is computed.
        workers: processes that make the views of large images.

    Yields:
        Views, shape (views, n, channels, height, width), labels and indices, each of shape (n,). n is 0 where a
        last batch is too small for all processes.
    """
    loaded: Iterable[Any]
    if isinstance(views, BatchedTrainingViews):
        loaded = (views[chosen] for chosen in batches)
    else:
        loaded = DataLoader(
            views,
            batch_sampler=batches,
            num_workers=workers,
            pin_memory=device.type == "cuda",
            worker_init_fn=_leave_signals_to_the_main_process,
            generator=torch.Generator().manual_seed(0),  # else each loader draws from the global generator
        )
    for step, (images, labels, indices) in enumerate(loaded, start=batches.start):
        n = batches.share_size(step)
        images = images[:n].to(device, non_blocking=True).transpose(0, 1)
        yield images, labels[:n].to(device, non_blocking=True), indices[:n]


def _leave_signals_to_the_main_process(worker: int) -> None:
    """Ctrl-C and a scheduler's SIGTERM reach the whole group; the main process stops its workers when it has saved."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
