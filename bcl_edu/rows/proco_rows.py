"""ProCo: options and rows. No table of the paper has it: it came after BCL.

Source of the recipes: Du et al. (TPAMI 2024), their scripts, https://github.com/LeapLabTHU/ProCo.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from bcl_edu.recipe import MethodOptions, above, at_least, require
from bcl_edu.rows.bcl_rows import benchmark
from bcl_edu.rows.headings import heading, row_name
from bcl_edu.rows.paper import PaperFigure, Printed
from bcl_edu.rows.row import BENCHMARK, TRAINING, Row


@dataclass(frozen=True, kw_only=True)
class ProCo(MethodOptions):
    """Options of probabilistic contrastive learning.

    Raises:
        ValueError: a value is out of its range.
    """

    implementation = "bcl_edu.methods.proco:ProbabilisticContrastive"
    name = "proco"
    title = "ProCo: contrast with infinitely many samples of each class (Du et al. 2024)"

    alpha: float = 1.0
    """Weight α of the contrastive loss, where the classification loss has weight 1."""
    temperature: float = 0.1
    """Temperature τ of the contrastive loss."""
    concentration: Literal["code", "paper"] = "code"
    """Concentration κ from the length R of a class mean in p dimensions: p R / (1 - R²) as in the authors' code, or
    R (p - R²) / (1 - R²) as in their paper."""
    classifier: Literal["linear", "cosine"] = "linear"
    """Last layer; 'cosine' has scale 30."""
    head_hidden: int = 512
    """Width of the projection head's hidden layer."""
    head_dim: int = 128
    """Dimension p of the embeddings."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        at_least(0, self, "alpha")
        above(0, self, "temperature")
        require(self.concentration in ("code", "paper"), "concentration", self.concentration, "code or paper")
        at_least(1, self, "head_hidden")
        at_least(2, self, "head_dim")


METHODS = (ProCo(),)

_TRAINED = (
    *(("CIFAR-100-LT", factor, "ResNet-32", 200) for factor in (100, 50, 10)),
    ("CIFAR-100-LT", 100, "ResNet-32", 400),
    *(("CIFAR-10-LT", factor, "ResNet-32", 200) for factor in (100, 50, 10)),
    ("ImageNet-LT", None, "ResNet-50", 90),
    ("ImageNet-LT", None, "ResNet-50", 180),
    ("ImageNet-LT", None, "ResNeXt-50", 90),
    ("iNaturalist 2018", None, "ResNet-50", 90),
)
_FIGURES = {
    ("CIFAR-100-LT", 100, 200): 52.8,
    ("CIFAR-100-LT", 50, 200): 57.1,
    ("CIFAR-100-LT", 10, 200): 65.5,
    ("CIFAR-100-LT", 100, 400): 54.2,
    ("CIFAR-10-LT", 100, 200): 85.9,
    ("CIFAR-10-LT", 50, 200): 88.2,
    ("CIFAR-10-LT", 10, 200): 91.9,
}
_STATED = (
    BENCHMARK
    | TRAINING
    | {
        "crop_scale",
        "blur",
        "rate_per_epoch",
        "warmup_epochs",
        "drop_last",
        "alpha",
        "temperature",
        "concentration",
        "classifier",
        "head_hidden",
        "head_dim",
    }
)


def _row(data_set: str, factor: int | None, backbone: str, epochs: int) -> Row:
    printed = Printed(3, data_set, factor, backbone, epochs, "ProCo", PaperFigure(0.0), "")
    recipe = benchmark(printed)
    if factor is not None:
        recipe = replace(recipe, method=ProCo(), learning_rate=0.3, weight_decay=2e-4, rate_per_epoch=True)
    else:
        method = ProCo(temperature=0.07, classifier="cosine", head_hidden=2048, head_dim=1024)
        recipe = replace(recipe, method=method)
    name = row_name(printed, "proco")
    recipe = replace(recipe, name=name, crop_scale=(0.08, 1.0), blur=False, drop_last=True)
    figure = _FIGURES.get((data_set, factor or 0, epochs))
    reported = "" if figure is None else f" The authors report {figure} %, their best epoch on the test set."
    note = f" A successor of BCL, in no table of its paper; values of the authors' scripts.{reported}"
    return Row(heading(printed), "ProCo", recipe, None, _STATED, note)


def rows() -> list[Row]:
    """The authors' experiments."""
    return [_row(*trained) for trained in _TRAINED]
