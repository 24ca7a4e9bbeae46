"""DRO-LT: options, and its row of Table 4.

Source of the recipe: Samuel and Chechik (ICCV 2021), code and README, https://github.com/dvirsamuel/DRO-LT.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from bcl_edu.recipe import MethodOptions, require
from bcl_edu.rows.bcl_rows import benchmark
from bcl_edu.rows.paper import Printed
from bcl_edu.rows.row import Row


@dataclass(frozen=True, kw_only=True)
class DROLT(MethodOptions):
    """Options of distributionally robust learning; the recipe's epochs are those of the first stage, cross-entropy.

    Raises:
        ValueError: a value is out of its range.
    """

    implementation: ClassVar[str] = "bcl_edu.methods.drolt:DistributionallyRobust"

    temperature: float = 1.0
    """Temperature T of the distances."""
    radius: float = 1.0
    """Radius ε of each class's ball of centroids at the start; it is learnt."""
    radius_factor: float = 1.0
    """How many radii a sample is taken away from its class's centroid; 1 in the authors' code."""
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
        for name in ("temperature", "feature_learning_rate", "classifier_learning_rate"):
            require(getattr(self, name) > 0, name, getattr(self, name), "above 0")
        require(self.radius_factor >= 0, "radius_factor", self.radius_factor, "at least 0")
        for name in ("feature_epochs", "classifier_epochs", "balanced_batch_size", "images_per_class"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")

    @property
    def name(self) -> str:
        """The method's name."""
        return "dro-lt"

    @property
    def title(self) -> str:
        """What the method is."""
        return "DRO-LT: features robust to where class centroids are (Samuel and Chechik 2021)"

    def unused(self) -> frozenset[str]:
        """SimAugment makes the views of contrastive branches, which this method has not."""
        return frozenset({"crop_scale", "blur"})


METHODS = (DROLT(),)

_NOTE = (
    " Values of the authors' published code. The first stage is plain cross-entropy there too, said to be trained as "
    "LDAM-DRW is; an epoch of the later stages visits each class as often as the largest has images, so they take many "
    "more steps than the first. The authors go on from the epoch with the best accuracy on the test set, we from the "
    "last one."
)
_STATED = frozenset(
    {
        "dataset",
        "profile",
        "imbalance_factor",
        "head_count",
        "backbone",
        "method",
        "views",
        "epochs",
        "schedule_epochs",
        "batch_size",
        "learning_rate",
        "schedule",
        "rate_per_epoch",
        "warmup_epochs",
        "milestones",
        "decay",
        "momentum",
        "weight_decay",
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
