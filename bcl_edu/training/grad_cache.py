"""A batch computed in micro-batches, one after another, where a GPU's memory does not hold it whole.

For a loss that is a mean over samples the gradients of micro-batches add up to that of the batch. A contrastive loss
is not such a mean: each anchor is compared with the other samples. A first pass, without gradients, computes what the
method gathers from every micro-batch; in the second each micro-batch is computed again, and its gradient is taken with
the rows of the others held fixed. The sum is the gradient of the whole batch's loss, for one more forward pass, about
a third of a step.

Batch normalisation takes its statistics from a micro-batch (in both passes the same), and its running statistics move
once for each. The result therefore differs from that of whole batches, and the number of micro-batches belongs to the
recipe.

Source: Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup" (RepL4NLP 2021).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bcl_edu.methods.protocol import Gather

MicroBatchLoss = Callable[[int, Gather | None], Mapping[str, Tensor]]
"""Losses by name of micro-batch p, given the gather that completes its rows to the whole batch; None for its own."""


def grad_cache(
    loss: MicroBatchLoss,
    gathers: list[Gather],
    backward: Callable[[Tensor], None],
    module: nn.Module,
) -> dict[str, Tensor]:
    """Accumulate the gradient of the whole batch's loss, micro-batch by micro-batch.

    Every second pass computes the whole loss, but only its own rows carry gradients. What is made of the
    weights alone, as prototypes are, carries its whole gradient in each: so each loss counts 1 / p of p
    micro-batches, and a micro-batch's own rows, which are in one of them only, count p times.

    Args:
        loss: of a micro-batch; it must call its gather in the same order each time.
        gathers: over ranks, one for each micro-batch.
        backward: called with every loss.
        module: as `loss` calls it.

    Returns:
        The losses of the whole batch, detached.
    """
    parts = len(gathers)
    made: list[list[Tensor]] = []  # of each micro-batch: what it gathered, call by call
    with torch.no_grad(), _running_statistics_kept(module):
        for part, gather in enumerate(gathers):
            rows_of_part: list[Tensor] = []

            def remember(rows: Tensor, gather: Gather = gather, kept: list[Tensor] = rows_of_part) -> Tensor:
                kept.append(gather(rows))
                return kept[-1]

            loss(part, remember)
            made.append(rows_of_part)

    values: Mapping[str, Tensor] = {}
    for part, gather in enumerate(gathers):
        calls = count()

        def among_all(
            rows: Tensor, part: int = part, gather: Gather = gather, calls: Iterator[int] = calls
        ) -> Tensor:
            mine, call = gather(rows), next(calls)
            if mine.requires_grad:
                mine.register_hook(lambda gradient: gradient * parts)
            return torch.cat([mine if other == part else made[other][call] for other in range(parts)])

        with _gradients_exchanged_once(module, last=part == parts - 1):
            values = loss(part, among_all)
            backward(values["loss"] / parts)
    return {name: value.detach() for name, value in values.items()}


def _gradients_exchanged_once(module: nn.Module, *, last: bool) -> AbstractContextManager[Any]:
    """Let DistributedDataParallel exchange gradients after the last micro-batch only."""
    no_sync: Callable[[], AbstractContextManager[Any]] = getattr(module, "no_sync", nullcontext)
    return nullcontext() if last else no_sync()


@contextmanager
def _running_statistics_kept(module: nn.Module) -> Iterator[None]:
    """Keep the running statistics unchanged inside the block, where batch normalisation uses those of the batch."""
    tracking = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    for one in tracking:
        one.track_running_stats = False
    try:
        yield
    finally:
        for one in tracking:
            one.track_running_stats = True
