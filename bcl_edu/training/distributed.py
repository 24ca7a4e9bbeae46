"""Several processes, one global batch.

Every rank computes the loss of the *global* batch from gathered outputs, so that the loss does not depend on the
number of ranks. Gradients flow back through `gather`: each rank receives, for its share, the sum of the gradients of
all ranks' (identical) losses, and DistributedDataParallel's average divides by the number of ranks again. Batch
statistics are those of the global batch too (`global_batch_norm`). Run under `torchrun`; without it everything here is
the identity.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from jaxtyping import Shaped
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

T = TypeVar("T")

COLLECTIVE_TIMEOUT = timedelta(minutes=15)
"""Time that a rank waits for the others. torchrun notices within seconds that one died; this is for one that hangs, or
whose machine vanished. It is longer than the main process needs to unpack a data set."""


class ProcessLost(RuntimeError):
    """Another process of the run died, so that this one cannot go on."""


@dataclass(frozen=True)
class Rank:
    """This process among those of the run."""

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """True for the process that writes files and prints."""
        return self.rank == 0


@contextmanager
def process_group(device: torch.device) -> Iterator[Rank]:
    """Join the group that torchrun describes in the environment; leave it at the end.

    NCCL for CUDA devices, gloo otherwise.

    Raises:
        ProcessLost: the other processes can no longer be reached, inside the block.
    """
    if "WORLD_SIZE" not in os.environ or int(os.environ["WORLD_SIZE"]) == 1:
        yield Rank()
        return
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    if device.type == "cuda":
        device = torch.device("cuda", local_rank)
        torch.cuda.set_device(device)
        dist.init_process_group("nccl", timeout=COLLECTIVE_TIMEOUT, device_id=device)
    else:
        dist.init_process_group("gloo", timeout=COLLECTIVE_TIMEOUT)
    try:
        yield Rank(dist.get_rank(), dist.get_world_size(), local_rank)
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and "gloo" not in str(error):
            raise
        raise ProcessLost(
            "lost the other processes: one was killed, or stopped with an error of its own (see its message); "
            "what the last checkpoint holds can be continued with --resume"
        ) from error
    finally:
        dist.destroy_process_group()


class _SumOverRanks(torch.autograd.Function):
    """Sum over ranks; the backward pass sums the ranks' gradients, at every order."""

    @staticmethod
    def forward(ctx: FunctionCtx, share: Tensor) -> Tensor:
        total = share.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> Tensor:
        total: Tensor = _SumOverRanks.apply(gradients[0])
        return total


class _Gather(torch.autograd.Function):
    """All-gather of rows. Their numbers are known, so no rank waits for its device to learn them.

    Backward sums every rank's gradient of this rank's rows.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, rows: Tensor, sizes: Sequence[int]) -> Tensor:
        # shares differ by at most one row: pad to the largest, cut again
        padded = rows.new_zeros(max(sizes), *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        first = sum(sizes[: dist.get_rank()])
        ctx.mine = slice(first, first + len(rows))  # type: ignore[attr-defined]
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None]:
        summed: Tensor = _SumOverRanks.apply(gradients[0])
        return summed[ctx.mine], None  # type: ignore[attr-defined]


def gather(rows: Shaped[Tensor, " n *d"], sizes: Sequence[int]) -> Shaped[Tensor, " total *d"]:
    """The rows of all ranks, in the order of their ranks, with gradients; integers (labels) without.

    Args:
        rows: this rank's, shape (sizes[rank], ...).
        sizes: number of rows of each rank.

    Raises:
        ValueError: this rank has another number of rows.
    """
    if not several_processes():
        return rows
    expected = sizes[dist.get_rank()]
    if len(rows) != expected:
        raise ValueError(
            f"{len(rows)} rows to gather, but this rank's share has {expected}; gather one row a sample"
        )
    gathered: Tensor = _Gather.apply(rows, sizes)
    return gathered


def sum_over_ranks(share: Shaped[Tensor, "*d"]) -> Shaped[Tensor, "*d"]:
    """The sum of every rank's tensor, with gradients, at every order."""
    total: Tensor = _SumOverRanks.apply(share)
    return total


def average(value: Shaped[Tensor, "*d"]) -> Shaped[Tensor, "*d"]:
    """The mean of every rank's tensor, with gradients."""
    if not several_processes():
        return value
    return sum_over_ranks(value) / dist.get_world_size()


def several_processes() -> bool:
    """True if a process group has been joined."""
    return dist.is_available() and dist.is_initialized()


@contextmanager
def main_process_first(rank: Rank) -> Iterator[None]:
    """Let the main process do something alone (download, unpack into the cache), then all others.

    Of the others, the first process of each machine goes before the rest, since its disk may not be the main
    process's.
    """
    turn = 0 if rank.is_main else 1 if rank.local_rank == 0 else 2
    barriers = 2 if several_processes() else 0
    for _ in range(min(turn, barriers)):
        dist.barrier()
    try:
        yield
    finally:
        for _ in range(barriers - min(turn, barriers)):
            dist.barrier()


def broadcast_object(make: Callable[[], T]) -> T:
    """The object that the main process makes, on every rank: a decision or a file that all must see alike.

    An error stays in the main process; torchrun then ends the others, which wait here.
    """
    if not several_processes():
        return make()
    made = [make() if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(made)
    return made[0]  # type: ignore[return-value]


def all_gather_unique(items: list[str]) -> list[str]:
    """Items of all ranks, each once, in the order of the ranks."""
    if not several_processes():
        return items
    lists: list[list[str]] = [[] for _ in range(dist.get_world_size())]
    dist.all_gather_object(lists, items)
    return list(dict.fromkeys(item for its_items in lists for item in its_items))


def all_reduce_sum(share: Tensor, device: torch.device) -> Tensor:
    """The sum of every rank's tensor; the group communicates on `device`."""
    if not several_processes():
        return share
    total = share.to(device, copy=True)
    dist.all_reduce(total)
    return total.to(share.device)


def any_rank(flag: bool, device: torch.device) -> bool:
    """True if the flag is set on any rank; for what all ranks must agree on, such as stopping after this step."""
    return bool(all_reduce_sum(torch.tensor(int(flag)), device))


def average_gradients(module: nn.Module) -> None:
    """Average every gradient over the ranks, as DistributedDataParallel does for what goes through its forward."""
    if not several_processes():
        return
    for parameter in module.parameters():
        if parameter.grad is not None:
            dist.all_reduce(parameter.grad)
            parameter.grad /= dist.get_world_size()
