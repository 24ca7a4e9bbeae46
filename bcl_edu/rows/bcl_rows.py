"""Balanced contrastive learning and its ablations: options, the paper's recipes, and the rows of Tables 1 to 6.

Source: Zhu et al., CVPR 2022 (arXiv 2207.09052), section 4. What the paper leaves open for photographs is as
in the authors' main.py and models/resnext.py, https://github.com/FlamieZhu/Balanced-Contrastive-Learning:
temperature, hidden width, crops, no blur, no warm-up. For CIFAR they published no code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal

import tyro

from bcl_edu.recipe import MethodOptions, Recipe, above, at_least, require
from bcl_edu.rows.headings import BACKBONES, DATA_SETS, heading, row_name
from bcl_edu.rows.paper import PaperFigure, Printed, printed_figures
from bcl_edu.rows.row import BENCHMARK, TRAINING, Row

ContrastiveName = Literal[
    "scl", "scl-complement", "scl-averaging", "bcl", "bcl-inside", "bcl-prototypes", "bcl-class-anchors"
]

TITLES: dict[ContrastiveName, str] = {
    "scl": "LC + supervised contrastive (Table 2)",
    "scl-complement": "LC + SC + class-complement (Table 2)",
    "scl-averaging": "LC + SC + class-averaging (Table 2)",
    "bcl": "BCL, Eq. 9 (Table 2; L1 of Table 1)",
    "bcl-inside": "L2 of Table 1, averaged inside exp",
    "bcl-prototypes": "L3 of Table 1, softmax over prototypes",
    "bcl-class-anchors": "BCL with anchors averaged per class (ours: Theorem 3 needs it)",
}

TWO_BY_TWO: dict[tuple[bool, bool], tuple[str, str]] = {
    (True, False): ("bcl-in-log", "BCL, the mean over positives inside the logarithm (not in the paper)"),
    (False, True): ("bcl-prior", "BCL, classes weighted by the training prior (not in the paper)"),
    (True, True): ("bcl-in-log-prior", "BCL with both, the form of GML's loss (not in the paper)"),
}
"""BCL by (positives inside the logarithm, training prior), but for (False, False), which is BCL: name and title.

Source of the other three: Khosla et al. (NeurIPS 2020) for the mean inside, Suh and Seo (ICML 2023) for the prior."""


@dataclass(frozen=True, kw_only=True)
class BCL(MethodOptions):
    """Options of the two-branch network: logit compensation and a contrastive loss (Eq. 11).

    Raises:
        ValueError: a value is out of its range.
    """

    implementation: ClassVar[str] = "bcl_edu.methods.bcl:BalancedContrastive"

    contrastive: tyro.conf.Suppress[ContrastiveName] = field(default="bcl", metadata={"kept": False})
    """Name of the contrastive loss; chosen by --method."""
    positives_inside_log: bool = field(default=False, metadata={"kept": False})
    """Take the mean over an anchor's positives inside the logarithm, where the paper has it outside."""
    training_prior: bool = field(default=False, metadata={"kept": False})
    """Multiply each class's term of the denominator by its share of the training set, where the paper weighs classes
    alike; only with averaged denominators."""
    training_balanced_anchors: bool = False
    """Weigh anchors by the inverse of their class's size in the training set: what Theorem 3 needs, without the bias
    that averaging within a batch has."""
    lambda_: Annotated[float, tyro.conf.arg(name="lambda")] = 2.0
    """Weight λ of the classification loss (Eq. 11)."""
    mu: float = 0.6
    """Weight μ of the contrastive loss (Eq. 11)."""
    temperature: float = 0.1
    """Temperature τ of the contrastive loss."""
    classifier: Literal["linear", "cosine"] = "linear"
    """Last layer. The paper does not say which one for CIFAR; 'cosine' has scale 30."""
    head_hidden: int = 512
    """Width of the hidden layer of the projection and prototype heads."""
    head_dim: int = 128
    """Dimension D of the embeddings and the prototypes."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        require(self.contrastive in TITLES, "contrastive", self.contrastive, f"one of {', '.join(TITLES)}")
        averaged = self.contrastive not in ("scl", "scl-complement")
        require(
            averaged or not self.training_prior, "training_prior", True, "off without averaged denominators"
        )
        twice = self.contrastive == "bcl-class-anchors" and self.training_balanced_anchors
        require(not twice, "training_balanced_anchors", True, "off where anchors are averaged per class")
        at_least(0, self, "lambda_", "mu")
        above(0, self, "temperature")
        at_least(1, self, "head_hidden", "head_dim")

    @property
    def name(self) -> str:
        """The contrastive loss's name; BCL's two switches have names for their settings."""
        return self._two_by_two[0] or self.contrastive

    @property
    def title(self) -> str:
        """The loss in words, with its place in the paper."""
        return self._two_by_two[1] or TITLES[self.contrastive]

    @property
    def _two_by_two(self) -> tuple[str, str]:
        settings = (self.positives_inside_log, self.training_prior)
        return TWO_BY_TWO.get(settings, ("", "")) if self.contrastive == "bcl" else ("", "")


METHODS = (
    *(BCL(contrastive=name) for name in TITLES),
    *(BCL(positives_inside_log=inside, training_prior=prior) for inside, prior in TWO_BY_TWO),
)

# ---- the paper's recipes for its four data sets

CIFAR10 = Recipe(name="cifar10-lt", dataset="cifar10", head_count=5000, precision="auto", method=BCL())
CIFAR100 = Recipe(name="cifar100-lt", dataset="cifar100", head_count=500, precision="auto", method=BCL())

IMAGENET_LT = Recipe(
    name="imagenet-lt",
    dataset="imagenet-lt",
    profile="as-found",
    image_size=224,
    backbone="resnet50",
    method=BCL(lambda_=1.0, mu=0.35, temperature=0.07, classifier="cosine", head_hidden=2048, head_dim=1024),
    views="sim-sim",
    crop_scale=(0.08, 1.0),
    blur=False,
    epochs=90,
    schedule_epochs=90,
    learning_rate=0.1,
    schedule="cosine",
    warmup_epochs=0,
    weight_decay=5e-4,
    precision="auto",
)

INATURALIST = replace(
    IMAGENET_LT,
    name="inaturalist2018",
    dataset="inaturalist2018",
    epochs=100,
    schedule_epochs=100,
    learning_rate=0.2,
    weight_decay=1e-4,
)

BENCHMARKS = {recipe.dataset: recipe for recipe in (CIFAR10, CIFAR100, IMAGENET_LT, INATURALIST)}
"""The paper's recipe for BCL on each data set."""


