"""Batches on the device; (seed, epoch) alone decides which images they hold, so that a run can resume at any step.

Images in memory have their views made in batches on the device; image files are decoded, and their views made, by
worker processes (`workers`). Only this file knows which of the two a data set is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int, Int64, UInt8
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Sampler as IndexSampler

from bcl_edu.augment import BatchedTrainingViews, EvalImages, FileBatch, FileViews, ViewPolicy
from bcl_edu.augment.draws import derive_seed
from bcl_edu.counting import counted
from bcl_edu.data import ImageFiles, Images
from bcl_edu.methods.samplers import Sampler, Shuffled
from bcl_edu.training.workers import data_loader, delivered, let_workers_go, require_shared_memory


class UnreadableImage(ValueError):
    """An image file is missing or damaged; the message names it."""


class UnreadableImageWarning(UserWarning):
    """An image file that cannot be read was replaced by another of its class."""


class LoadingStopped(Exception):
    """Loading ended before its last image, because `stop` returned True."""


@dataclass(frozen=True)
class Loaded:
    """A rank's share of a batch as it was loaded, on the device.

    Attributes:
        views: uint8, shape (views, n, c, h, w).
        labels: shape (n,).
        indices: shape (n,).
        shares: images of each rank in each micro-batch; () for all of it on one rank.
        streams: the batches of further streams.
    """

    views: UInt8[Tensor, "views n c h w"]
    labels: Int[Tensor, " n"]
    indices: Int[Tensor, " n"]
    shares: Sequence[Sequence[int]] = ()
    streams: Mapping[str, Loaded] | None = None


class EpochBatches(IndexSampler[list[tuple[int, int]]]):
    """The batches of one epoch, from a given step on, and of each only this rank's share.

    All ranks draw alike. A batch is cut into contiguous, nearly equal micro-batches, and each of these into
    such shares of the ranks, so neither the batches, their micro-batches nor their number depend on the
    number of ranks. Iterating yields (index, seed of its views) pairs. In a last batch with fewer images than
    ranks some shares are empty (`share_size` is 0); a DataLoader cannot yield an empty batch, so such a rank
    loads one image and drops it.

    Args:
        labels: class of each training image, shape (n,).
        batch_size: images in a batch, over all ranks together.
        seed: of the run.
        sampler: which images an epoch visits.
        images: how many it visits; by default as many as there are.
        drop_last: leave out the last batch if it is smaller than the others.
        micro_batches: into which a batch is cut.
        stream: name of a further stream of the stage; "" for the stage's own images.
        rank: this process, 0 <= rank < world_size.
        world_size: number of processes.

    Attributes:
        steps: batches of an epoch.

    Raises:
        ValueError: the epoch would have no batch, or a batch is too small to be shared.
    """

    def __init__(
        self,
        labels: Int64[Tensor, " n"],
        batch_size: int,
        seed: int,
        *,
        sampler: Sampler | None = None,
        images: int | None = None,
        drop_last: bool = False,
        micro_batches: int = 1,
        stream: str = "",
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.labels, self.batch_size, self.seed = labels, batch_size, seed
        self.sampler: Sampler = sampler or Shuffled()
        self.images = len(labels) if images is None else images
        self.micro_batches, self.stream = micro_batches, stream
        self.rank, self.world_size = rank, world_size
        full, rest = divmod(self.images, batch_size)
        self.steps = full + (not drop_last and rest > 0)
        if batch_size < world_size * micro_batches:
            raise ValueError(
                f"a batch of {batch_size} cannot be shared by {counted(world_size, 'process')} in "
                f"{counted(micro_batches, 'micro-batch')}; use fewer"
            )
        if self.steps == 0:
            raise ValueError(
                f"{counted(self.images, 'training image')} in batches of {batch_size}, drop_last={drop_last}, "
                "make no batch; use a smaller batch size (--batch-size, or that of the stage)"
            )
        self.epoch, self.start = 0, 0

    def set_position(self, epoch: int, start: int = 0) -> None:
        """Choose the epoch, counted over all stages, that comes next, and the step at which it starts."""
        self.epoch, self.start = epoch, start

    def order(self) -> Int64[Tensor, " m"]:
        """Indices of the epoch's images in their order."""
        key = (
            ("order of batches", self.stream, self.epoch) if self.stream else ("order of batches", self.epoch)
        )
        generator = torch.Generator().manual_seed(derive_seed(self.seed, *key))
        return self.sampler.draw(self.labels, self.images, generator)

    def shares(self, step: int) -> list[list[int]]:
        """Images of each rank in each micro-batch of a step; a last, small batch can have fewer micro-batches."""
        total = min(self.batch_size, self.images - step * self.batch_size)
        sizes = (_piece(total, self.micro_batches, number) for number in range(self.micro_batches))
        return [
            [_piece(size, self.world_size, rank) for rank in range(self.world_size)]
            for size in sizes
            if size > 0
        ]

    def share_size(self, step: int) -> int:
        """Number of this rank's images in a step."""
        return sum(sizes[self.rank] for sizes in self.shares(step))

    def _view_seed(self, index: int, slot: int) -> int:
        """An image's views depend on the epoch and on the image; where it can recur in an epoch, on its place
        instead."""
        if self.sampler.with_replacement:
            return derive_seed("views", self.seed, self.stream, self.epoch, "slot", slot)
        key = (self.stream, self.epoch) if self.stream else (self.epoch,)
        return derive_seed("views", self.seed, *key, index)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order = self.order()
        slots = torch.arange(len(order))
        for step in range(self.start, self.steps):
            batch = slots[step * self.batch_size : (step + 1) * self.batch_size]
            parts = batch.tensor_split(self.micro_batches)
            share = torch.cat([part.tensor_split(self.world_size)[self.rank] for part in parts])
            chosen = share if len(share) else batch[:1]
            indices = order[chosen].tolist()
            yield [
                (index, self._view_seed(index, slot))
                for index, slot in zip(indices, chosen.tolist(), strict=True)
            ]

    def __len__(self) -> int:
        return self.steps - self.start


