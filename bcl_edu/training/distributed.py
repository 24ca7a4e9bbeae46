"""Several processes, one global batch.

Every process computes the loss of the *global* batch from gathered outputs, so that the loss does not depend on
the number of processes. Gradients flow back through `gather`: each process gets the sum of what all processes'
(identical) losses say about its share, and the averaging of gradients in DistributedDataParallel divides by the
number of processes again. Run under `torchrun`; without it everything here is the identity.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx


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
    """
    if "WORLD_SIZE" not in os.environ or int(os.environ["WORLD_SIZE"]) == 1:
        yield Processes()
        return
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    if device.type == "cuda":
        torch.cuda.set_device(local_rank)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), local_rank)
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
    if not (dist.is_available() and dist.is_initialized()):
        return rows
    gathered: Tensor = _Gather.apply(rows)
    return gathered


@contextmanager
def main_process_first() -> Iterator[None]:
    """Let the main process do something alone (download, decode into the cache), then all others at once."""
    several = dist.is_available() and dist.is_initialized()
    if several and dist.get_rank() != 0:
        dist.barrier()
    try:
        yield
    finally:
        if several and dist.get_rank() == 0:
            dist.barrier()


def any_process(flag: bool, device: torch.device) -> bool:
    """Whether the flag is set in any process: what all must agree on, such as stopping after this step."""
    if not (dist.is_available() and dist.is_initialized()):
        return flag
    votes = torch.tensor(int(flag), device=device)
    dist.all_reduce(votes)
    return bool(votes)
