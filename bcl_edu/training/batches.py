"""Which samples are in which batch: decided by (seed, epoch) alone, so that a run can resume at any step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch.utils.data import Sampler

from bcl_edu.seeds import derive_seed


class Part(NamedTuple):
    """A part of a batch, which is computed at once."""

    size: int
    """This process's samples in it."""
    weight: float
    """Samples of all processes in it, over those of the batch."""


class EpochBatches(Sampler[list[int]]):
    """The batches of one epoch, from a given step on, and of each only this process's share.

    All processes shuffle alike; the global batch is cut into contiguous, nearly equal parts, and each part into such
    shares of the processes. So neither the batches, their parts,
    nor their number depend on the number of processes. In a last batch with fewer samples than processes some
    shares are empty (`share_size` is 0); since nothing cannot be loaded, such a process is given one sample of the
    batch, to load and to leave out.

    Args:
        num_samples: size of the training set.
        batch_size: samples in a global batch.
        seed: the run's seed.
        drop_last: leave out the last batch if it is smaller than the others.
        parts: into which a batch is cut, to be computed one after another; a process's samples come part by part.
        rank: this process, 0 <= rank < world_size.
        world_size: number of processes.

    Raises:
        ValueError: the epoch would have no batch.
    """

    def __init__(
        self,
        num_samples: int,
        batch_size: int,
        seed: int,
        *,
        drop_last: bool = False,
        parts: int = 1,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.num_samples, self.batch_size, self.seed = num_samples, batch_size, seed
        self.parts, self.rank, self.world_size = parts, rank, world_size
        full, rest = divmod(num_samples, batch_size)
        self.steps = full + (not drop_last and rest > 0)
        if batch_size < world_size * parts:
            raise ValueError(
                f"a batch of {batch_size} cannot be shared by {world_size} processes in {parts} part(s); use fewer"
            )
        if self.steps == 0:
            raise ValueError(
                f"{num_samples} training images in batches of {batch_size}, drop_last={drop_last}, make no batch; "
                "use a smaller batch size"
            )
        self.epoch, self.start = 0, 0

    def set_position(self, epoch: int, start: int = 0) -> None:
        """Which epoch comes next, and at which of its steps it starts."""
        self.epoch, self.start = epoch, start

    def global_batch(self, order: torch.Tensor, step: int) -> torch.Tensor:
        """Indices of all processes' samples in a step, given the epoch's order."""
        return order[step * self.batch_size : (step + 1) * self.batch_size]

    def share_size(self, step: int) -> int:
        """Number of this process's samples in a step."""
        return sum(part.size for part in self.parts_of(step))

    def parts_of(self, step: int) -> list[Part]:
        """The parts of a step's batch; a last, small batch can have fewer."""
        total = min(self.batch_size, self.num_samples - step * self.batch_size)
        return [
            Part(_piece(size, self.world_size, self.rank), size / total)
            for size in (_piece(total, self.parts, part) for part in range(self.parts))
            if size > 0
        ]

    def order(self) -> torch.Tensor:
        """The epoch's permutation of the samples, shape (num_samples,)."""
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "order of batches", self.epoch))
        return torch.randperm(self.num_samples, generator=generator)

    def __iter__(self) -> Iterator[list[int]]:
        order = self.order()
        for step in range(self.start, self.steps):
            batch = self.global_batch(order, step)
            parts = batch.tensor_split(self.parts)
            share = torch.cat([part.tensor_split(self.world_size)[self.rank] for part in parts])
            yield (share if len(share) else batch[:1]).tolist()

    def __len__(self) -> int:
        return self.steps - self.start


def _piece(total: int, pieces: int, number: int) -> int:
    """Size of one of the nearly equal pieces that `tensor_split` makes."""
    return total // pieces + (number < total % pieces)
