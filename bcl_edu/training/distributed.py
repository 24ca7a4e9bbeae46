"""Several processes, one global batch.

Every process computes the loss of the *global* batch from gathered outputs, so that the loss does not depend on
the number of processes. Gradients flow back through `gather`: each process gets the sum of what all processes'
(identical) losses say about its share, and the averaging of gradients in DistributedDataParallel divides by the
number of processes again. Batch statistics are those of the global batch too (`global_batch_norm`). Run under
`torchrun`; without it everything here is the identity.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx

T = TypeVar("T")

PATIENCE = timedelta(minutes=15)
"""How long a process waits for the others. One that died is noticed within seconds by torchrun; this is for one that
hangs, or whose machine vanished. Longer than the main process needs to unpack a data set."""


class ProcessLost(RuntimeError):
    """Another process of the run died, so that this one cannot go on."""


@dataclass(frozen=True)
class Processes:
    """This process among its equals."""

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and talks."""
        return self.rank == 0


@contextmanager
def process_group(device: torch.device) -> Iterator[Processes]:
    """Join the group that torchrun describes in the environment; leave it at the end.

    NCCL for CUDA devices, gloo otherwise.

    Raises:
        ProcessLost: within, the others can no longer be reached.
    """
    if "WORLD_SIZE" not in os.environ or int(os.environ["WORLD_SIZE"]) == 1:
        yield Processes()
        return
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    if device.type == "cuda":
        device = torch.device("cuda", local_rank)
        torch.cuda.set_device(device)
        dist.init_process_group("nccl", timeout=PATIENCE, device_id=device)
    else:
        dist.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), local_rank)
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and "gloo" not in str(error):
            raise
        raise ProcessLost(
            "lost the other processes: one was killed, or stopped with an error of its own (see its message); "
            "what the last checkpoint holds can be continued with --resume"
        ) from error
    finally:
        dist.destroy_process_group()


class _Gather(torch.autograd.Function):
    """all_gather of rows, whose backward sums every process's gradient of this process's rows."""

    @staticmethod
    def forward(ctx: FunctionCtx, rows: Tensor) -> Tensor:
        # shares of a batch may differ by one row: exchange the sizes, pad to the largest, cut again
        sizes = torch.zeros(dist.get_world_size(), dtype=torch.int64, device=rows.device)
        sizes[dist.get_rank()] = len(rows)
        dist.all_reduce(sizes)
        counts: list[int] = sizes.tolist()
        padded = rows.new_zeros(max(counts), *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(parts, padded)
        ctx.mine = slice(sum(counts[: dist.get_rank()]), sum(counts[: dist.get_rank() + 1]))  # type: ignore[attr-defined]
        return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> Tensor:
        gradient = gradients[0].contiguous().clone()
        dist.all_reduce(gradient)
        return gradient[ctx.mine]  # type: ignore[attr-defined]


def gather(rows: Float[Tensor, "n *d"]) -> Float[Tensor, "total *d"]:
    """The rows of all processes, in the order of their ranks, with gradients.

    Integer tensors (labels) are gathered too, without gradients. Identity where there is one process.
    """
    if not several_processes():
        return rows
    gathered: Tensor = _Gather.apply(rows)
    return gathered


def several_processes() -> bool:
    """Whether a process group has been joined."""
    return dist.is_available() and dist.is_initialized()


@contextmanager
def main_process_first(processes: Processes) -> Iterator[None]:
    """Let the main process do something alone (download, unpack into the cache), then all others.

    Of the others, the first of each machine go before the rest: their disk may be another than the main process's.
    """
    turn = 0 if processes.is_main else 1 if processes.local_rank == 0 else 2
    barriers = 2 if several_processes() else 0
    for _ in range(min(turn, barriers)):
        dist.barrier()
    try:
        yield
    finally:
        for _ in range(barriers - min(turn, barriers)):
            dist.barrier()


def from_main_process(make: Callable[[], T]) -> T:
    """What the main process makes, in every process: a decision or a file that all must see alike.

    An error stays in the main process; torchrun then ends the others, which wait here.
    """
    if not several_processes():
        return make()
    made = [make() if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(made)
    return made[0]  # type: ignore[return-value]


def from_all_processes(items: list[str]) -> list[str]:
    """What any process lists, each once, in the order of their ranks."""
    if not several_processes():
        return items
    lists: list[list[str]] = [[] for _ in range(dist.get_world_size())]
    dist.all_gather_object(lists, items)
    return list(dict.fromkeys(item for its_items in lists for item in its_items))


def sum_over_processes(share: Tensor, device: torch.device) -> Tensor:
    """Each process's tensor, added up; the group communicates on `device`."""
    if not several_processes():
        return share
    total = share.to(device, copy=True)
    dist.all_reduce(total)
    return total.to(share.device)


def any_process(flag: bool, device: torch.device) -> bool:
    """Whether the flag is set in any process: what all must agree on, such as stopping after this step."""
    return bool(sum_over_processes(torch.tensor(int(flag)), device))
