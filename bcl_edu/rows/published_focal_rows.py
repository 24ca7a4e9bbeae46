"""Focal and class-balanced focal loss in their published forms: options and rows.

Source: Cui et al. (CVPR 2019) and https://github.com/richardaecn/class-balanced-loss; Tang et al. (NeurIPS
2020) and https://github.com/KaihuaTang/Long-Tailed-Recognition.pytorch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bcl_edu.recipe import ONE_VIEW, MethodOptions, at_least, require
from bcl_edu.rows.bcl_rows import benchmark
from bcl_edu.rows.decoupling_rows import STATED_OF_PHOTOGRAPHS, stage_one
from bcl_edu.rows.ldam_rows import OF_CIFAR, STATED_OF_CIFAR
from bcl_edu.rows.paper import Printed
from bcl_edu.rows.row import Row


@dataclass(frozen=True, kw_only=True)
class PublishedFocal(MethodOptions):
    """Options of focal loss with a sigmoid for each class."""

    implementation = "bcl_edu.methods.published_focal:PublishedFocalLoss"
    name = "focal-sigmoid"
    title = "focal loss with a sigmoid for each class, as in Cui et al.'s code"
    idle = ONE_VIEW

    gamma: float = 1.0
    """Exponent of the factor that plays down easy answers."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        at_least(0, self, "gamma")


@dataclass(frozen=True, kw_only=True)
class ClassBalancedFocal(PublishedFocal):
    """Options of class-balanced focal loss with a sigmoid for each class."""

    name = "cb-focal-sigmoid"
    title = "class-balanced focal loss with a sigmoid for each class (Cui et al. 2019)"

    beta: float = 0.9999
    """Of the effective numbers."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        super().__post_init__()
        require(0 <= self.beta < 1, "beta", self.beta, "at least 0 and below 1")


@dataclass(frozen=True, kw_only=True)
class DetachedFocal(PublishedFocal):
    """Options of softmax focal loss whose factor has no gradient."""

    name = "focal-detached"
    title = "softmax focal loss without a gradient through its factor, as in Tang et al.'s code"

    gamma: float = field(default=2.0, metadata={"kept": False})


METHODS = (PublishedFocal(), ClassBalancedFocal(), DetachedFocal())

_NOTE = (
    " The values are those of Cui et al.'s code, whose pixels are x / 128 - 1 where ours are standardised. Gamma 1 "
    "and beta 0.9999 are those of its script for imbalance factor 50; the paper chose them for each figure."
)


def _of_cifar(printed: Printed, method: MethodOptions, title: str, note: str) -> Row:
    recipe = benchmark(printed).change(method=method, **OF_CIFAR | {"rate_per_epoch": False})
    return Row("", title, recipe, None, STATED_OF_CIFAR, note)


def _focal(printed: Printed) -> Row:
    if printed.imbalance_factor is not None:
        return _of_cifar(printed, PublishedFocal(), "focal loss, sigmoids", _NOTE)
    note = (
        " The values are those of Tang et al.'s code. BCL's paper marks the figure as reproduced with RandAugment; it "
        "equals the figure in Tang et al.'s paper, whose code has none."
    )
    recipe = stage_one(printed, DetachedFocal())
    return Row("", "focal loss, detached", recipe, None, STATED_OF_PHOTOGRAPHS | {"gamma"}, note)


def _class_balanced_focal(printed: Printed) -> Row:
    return _of_cifar(printed, ClassBalancedFocal(), "CB-focal, sigmoids", _NOTE)


PRINTED = {"Focal loss": _focal, "CB-Focal": _class_balanced_focal}
