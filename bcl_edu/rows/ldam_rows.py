"""LDAM and LDAM-DRW: options and rows.

Source: Cao et al. (NeurIPS 2019) and https://github.com/kaidic/LDAM-DRW.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from bcl_edu.recipe import ONE_VIEW, MethodOptions, Recipe, above, require
from bcl_edu.rows.bcl_rows import benchmark
from bcl_edu.rows.paper import Printed
from bcl_edu.rows.row import Row


@dataclass(frozen=True, kw_only=True)
class LDAM(MethodOptions):
    """Options of label-distribution-aware margins.

    Raises:
        ValueError: a value is out of its range.
    """

    implementation = "bcl_edu.methods.ldam:LabelDistributionAwareMargin"
    name = "ldam"
    title = "margins that grow as a class gets rarer (Cao et al. 2019)"
    idle = ONE_VIEW

    largest_margin: float = 0.5
    """Margin of the rarest class, in units of the cosine."""
    scale: float = field(default=30.0, metadata={"kept": False})
    """Scale of the cosines; in the authors' code only."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        require(0 <= self.largest_margin < 2, "largest_margin", self.largest_margin, "at least 0 and below 2")
        above(0, self, "scale")


@dataclass(frozen=True, kw_only=True)
class DeferredLDAM(LDAM):
    """Options of label-distribution-aware margins with deferred class weights (DRW)."""

    name = "ldam-drw"
    title = "LDAM with class weights late in training (Cao et al. 2019)"

    class_weights: Literal["effective-number", "inverse-frequency"] = "effective-number"
    """Late in training: by effective numbers, as the authors' code does, or by 1 / N, as their Algorithm 1 says."""
    weights_beta: float = 0.9999
    """Beta of the effective numbers."""
    weights_from: int | None = None
    """Epoch, of as many as the schedule is stated for, from which classes are weighted; by default the first at
    which the learning rate falls (under a cosine schedule four fifths of the run, our choice)."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        super().__post_init__()
        require(0 <= self.weights_beta < 1, "weights_beta", self.weights_beta, "at least 0 and below 1")
        begin = self.weights_from
        require(begin is None or begin >= 0, "weights_from", begin, "an epoch from 0 on")


METHODS = (LDAM(), DeferredLDAM())

OF_CIFAR: dict[str, Any] = {
    "views": "plain",
    "batch_size": 128,
    "learning_rate": 0.1,
    "decay": 0.01,
    "rate_per_epoch": True,
    "weight_decay": 2e-4,
}
"""The authors' values for CIFAR, beyond the usual epochs and milestones."""

STATED_OF_CIFAR = frozenset(OF_CIFAR) | {
    "dataset",
    "profile",
    "imbalance_factor",
    "head_count",
    "backbone",
    "method",
    "epochs",
    "schedule_epochs",
    "schedule",
    "warmup_epochs",
    "milestones",
    "momentum",
    "nesterov",
}


def recipe_of_cifar(printed: Printed) -> Recipe:
    """The authors' recipe on the images of a printed line."""
    return benchmark(printed).change(method=DeferredLDAM(), **OF_CIFAR)


def _ldam_drw(printed: Printed) -> Row:
    return Row(
        table="",
        method="LDAM-DRW",
        recipe=recipe_of_cifar(printed),
        paper=None,
        stated=STATED_OF_CIFAR | {"largest_margin", "scale", "class_weights", "weights_beta", "weights_from"},
        note=" The values are those of Cao et al. and their code; scale, class weights and weights beta are in "
        "the code only. BCL's paper takes the figures at imbalance factor 50 from BBN's, LDAM's own has none.",
    )


PRINTED = {"LDAM-DRW": _ldam_drw}
