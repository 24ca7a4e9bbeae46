"""DRO-LT: options, and its row of Table 4.

Source of the recipe: Samuel and Chechik (ICCV 2021), code and README, https://github.com/dvirsamuel/DRO-LT.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bcl_edu.recipe import FIRST_STAGE, ONE_VIEW, MethodOptions, above, at_least
from bcl_edu.rows.bcl_rows import benchmark
from bcl_edu.rows.paper import Printed
from bcl_edu.rows.row import BENCHMARK, TRAINING, Row


@dataclass(frozen=True, kw_only=True)
class DROLT(MethodOptions):
    """Options of distributionally robust learning; the recipe's epochs are those of the first stage, cross-entropy.

    Raises:
        ValueError: a value is out of its range.
    """

    implementation = "bcl_edu.methods.drolt:DistributionallyRobust"
    name = "dro-lt"
    title = "DRO-LT: features robust to where class centroids are (Samuel and Chechik 2021)"
    idle = ONE_VIEW

    temperature: float = 1.0
    """Temperature T of the distances."""
    radius: float = 1.0
    """Radius ε of each class's ball of centroids at the start; it is learnt."""
    radius_factor: float = 1.0
    """Distance, in radii, by which a sample is moved away from its class's centroid; 1 in the authors' code."""
    feature_epochs: int = 80
    """Epochs of the second stage, which trains the features."""
    feature_learning_rate: float = 0.005
    """Learning rate of the second stage, constant."""
    classifier_epochs: int = 20
    """Epochs of the third stage, which trains the classifier."""
    classifier_learning_rate: float = 0.01
    """Learning rate of the third stage, constant."""
    balanced_batch_size: int = 128
    """Images of a batch of the second and third stages."""
    images_per_class: int = 4
    """Images that their sampler takes of a class at a time."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        above(0, self, "temperature", "feature_learning_rate", "classifier_learning_rate")
        at_least(0, self, "radius_factor")
        at_least(1, self, "feature_epochs", "classifier_epochs", "balanced_batch_size", "images_per_class")

    def unused_after_start(self) -> frozenset[str]:
        """On a finished run, whose cross-entropy takes the place of the first stage's."""
        return FIRST_STAGE | {"batch_size", "drop_last"}


METHODS = (DROLT(),)

_NOTE = (
    " Values of the authors' published code. The first stage is plain cross-entropy there too, said to be trained as "
    "LDAM-DRW is; an epoch of the later stages visits each class as often as the largest has images, so they take many "
    "more steps than the first. The authors go on from the epoch with the best accuracy on the test set, we from the "
    "last one."
)
_STATED = (
    BENCHMARK
    | TRAINING
    | {
        "rate_per_epoch",
        "warmup_epochs",
        "temperature",
        "radius",
        "radius_factor",
        "feature_epochs",
        "feature_learning_rate",
        "classifier_epochs",
        "classifier_learning_rate",
        "balanced_batch_size",
        "images_per_class",
    }
)


def _row(printed: Printed) -> Row:
    recipe = replace(
        benchmark(printed),
        method=DROLT(),
        batch_size=128,
        learning_rate=0.1,
        decay=0.01,
        rate_per_epoch=True,
        weight_decay=1e-4,
    )
    return Row("", "DRO-LT", recipe, printed.figure, _STATED, _NOTE)


PRINTED = {"DRO-LT": _row}
