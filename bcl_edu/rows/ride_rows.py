"""RIDE: options, and its rows of Tables 4 to 6.

Source of the recipes: Wang et al. (ICLR 2021), their code,
https://github.com/frank-xwang/RIDE-LongTailRecognition.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bcl_edu.recipe import FIRST_STAGE, MethodOptions, above, at_least, require
from bcl_edu.rows.bcl_rows import benchmark
from bcl_edu.rows.paper import Printed
from bcl_edu.rows.row import BENCHMARK, TRAINING, Row


@dataclass(frozen=True, kw_only=True)
class RIDE(MethodOptions):
    """Options of RIDE.

    Raises:
        ValueError: a value is out of its range.
    """

    implementation = "bcl_edu.methods.ride:Ride"
    name = "ride"
    title = "RIDE: diverse experts and a router (Wang et al. 2021)"

    experts: int = 3
    """Number of experts."""
    narrow_experts: bool = True
    """Three quarters of the channels in the experts' own layers."""
    diversity: float = -0.45
    """Weight of the divergence of each expert from their mean; negative, so that they move apart."""
    diversity_gamma: float = 0.05
    """Relative drop of the divergence's temperature for rare classes: 0 for all alike, below 1."""
    reweighted_from: float = 0.8
    """Share of the epochs after which classes get weights and temperatures of their own."""
    collaborative: bool = False
    """Cross-entropy of the experts' mean logits instead of each expert's, as the code has without diversity."""
    class_balanced_beta: float = 0.9999
    """β of the effective numbers that weigh the classes."""
    largest_margin: float = 0.5
    """LDAM margin of the rarest class, times the scale of the logits."""
    router: bool = True
    """Train a router in a second stage, and let it choose how many experts an image needs."""
    router_top: int | None = None
    """Number of largest logits that the router sees; by default 30, or all of fewer classes."""
    router_epochs: int = 5
    """Epochs of the router's stage."""
    router_batch_size: int = 512
    """Images of a batch of the router's stage."""
    router_learning_rate: float = 0.01
    """Learning rate of the router's stage, at its start."""
    router_weight_decay: float = 5e-4
    """Weight decay of the router's stage."""
    teacher: str | None = None
    """Folder of a finished run, say with six experts, whose predictions are learnt besides; none by default."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        at_least(1, self, "experts")
        require(self.experts > 1 or not self.router, "experts", self.experts, "at least 2 with a router")
        require(0 <= self.diversity_gamma < 1, "diversity_gamma", self.diversity_gamma, "from 0 to below 1")
        require(0 <= self.reweighted_from <= 1, "reweighted_from", self.reweighted_from, "from 0 to 1")
        beta = self.class_balanced_beta
        require(0 <= beta < 1, "class_balanced_beta", beta, "at least 0 and below 1")
        at_least(0, self, "largest_margin", "router_weight_decay")
        at_least(1, self, "router_epochs", "router_batch_size")
        above(0, self, "router_learning_rate")
        at_least(1, self, "router_top")

    def unused_after_start(self) -> frozenset[str]:
        """On a finished run the router is trained alone."""
        if not self.router:
            return frozenset()
        of_experts = {
            "diversity",
            "diversity_gamma",
            "reweighted_from",
            "collaborative",
            "class_balanced_beta",
            "largest_margin",
            "teacher",
        }
        return FIRST_STAGE | {"batch_size", "nesterov", "weight_decay"} | of_experts


METHODS = (RIDE(),)

_NOTE = (
    " Values of the authors' published code, to which the table's figure adds distillation from a teacher of six "
    "experts, by the authors' word: train one with --experts 6 --no-router, then name it with --teacher (on CIFAR "
    "with 20 epochs of warm-up). Share of the reweighted epochs: the last fifth, as in the code."
)

_LONGER = " The code trains photographs for 100 epochs, the table's heading has {}."

_STATED = (
    BENCHMARK
    | TRAINING
    | {
        "rate_per_epoch",
        "warmup_epochs",
        "nesterov",
        "experts",
        "narrow_experts",
        "diversity",
        "diversity_gamma",
        "reweighted_from",
        "class_balanced_beta",
        "largest_margin",
        "router",
        "router_top",
        "router_epochs",
        "router_batch_size",
        "router_learning_rate",
        "router_weight_decay",
    }
)


def _row(printed: Printed) -> Row:
    recipe = benchmark(printed)
    options = RIDE(experts=2 if "2" in printed.method else 3)
    if printed.imbalance_factor is not None:
        recipe = replace(
            recipe,
            method=replace(options, router_top=30 if recipe.dataset == "cifar100" else None),
            views="rotated",
            batch_size=128,
            learning_rate=0.1,
            decay=0.01,
        )
    else:
        imagenet = recipe.dataset == "imagenet-lt"
        gamma = 0.02 if imagenet else 0.015
        recipe = replace(
            recipe,
            method=replace(options, diversity=-0.2, diversity_gamma=gamma, router_top=50),
            views="resized-jitter" if imagenet else "resized",
            epochs=100,
            schedule_epochs=100,
            batch_size=256 if imagenet else 512,
            learning_rate=0.1 if imagenet else 0.2,
            schedule="steps",
            warmup_epochs=5,
            milestones=(60, 80),
            weight_decay=2e-4,
        )
    recipe = replace(recipe, nesterov=True, rate_per_epoch=True)
    note = _NOTE if recipe.epochs == printed.epochs else _NOTE + _LONGER.format(printed.epochs)
    return Row("", printed.method, recipe, printed.figure, _STATED, note)


PRINTED = {"RIDE (3 experts)": _row, "RIDE (2 experts)": _row}
