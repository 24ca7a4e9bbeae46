"""BBN: options and rows.

Source: Zhou et al. (CVPR 2020) and https://github.com/megvii-research/BBN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bcl_edu.recipe import ONE_VIEW, MethodOptions, at_least
from bcl_edu.rows.bcl_rows import benchmark
from bcl_edu.rows.ldam_rows import STATED_OF_CIFAR
from bcl_edu.rows.paper import Printed
from bcl_edu.rows.row import Row


@dataclass(frozen=True, kw_only=True)
class BBN(MethodOptions):
    """Options of the bilateral-branch network.

    Raises:
        ValueError: a value is out of its range.
    """

    implementation = "bcl_edu.methods.bbn:BilateralBranch"
    name = "bbn"
    title = "BBN: a branch for samples as they come, one for rare classes (Zhou et al. 2020)"
    idle = ONE_VIEW | {"drop_last"}

    alpha_from_one: bool = False
    """Count epochs from 1, so that the conventional branch's weight ends at 0, as in the paper; the authors' code
    counts from 0."""
    alpha_epochs: int | None = None
    """Epochs, of as many as the schedule is stated for, after which that weight would be 0; by default all of them.
    The authors' code says 100 for 90 and 200 for 180."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        at_least(1, self, "alpha_epochs")


METHODS = (BBN(),)

RATE_OF_CIFAR: dict[str, Any] = {
    "warmup_from": 1 / 3,
    "milestones": (119, 159),
    "decay": 0.01,
    "rate_per_epoch": True,
}
"""The learning rate of the authors' code on CIFAR: it rises from a third, and falls after 119 and 159 epochs."""

_NOTE = (
    " The values are those of Zhou et al. and their code; Nesterov's form, the start of the warm-up, the epoch "
    "from which alpha counts and that smaller batches are left out are in the code only."
)
_SLIP = " BCL's paper prints 81.18 here; BBN's own paper has an error of 17.82 %, so 82.18."
_OF_INATURALIST = (
    " The milestones are those of the paper, alpha's 100 epochs those of the code. The paper does not print the "
    "length; views, the absence of a warm-up and the learning rate for this length are our choice: the code's "
    "0.05 is for 180 epochs."
)


def _bbn(printed: Printed) -> Row:
    recipe = benchmark(printed)
    if printed.imbalance_factor is not None:
        recipe = recipe.change(
            method=BBN(),
            views="plain",
            batch_size=128,
            learning_rate=0.1,
            nesterov=True,
            weight_decay=2e-4,
            **RATE_OF_CIFAR,
        )
        slip = printed.data_set == "CIFAR-10-LT" and printed.imbalance_factor == 50
        stated = STATED_OF_CIFAR | {"warmup_from", "nesterov", "alpha_from_one", "alpha_epochs"}
        return Row("", "BBN", recipe, None, stated, _NOTE + (_SLIP if slip else ""))
    recipe = recipe.change(
        method=BBN(alpha_epochs=100),
        views="resized",
        epochs=90,
        schedule_epochs=90,
        batch_size=128,
        learning_rate=0.05,
        schedule="steps",
        milestones=(60, 80),
        rate_per_epoch=True,
        weight_decay=1e-4,
    )
    stated = frozenset({"dataset", "profile", "image_size", "backbone", "method", "batch_size", "schedule"})
    stated |= {"milestones", "decay", "momentum", "weight_decay", "alpha_from_one", "alpha_epochs"}
    return Row("", "BBN", recipe, None, stated, _NOTE + _OF_INATURALIST)


PRINTED = {"BBN": _bbn}
