"""LADE and Balanced Softmax: options and rows.

Source: Hong et al. (CVPR 2021) and https://github.com/hyperconnect/LADE; Ren et al. (NeurIPS 2020).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from bcl_edu.recipe import ONE_VIEW, MethodOptions, Recipe, at_least
from bcl_edu.rows.bcl_rows import benchmark
from bcl_edu.rows.decoupling_rows import STATED_OF_PHOTOGRAPHS
from bcl_edu.rows.paper import Printed
from bcl_edu.rows.row import Row


@dataclass(frozen=True, kw_only=True)
class BalancedSoftmax(MethodOptions):
    """Options of Balanced Softmax as a method of its own: the loss of `lc`, with weight 1."""

    implementation = "bcl_edu.methods.lade:DisentangledLabels"
    name = "balanced-softmax"
    title = "logits compensated by the prior, the loss lc with weight 1 (Ren et al. 2020)"
    idle = ONE_VIEW

    classifier: Literal["linear", "cosine"] = "linear"
    """Last layer; 'cosine' has scale 30."""


@dataclass(frozen=True, kw_only=True)
class LADE(BalancedSoftmax):
    """Options of LADE: Balanced Softmax and a regulariser of each logit."""

    name = "lade"
    title = "Balanced Softmax and logits that estimate density ratios (Hong et al. 2021)"

    alpha: float = field(default=0.1, metadata={"kept": False})
    """Weight of the regulariser."""
    strength: float = 0.01
    """Weight lambda of the square within the regulariser."""
    importance: Literal["logit", "sample"] = "logit"
    """The class whose share weighs in the regulariser: the logit's, as in the authors' code, or the sample's, as in
    their paper."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        at_least(0, self, "alpha", "strength")


METHODS = (BalancedSoftmax(), LADE())


def _on_photographs(printed: Printed, method: MethodOptions) -> Recipe:
    """Hong et al.'s recipe for ImageNet-LT; views without RandAugment and the batch size of 256 are our choice."""
    return replace(
        benchmark(printed),
        method=method,
        views="resized-jitter",
        learning_rate=0.05,
        rate_per_epoch=True,
        weight_decay=5e-4,
    )


_STATED = (STATED_OF_PHOTOGRAPHS | {"classifier"}) - {
    "views",
    "batch_size",
    "rate_per_epoch",
    "warmup_epochs",
}


def _lade(printed: Printed) -> Row:
    recipe = _on_photographs(printed, LADE(classifier="cosine", alpha=0.05, strength=0.5))
    note = (
        " The values are those of Hong et al. and their code, which published figures for 90 and 180 epochs."
    )
    return Row("", "LADE", recipe, None, _STATED | {"alpha", "strength", "importance"}, note)


def _balanced_softmax(printed: Printed) -> Row:
    own = frozenset({"dataset", "profile", "backbone", "method", "epochs", "schedule_epochs", "views"})
    if printed.imbalance_factor is not None:
        note = (
            " The figure is from PaCo's paper. It equals that of BALMS, in its own paper, with a longer schedule, and "
            "that of LC in Table 2. Training is as for BCL, with weight 1."
        )
        return _row(replace(benchmark(printed), method=BalancedSoftmax()), own | {"imbalance_factor"}, note)
    if printed.epochs == 180:
        note = " Reproduced by BCL's authors with RandAugment. Training is as for BCL, with weight 1."
        recipe = replace(benchmark(printed), method=BalancedSoftmax(classifier="cosine"))
        return _row(recipe, own, note)
    note = (
        " The values are those of LADE's paper, in which the figure stands; BCL's paper marks it as reproduced with "
        "RandAugment, but it equals that one, made without."
    )
    return _row(_on_photographs(printed, BalancedSoftmax(classifier="cosine")), _STATED, note)


def _row(recipe: Recipe, stated: frozenset[str], note: str) -> Row:
    return Row("", "Balanced Softmax", recipe, None, stated, note)


PRINTED = {"LADE": _lade, "Balanced Softmax": _balanced_softmax}
