"""The images of each batch, decided by (seed, epoch) alone, so that a run can resume at any step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int, Int64, UInt8
from torch import Tensor
from torch.utils.data import Sampler as IndexSampler

from bcl_edu.counting import counted
from bcl_edu.methods.samplers import Sampler, Shuffled
from bcl_edu.seeds import derive_seed


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
