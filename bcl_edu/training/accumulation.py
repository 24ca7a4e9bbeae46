"""A batch computed in parts, one after another, where a GPU's memory does not hold it whole.

For a loss that is a mean over samples the gradients of the parts add up to that of the batch. A contrastive loss is
none: each anchor is compared with the other samples. Two things can be done about it, and `Recipe.contrast` chooses:

- "part": every part has its own loss, of its own samples. An anchor then meets only the positives and negatives of its
  part; a class with one sample there has no positive at all (but for its prototype and its other view).
- "batch": the loss of the whole batch. A first pass, without gradients, computes what the model makes of every part; in
  the second each part is computed again, and its gradient is taken with the results of the others held fixed. The sum
  is the gradient of the whole batch's loss (Gao et al., *Scaling Deep Contrastive Learning Batch Size under Memory
  Limited Setup*, 2021). It costs one more forward pass, about a third of a step.

In both, batch normalisation takes its statistics from a part (in both passes the same), and its running statistics move
once for each part. So neither is the run in one part, and both belong to the recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bcl_edu.methods.protocol import Gather

PartLoss = Callable[[int, Gather], Mapping[str, Tensor]]
"""Loss and its parts by name of the p-th part of a batch, given how rows become those of all samples compared."""


def accumulate_alone(
    loss: PartLoss,
    weights: Sequence[float],
    backward: Callable[[Tensor], None],
    model: nn.Module,
    gather: Gather,
) -> dict[str, Tensor]:
    """Accumulate the gradients of each part's own loss, weighted by its share of the batch's samples.

    Args:
        loss: of a part.
        weights: samples of each part over samples of the batch.
        backward: called with every loss.
        model: as `loss` calls it.
        gather: over processes.

    Returns:
        The weighted sums of the losses, detached.
    """
    sums: dict[str, Tensor] = {}
    for part, weight in enumerate(weights):
        with _gradients_exchanged_once(model, last=part == len(weights) - 1):
            values = loss(part, gather)
            backward(values["loss"] * weight)
        for name, value in values.items():
            sums[name] = sums.get(name, 0) + value.detach() * weight
    return sums


def accumulate_together(
    loss: PartLoss, parts: int, backward: Callable[[Tensor], None], model: nn.Module, gather: Gather
) -> dict[str, Tensor]:
    """Accumulate the gradient of the whole batch's loss, part by part.

    Every part's second pass computes the whole loss, but only its own rows carry gradients. What is made of the weights
    alone, as the prototypes are, carries its whole gradient in each: so each loss counts 1 / parts, and a part's own
    rows, that are in one of them only, count `parts` times.

    Args:
        loss: of a part.
        parts: how many.
        backward: called with every loss.
        model: as `loss` calls it.
        gather: over processes.

    Returns:
        The losses of the whole batch, detached.
    """
    made: list[list[Tensor]] = []  # of each part: what `loss` handed to gather, call by call
    with torch.no_grad(), _running_statistics_kept(model):
        for part in range(parts):
            rows_of_part: list[Tensor] = []

            def remember(rows: Tensor, kept: list[Tensor] = rows_of_part) -> Tensor:
                kept.append(gather(rows))
                return kept[-1]

            loss(part, remember)
            made.append(rows_of_part)

    values: Mapping[str, Tensor] = {}
    for part in range(parts):
        calls = count()

        def among_all(rows: Tensor, part: int = part, calls: Iterator[int] = calls) -> Tensor:
            mine, call = gather(rows), next(calls)
            if mine.requires_grad:
                mine.register_hook(lambda gradient: gradient * parts)
            return torch.cat([mine if other == part else made[other][call] for other in range(parts)])

        with _gradients_exchanged_once(model, last=part == parts - 1):
            values = loss(part, among_all)
            backward(values["loss"] / parts)
    return {name: value.detach() for name, value in values.items()}


def _gradients_exchanged_once(model: nn.Module, *, last: bool) -> AbstractContextManager[Any]:
    """DistributedDataParallel exchanges gradients after the last part; the others only add to them."""
    no_sync: Callable[[], AbstractContextManager[Any]] = getattr(model, "no_sync", nullcontext)
    return nullcontext() if last else no_sync()


@contextmanager
def _running_statistics_kept(model: nn.Module) -> Iterator[None]:
    """Within, batch normalisation uses batch statistics as in training, but leaves the running ones alone."""
    tracking = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    for module in tracking:
        module.track_running_stats = False
    try:
        yield
    finally:
        for module in tracking:
            module.track_running_stats = True
