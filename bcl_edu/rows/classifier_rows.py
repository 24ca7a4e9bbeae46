"""Methods that train a classifier on one view, without a contrastive branch: cross-entropy and its relatives.

Cross-entropy, focal and class-balanced focal loss are other papers' methods. Their rows here are trained as
the paper trains BCL: the same views, epochs and weight λ, another loss.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal

import tyro

from bcl_edu.recipe import ONE_VIEW, MethodOptions, at_least, require
from bcl_edu.rows.bcl_rows import OF_THE_CODE, benchmark, stated_of
from bcl_edu.rows.headings import heading, row_name
from bcl_edu.rows.paper import Printed, printed_figures
from bcl_edu.rows.row import Row

LossName = Literal["ce", "lc", "focal", "cb-focal"]

TITLES: dict[LossName, str] = {
    "ce": "cross-entropy",
    "lc": "logit compensation, also called Balanced Softmax (Table 2)",
    "focal": "focal loss (Lin et al. 2017)",
    "cb-focal": "class-balanced focal loss (Cui et al. 2019)",
}


@dataclass(frozen=True, kw_only=True)
class Classifier(MethodOptions):
    """Options of a classifier on one view.

    Raises:
        ValueError: a value is out of its range.
    """

    implementation: ClassVar[str] = "bcl_edu.methods.classifier:ClassifierOnly"
    idle = ONE_VIEW

    loss: tyro.conf.Suppress[LossName] = field(default="ce", metadata={"kept": False})
    """Name of the loss; chosen by --method."""
    lambda_: Annotated[float, tyro.conf.arg(name="lambda")] = 2.0
    """Weight λ of the classification loss (Eq. 11)."""
    classifier: Literal["linear", "cosine"] = "linear"
    """Last layer. The paper does not say which one for CIFAR; 'cosine' has scale 30."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        require(self.loss in TITLES, "loss", self.loss, f"one of {', '.join(TITLES)}")
        at_least(0, self, "lambda_")

    @property
    def name(self) -> str:
        """The loss's name."""
        return self.loss

    @property
    def title(self) -> str:
        """The loss in words."""
        return TITLES[self.loss]


@dataclass(frozen=True, kw_only=True)
class Focal(Classifier):
    """Options of focal loss."""

    loss: tyro.conf.Suppress[LossName] = field(default="focal", metadata={"kept": False})
    focal_gamma: float = 2.0
    """Exponent γ; 2 as in Lin et al. (2017)."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        super().__post_init__()
        at_least(0, self, "focal_gamma")


@dataclass(frozen=True, kw_only=True)
class ClassBalancedFocal(Focal):
    """Options of class-balanced focal loss."""

    loss: tyro.conf.Suppress[LossName] = field(default="cb-focal", metadata={"kept": False})
    class_balanced_beta: float = 0.9999
    """β of the effective numbers; one of the values of Cui et al. (2019)."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        super().__post_init__()
        beta = self.class_balanced_beta
        require(0 <= beta < 1, "class_balanced_beta", beta, "at least 0 and below 1")


METHODS = (Classifier(loss="ce"), Classifier(loss="lc"), Focal(), ClassBalancedFocal())

_BORROWED = (
    " The method is another paper's; here it is trained as the paper trains BCL: the loss alone differs."
)
_COMPARED = {
    "ce": "cross-entropy",
    "focal": "focal loss",
    "cb-focal": "class-balanced focal loss",
    "lc": "logit-compensated cross-entropy (Balanced Softmax)",
    "scl": "LC + SCL, two branches",
}


def _beside_bcl() -> list[Row]:
    """Beside each printed figure of BCL: the baselines trained like it, whose figures the paper does not print."""
    rows = []
    for printed in printed_figures():
        if printed.table < 3 or printed.method != "BCL" or printed.epochs in (180, 400):
            continue
        rows += [_row(printed, method, title) for method, title in _COMPARED.items()]
    return rows


def _row(printed: Printed, method: str, title: str) -> Row:
    recipe = benchmark(printed).change(method=method)
    borrowed = method in ("ce", "focal", "cb-focal")
    of_the_code = "" if recipe.dataset.startswith("cifar") else OF_THE_CODE
    return Row(
        table=heading(printed),
        method=title,
        recipe=replace(recipe, name=row_name(printed, method)),
        paper=None,
        stated=stated_of(recipe) - ({"lambda_"} if borrowed else set()),
        note=of_the_code + (_BORROWED if borrowed else ""),
        of_the_paper=True,
    )


def rows() -> list[Row]:
    """The rows that this file adds."""
    return _beside_bcl()