def with_400_epochs(recipe: Recipe) -> Recipe:
    """The paper's recipe for 400 epochs, whose milestones are not those of 200 in proportion (320 and 360)."""
    return replace(recipe, epochs=400, schedule_epochs=400, warmup_epochs=10, milestones=(360, 380))


def benchmark(printed: Printed) -> Recipe:
    """The paper's recipe for BCL on the images, backbone and epochs of a printed line."""
    recipe = BENCHMARKS[DATA_SETS[printed.data_set]]
    if printed.imbalance_factor is not None:
        recipe = replace(recipe, imbalance_factor=float(printed.imbalance_factor))
        return with_400_epochs(recipe) if printed.epochs == 400 else recipe
    return replace(
        recipe,
        backbone=BACKBONES[printed.backbone],
        epochs=printed.epochs,
        schedule_epochs=printed.epochs,
    )


# ---- what the paper states: everywhere, of CIFAR alone, of photographs alone

_STATED = (
    BENCHMARK
    | TRAINING
    | {"head_dim", "positives_inside_log", "training_prior", "training_balanced_anchors", "lambda_", "mu"}
)
_STATED_OF_CIFAR = _STATED | {
    "imbalance_factor",
    "head_count",
    "head_hidden",
    "temperature",
    "warmup_epochs",
    "milestones",
    "decay",
}
_STATED_OF_PHOTOGRAPHS = _STATED | {"image_size", "classifier"}

OF_THE_CODE = (
    " Head hidden, temperature, crop scale, blur and warmup epochs are those of the authors' published code."
)


def stated_of(recipe: Recipe) -> frozenset[str]:
    """Names of the values that the paper states for its own method on this data set."""
    return _STATED_OF_CIFAR if recipe.dataset.startswith("cifar") else _STATED_OF_PHOTOGRAPHS


def row_of(
    table: str, method: str, recipe: Recipe, paper: PaperFigure | None, *, name: str | None = None
) -> Row:
    """A row that trains one of the paper's own losses."""
    note = "" if recipe.dataset.startswith("cifar") else OF_THE_CODE
    named = recipe if name is None else replace(recipe, name=name)
    return Row(table, method, named, paper, stated_of(recipe), note, of_the_paper=True)


# ---- Tables 1 and 2

_TABLE_1 = "Table 1, ways to average: CIFAR-100-LT, IF 100, 200 epochs"
_TABLE_2 = "Table 2, ablation: CIFAR-100-LT, IF 100, 400 epochs"
_ABLATIONS = {
    "BCL L1": ("table1-l1", "L1, outside the exponential (BCL)", "bcl"),
    "BCL L2": ("table1-l2", "L2, inside the exponential", "bcl-inside"),
    "BCL L3": ("table1-l3", "L3, softmax over the prototypes", "bcl-prototypes"),
    "LC": ("table2-lc", "LC alone", "lc"),
    "LC + SC": ("table2-scl", "LC + SC", "scl"),
    "LC + SC + class-complement": ("table2-scl-complement", "LC + SC + class-complement", "scl-complement"),
    "LC + SC + class-averaging": ("table2-scl-averaging", "LC + SC + class-averaging", "scl-averaging"),
    "LC + SC + both (BCL)": ("table2-bcl", "LC + SC + both (BCL)", "bcl"),
}
"""By the printed name: the row's name, what it is called here, and its method."""


def ablations() -> list[Row]:
    """The rows of Tables 1 and 2."""
    rows = []
    for printed in printed_figures():
        if printed.table <= 2:
            name, title, method = _ABLATIONS[printed.method]
            recipe = benchmark(printed).change(method=method)
            table = _TABLE_1 if printed.table == 1 else _TABLE_2
            rows.append(row_of(table, title, recipe, printed.figure, name=name))
    return rows


# ---- Tables 3 to 6


def _bcl(printed: Printed) -> Row:
    return row_of("", "BCL", benchmark(printed), printed.figure)


PRINTED: dict[str, Callable[[Printed], Row]] = {"BCL": _bcl}


def rows() -> list[Row]:
    """A row that the paper announces without a figure: ResNet-50 on ImageNet-LT for 180 epochs."""
    printed = Printed(6, "ImageNet-LT", None, "ResNet-50", 180, "BCL", PaperFigure(0.0), "")
    row = row_of(heading(printed), "BCL", benchmark(printed), None, name=row_name(printed, "bcl"))
    return [row]
