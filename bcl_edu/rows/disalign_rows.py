"""DisAlign: options and rows.

Source: Zhang et al. (CVPR 2021) and https://github.com/Megvii-BaseDetection/DisAlign.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from bcl_edu.recipe import ONE_VIEW, at_least
from bcl_edu.rows.bcl_rows import benchmark
from bcl_edu.rows.decoupling_rows import STATED_OF_PHOTOGRAPHS
from bcl_edu.rows.paper import Printed
from bcl_edu.rows.row import Row
from bcl_edu.rows.second_stage_options import SecondStage


@dataclass(frozen=True, kw_only=True)
class DisAlign(SecondStage):
    """Options of scores that are calibrated after training."""

    implementation = "bcl_edu.methods.disalign:DistributionAlignment"
    name = "disalign"
    title = "cross-entropy, then scores calibrated by class and image (Zhang et al. 2021)"
    idle = ONE_VIEW

    second_learning_rate: float = field(default=0.1, metadata={"kept": False})
    """Learning rate at the start of the second stage, from which half a cosine falls to zero, epoch by epoch."""
    second_sampler: Literal["class-aware", "class-balanced", "shuffled"] = field(
        default="shuffled", metadata={"kept": False}
    )
    """Sampler of the second stage: classes in turn with a few images each, classes with equal probability, or every
    image once."""
    classifier: Literal["linear", "cosine"] = "linear"
    """Last layer of the first stage; the scale of 'cosine' is learned, from 20 on."""
    rho: float = 1.2
    """Exponent of the inverse frequencies that weigh classes: 1.2 with a linear, 1.5 with a cosine classifier."""
    form: Literal["code", "equation-5"] = "code"
    """From where magnitudes are measured: (1 + confidence magnitude) z, as in the authors' code and Eq. 6, or
    (1 - confidence + confidence magnitude) z, as in Eq. 5. Both start at 1."""
    weighted_mean: bool = True
    """Divide by the sum of the batch's weights, as the authors' code does; the paper divides by its samples."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        super().__post_init__()
        at_least(0, self, "rho")

    def unused(self) -> frozenset[str]:
        """Only one sampler takes several images of a class."""
        return self.idle | (frozenset() if self.second_sampler == "class-aware" else {"images_per_class"})


METHODS = (DisAlign(),)


def _disalign(printed: Printed) -> Row:
    inaturalist = printed.data_set.startswith("iNat")
    recipe = replace(
        benchmark(printed),
        method=DisAlign(second_epochs=30 if inaturalist else 10, classifier="cosine", rho=1.5),
        views="resized" if inaturalist else "resized-jitter",
        epochs=90,
        schedule_epochs=90,
        batch_size=256,
        learning_rate=0.1,
        weight_decay=5e-4,
    )
    stated = (STATED_OF_PHOTOGRAPHS - {"views", "rate_per_epoch", "warmup_epochs"}) | {
        "second_epochs",
        "second_learning_rate",
        "second_sampler",
        "frozen_batch_norm",
        "classifier",
        "rho",
        "form",
        "weighted_mean",
    }
    note = (
        " The values are those of Zhang et al. and their code; the figure is that of their cosine classifier, whose "
        "learned scale, and the mode of the frozen batch normalisation, are in the code only."
    )
    return Row("", "DisAlign", recipe, None, stated, note)


PRINTED = {"DisAlign": _disalign}
