"""SSP: options and rows. A pretext task without labels, then LDAM-DRW on CIFAR, cross-entropy and cRT on photographs.

Source: Yang and Xu (NeurIPS 2020) and https://github.com/YyzHarry/imbalanced-semi-self.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

from bcl_edu.recipe import ONE_VIEW, above, at_least, require
from bcl_edu.rows.decoupling_rows import SECOND_STAGE, Decoupled, stage_one
from bcl_edu.rows.ldam_rows import STATED_OF_CIFAR, DeferredLDAM, recipe_of_cifar
from bcl_edu.rows.paper import Printed
from bcl_edu.rows.row import BENCHMARK, Row


@dataclass(frozen=True, kw_only=True)
class SSP(DeferredLDAM):
    """Options of LDAM-DRW after self-supervised pre-training on quarter turns."""

    implementation = "bcl_edu.methods.ssp:RotationThenMargins"
    name = "ssp"
    title = "SSP: quarter turns of images are learned first, then LDAM-DRW (Yang and Xu 2020)"

    pretext_epochs: int | None = None
    """Epochs of the pretext task, which has the recipe's batches and schedule; by default as many as follow it."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        super().__post_init__()
        require(
            self.pretext_epochs is None or self.pretext_epochs >= 1,
            "pretext_epochs",
            self.pretext_epochs,
            "at least 1",
        )

    def unused_after_start(self) -> frozenset[str]:
        """On a finished run, whose backbone takes the place of the pretext task's."""
        return frozenset({"pretext_epochs"})


@dataclass(frozen=True, kw_only=True)
class ContrastThenRetraining(Decoupled):
    """Options of cross-entropy and cRT after self-supervised pre-training by MoCo v2.

    Raises:
        ValueError: a value is out of its range.
    """

    implementation = "bcl_edu.methods.ssp:MomentumContrastThenRetraining"
    name = "ssp-crt"
    title = "SSP: MoCo v2, then cross-entropy and a new classifier, cRT (Yang and Xu 2020)"

    pretext_epochs: int | None = 200
    """Epochs of the pretext task; None for as many as the recipe has."""
    pretext_batch_size: int = 128
    """Images of a batch of the pretext task."""
    pretext_learning_rate: float = 0.015
    """Learning rate of the pretext task, from which half a cosine falls to zero, epoch by epoch."""
    pretext_weight_decay: float = 1e-4
    """Weight decay of the pretext task."""
    pretext_views: Literal["moco", "recipe"] = "moco"
    """Views of the pretext task: MoCo v2's (SimAugment with crops from 0.2 on), or v2 and v3 of --views."""
    temperature: float = 0.2
    """Temperature tau of the pretext task."""
    queue_size: int = 65536
    """Keys in the queue, a multiple of the pretext task's batch size."""
    key_momentum: float = 0.999
    """Momentum of the key encoder."""
    head_hidden: int = 2048
    """Width of the head's hidden layer."""
    head_dim: int = 128
    """Dimension D of the embeddings."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        super().__post_init__()
        at_least(1, self, "pretext_epochs")
        above(0, self, "temperature", "pretext_learning_rate")
        at_least(0, self, "pretext_weight_decay")
        require(0 <= self.key_momentum <= 1, "key_momentum", self.key_momentum, "from 0 to 1")
        at_least(1, self, "pretext_batch_size", "queue_size", "head_hidden", "head_dim")

    def unused(self) -> frozenset[str]:
        """No branch but the pretext task's has views of its own."""
        return frozenset() if self.pretext_views == "recipe" else super().unused()

    def unused_after_start(self) -> frozenset[str]:
        """On a finished run, whose backbone takes the place of the pretext task's."""
        of_pretext = {one.name for one in fields(self) if one.name.startswith("pretext_")}
        return (
            ONE_VIEW | of_pretext | {"temperature", "queue_size", "key_momentum", "head_hidden", "head_dim"}
        )


METHODS = (SSP(), ContrastThenRetraining())

_OF_CIFAR = (
    " The values are those of Yang and Xu's code, whose second stage is LDAM-DRW as in Cao et al.'s. The table's "
    "200 epochs come after 200 of the pretext task. A user's two runs at imbalance factor 100 were better without "
    "it."
)
_OF_PHOTOGRAPHS = (
    " The values are those of Yang and Xu's code: 200 epochs of MoCo v2, then cross-entropy, then cRT, so the "
    "table's 'up to 100' epochs do not hold for it. Their cosine is one epoch ahead of ours, its last epoch at "
    "rate 0; the views of the later stages are our choice."
)
_STATED_OF_PHOTOGRAPHS = (
    BENCHMARK
    | SECOND_STAGE
    | {
        "batch_size",
        "learning_rate",
        "schedule",
        "rate_per_epoch",
        "momentum",
        "weight_decay",
        "pretext_epochs",
        "pretext_batch_size",
        "pretext_learning_rate",
        "pretext_weight_decay",
        "pretext_views",
        "temperature",
        "queue_size",
        "key_momentum",
        "head_hidden",
        "head_dim",
    }
)


def _ssp(printed: Printed) -> Row:
    if printed.imbalance_factor is not None:
        recipe = replace(recipe_of_cifar(printed), method=SSP())
        stated = STATED_OF_CIFAR | {
            "largest_margin",
            "scale",
            "class_weights",
            "weights_beta",
            "weights_from",
            "pretext_epochs",
        }
        return Row("", "SSP", recipe, None, stated, _OF_CIFAR)
    inaturalist = printed.data_set.startswith("iNat")
    options = ContrastThenRetraining(second_epochs=30 if inaturalist else 10, second_batch_size=512)
    recipe = replace(stage_one(printed, options), batch_size=100 if inaturalist else 128)
    return Row("", "SSP", recipe, None, _STATED_OF_PHOTOGRAPHS, _OF_PHOTOGRAPHS)


PRINTED = {"SSP": _ssp}