def _piece(total: int, pieces: int, number: int) -> int:
    """Size of one of the nearly equal pieces that `tensor_split` makes."""
    return total // pieces + (number < total % pieces)


class BatchLoader:
    """Loads the batches of one epoch after another, with those of the stage's further streams; closed at the end.

    Args:
        train: the training set.
        policy: how views are made.
        batches: which images are in which batch.
        device: where the step is computed.
        workers: processes that decode image files and make their views; they live from epoch to epoch.
        replace_unreadable: whether an image file that cannot be read is replaced by the next one of its class.
        streams: further streams by name, each with its images, views and batches, which have as many steps.

    Attributes:
        unreadable: what is wrong with each image file that could not be read so far.
        working: how many worker processes there are; none for images in memory.
    """

    def __init__(
        self,
        train: Images,
        policy: ViewPolicy,
        batches: EpochBatches,
        device: torch.device,
        workers: int,
        *,
        replace_unreadable: bool = False,
        streams: Mapping[str, tuple[Images, ViewPolicy, EpochBatches]] | None = None,
    ) -> None:
        self.batches, self.device = batches, device
        self.unreadable: list[str] = []
        self.loader: DataLoader[Any] | None = None
        self.working = 0
        self.views: BatchedTrainingViews | FileViews
        if isinstance(train, ImageFiles):
            self.views = FileViews(train, policy, replace=replace_unreadable)
            require_shared_memory(workers, len(policy.views) * batches.share_size(0), policy.image_size)
            self.loader = data_loader(self.views, device, workers, batch_sampler=batches)
            self.working = workers
        else:
            self.views = BatchedTrainingViews(train.images, train.labels, policy, device)
        self.streams = {
            name: BatchLoader(
                images, views, its_batches, device, workers, replace_unreadable=replace_unreadable
            )
            for name, (images, views, its_batches) in (streams or {}).items()
        }

    def close(self) -> None:
        """End the worker processes, which an error that keeps the loader alive would leave running."""
        for loader in self.streams.values():
            loader.close()
        if self.loader is not None:
            let_workers_go(self.loader._iterator)

    def all_unreadable(self) -> list[str]:
        """Problems with the image files of all streams that could not be read so far."""
        found = [
            *self.unreadable,
            *(reason for loader in self.streams.values() for reason in loader.unreadable),
        ]
        return list(dict.fromkeys(found))

    def epoch(
        self, epoch: int, first_step: int = 0, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Loaded]:
        """This rank's share of each batch of an epoch, from a step on.

        A share is empty where a last batch is too small for all ranks.

        Args:
            epoch: counted over all stages.
            first_step: steps of it that are done.
            stop: asked while worker processes are waited for; the epoch ends early if it says so.

        Raises:
            UnreadableImage: an image file cannot be read, and is not to be replaced or cannot be.
            WorkersLost: a worker process died, or nothing has come for `workers.SECONDS_TO_GIVE_UP`.
        """
        self.batches.set_position(epoch, first_step)
        streams = {name: loader.epoch(epoch, first_step, stop) for name, loader in self.streams.items()}
        for step, (images, labels, indices) in enumerate(self._loaded(stop), start=first_step):
            of_streams = {
                name: loaded for name, stream in streams.items() if (loaded := next(stream, None)) is not None
            }
            if len(of_streams) < len(streams):
                return  # a stream was told to stop while it waited
            shares = self.batches.shares(step)
            n = self.batches.share_size(step)
            yield Loaded(
                images[:, :n].to(self.device, non_blocking=True),
                labels[:n].to(self.device, non_blocking=True),
                indices[:n],
                shares,
                of_streams,
            )

    def _loaded(self, stop: Callable[[], bool]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        if isinstance(self.views, BatchedTrainingViews):
            yield from map(self.views.__getitems__, self.batches)
            return
        assert self.loader is not None
        with closing(delivered(self.loader, stop)) as batches:
            for batch in batches:
                self._report(batch)
                yield batch.images, batch.labels, batch.indices

    def _report(self, batch: FileBatch) -> None:
        """Warn once about each unreadable file that was replaced; raise for one that was not."""
        new = [reason for reason in batch.unreadable if reason not in self.unreadable]
        self.unreadable += new
        if batch.num_failed:
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
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Int64[Tensor, " n"], UInt8[Tensor, "n c height width"]]]:
    """Images as evaluation sees them, in batches: their positions, and the images on the device.

    Args:
        images: the test set; of image files the centre square is taken.
        positions: which of them, in this order, shape (m,).
        device: where to bring them.
        workers: processes that decode image files.
        batch_size: images at a time; of image files at most 256.
        stop: asked before each batch, and while worker processes are waited for.

    Raises:
        UnreadableImage: an image file cannot be read. A test image is never replaced.
        WorkersLost: a worker process died, or nothing has come for `workers.SECONDS_TO_GIVE_UP`.
        LoadingStopped: `stop` said so.
    """
    if not isinstance(images, ImageFiles):
        for chosen in positions.split(batch_size):
            if stop():
                raise LoadingStopped
            yield chosen, images.images[chosen].to(device)
        return
    parts = [chosen.tolist() for chosen in positions.split(min(batch_size, 256))]
    require_shared_memory(workers, max(map(len, parts), default=0), images.image_size)
    loader = data_loader(EvalImages(images), device, workers, batch_sampler=parts, lasting=False)
    left = len(positions)
    with closing(delivered(loader, stop)) as batches:
        for batch in batches:
            if stop():
                break
            if batch.num_failed:
                raise UnreadableImage(f"{batch.unreadable[0]}; a test image is never replaced. {_CHECK}")
            left -= len(batch.indices)
            yield batch.indices, batch.images.to(device, non_blocking=True)
    if left:
        raise LoadingStopped


_CHECK = "`python -m bcl_edu.data check NAME --decode` finds all such files"
