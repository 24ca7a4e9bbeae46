"""Recipes by name: a few to begin with, and one for each row of the paper's tables that trains with what is here.

A row's recipe is named after it, so that a row is one command: ``python -m bcl_edu.train table2-bcl``. Beside it stand
the paper's figure, where we know it, and which of its values the paper states (`Row.stated`); the rest is our choice
where the paper is silent, each a named switch of the command.

Cross-entropy, focal and class-balanced focal loss are other papers' methods. Their rows are trained here like all
others: the same views, epochs and weight λ, another loss.

Source of the figures: Zhu et al., CVPR 2022 (arXiv 2207.09052).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bcl_edu.data import PHOTOGRAPH_SETS
from bcl_edu.methods import OBJECTIVES, LossName
from bcl_edu.recipe import Recipe, recipe_as_dict


@dataclass(frozen=True)
class PaperFigure:
    """Top-1 accuracy in percent as the paper prints it; None where it prints none, or we do not know it."""

    top1: float
    many: float | None = None
    medium: float | None = None
    few: float | None = None

    def __str__(self) -> str:
        groups = [self.many, self.medium, self.few]
        parts = " / ".join("n/a" if part is None else f"{part:.1f}" for part in groups)
        # with the paper's own decimals, one or two
        top1 = f"{self.top1:.2f}".removesuffix("0")
        return top1 if groups == [None] * 3 else f"{top1} ({parts})"


@dataclass(frozen=True)
class Row:
    """One row of a table: its recipe, and what the paper says of it.

    Attributes:
        table: heading under which the row stands.
        method: what the row is called in the table.
        recipe: trains it.
        paper: the paper's figure; None where we know of none.
        stated: the recipe's fields whose values the paper states.
        note: where the other values come from, if not from the recipe's own help.
    """

    table: str
    method: str
    recipe: Recipe
    paper: PaperFigure | None
    stated: frozenset[str]
    note: str = ""

    @property
    def title(self) -> str:
        """One line: the table, the method, the paper's figure."""
        figure = "" if self.paper is None else f"; the paper: {self.paper} %"
        return f"{self.table}: {self.method}{figure}"


# What no comparison is about: the label of a run, and the randomness that is averaged over.
NOT_COMPARED = frozenset({"name", "seed"})


def idle_fields(recipe: Recipe) -> frozenset[str]:
    """Fields that do not change what this recipe computes, as `mu` where there is no contrastive loss."""
    objective = OBJECTIVES[recipe.loss]
    idle: set[str] = set()
    if objective.contrastive is None:
        idle |= {"mu", "temperature", "head_hidden", "head_dim", "crop_scale", "blur", "contrast"}
    if recipe.accumulate == 1:
        idle.add("contrast")
    if objective.classification not in ("focal", "class-balanced-focal"):
        idle.add("focal_gamma")
    if objective.classification != "class-balanced-focal":
        idle.add("class_balanced_beta")
    if recipe.schedule == "cosine":
        idle |= {"milestones", "decay"}
    if recipe.profile == "as-found":
        idle |= {"imbalance_factor", "head_count", "subset_seed"}
    if recipe.dataset not in PHOTOGRAPH_SETS:
        idle.add("unreadable_images")
        if recipe.image_size is None:
            idle.add("image_size")
    return frozenset(idle)


def provenance(row: Row) -> str:
    """Which of a row's values the paper states, and which are our choice, as two paragraphs."""
    values = recipe_as_dict(row.recipe)
    active = [name for name in values if name not in NOT_COMPARED | idle_fields(row.recipe)]

    def listed(names: list[str]) -> str:
        return ", ".join(f"{name.strip('_').replace('_', ' ')} {_plain(values[name])}" for name in names)

    stated = listed([name for name in active if name in row.stated])
    ours = listed([name for name in active if name not in row.stated])
    return f"The paper states: {stated}.\n\nOur choice, the paper being silent: {ours}.{row.note}"


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return " and ".join(_plain(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def description(name: str) -> str:
    """What a recipe trains; of a table's row also which values the paper states."""
    title, _ = RECIPES[name]
    row = ROWS.get(_SHORT_NAMES.get(name, name))
    return title if row is None else f"{title}\n\n{provenance(row)}"


# ---- to begin with

_CIFAR10 = Recipe(name="cifar10-lt", dataset="cifar10", head_count=5000, precision="bfloat16")
_CIFAR100 = Recipe(name="cifar100-lt", dataset="cifar100", head_count=500, precision="bfloat16")

# What the paper leaves open here is as in the authors' main.py and models/resnext.py,
# https://github.com/FlamieZhu/Balanced-Contrastive-Learning: temperature, hidden width, crops, no blur, no warm-up.
_IMAGENET_LT = Recipe(
    name="imagenet-lt",
    dataset="imagenet-lt",
    profile="as-found",
    image_size=224,
    backbone="resnet50",
    classifier="cosine",
    head_hidden=2048,
    head_dim=1024,
    lambda_=1.0,
    mu=0.35,
    temperature=0.07,
    views="sim-sim",
    crop_scale=(0.08, 1.0),
    blur=False,
    epochs=90,
    schedule_epochs=90,
    learning_rate=0.1,
    schedule="cosine",
    warmup_epochs=0,
    weight_decay=5e-4,
    precision="bfloat16",
)

_INATURALIST = replace(
    _IMAGENET_LT,
    name="inaturalist2018",
    dataset="inaturalist2018",
    epochs=100,
    schedule_epochs=100,
    learning_rate=0.2,
    weight_decay=1e-4,
)

_STARTERS: dict[str, tuple[str, Recipe]] = {
    "digits-lt": (
        "scikit-learn's 8x8 digits, nothing to download: the whole method in under a minute",
        Recipe(
            name="digits-lt",
            dataset="digits",
            imbalance_factor=50.0,
            backbone="digits_net",
            views="digits",
            batch_size=64,
            head_hidden=64,
            head_dim=32,
            epochs=30,
            schedule_epochs=30,
            warmup_epochs=3,
            milestones=(24, 27),
            learning_rate=0.1,
        ),
    ),
    "fashion-mnist-lt": (
        "Fashion-MNIST, 28x28 grey",
        Recipe(
            name="fashion-mnist-lt",
            dataset="fashion-mnist",
            head_count=6000,
            views="grey",
            precision="bfloat16",
            epochs=30,
            schedule_epochs=30,
            milestones=(24, 27),
        ),
    ),
    "cifar10-lt": ("CIFAR-10-LT, the paper's 200 epochs: cifar10-lt-if100-bcl by a short name", _CIFAR10),
    "cifar100-lt": ("CIFAR-100-LT, the paper's 200 epochs: cifar100-lt-if100-bcl by a short name", _CIFAR100),
    "imagenet-lt": (
        "ImageNet-LT, the paper's 90 epochs: imagenet-lt-resnet50-bcl by a short name",
        _IMAGENET_LT,
    ),
    "inaturalist2018": (
        "iNaturalist 2018, the paper's 100 epochs: inaturalist2018-resnet50-bcl by a short name",
        _INATURALIST,
    ),
}
_SHORT_NAMES = {
    "cifar10-lt": "cifar10-lt-if100-bcl",
    "cifar100-lt": "cifar100-lt-if100-bcl",
    "imagenet-lt": "imagenet-lt-resnet50-bcl",
    "inaturalist2018": "inaturalist2018-resnet50-bcl",
}

# ---- the tables

# What the paper states everywhere, of CIFAR alone, and of the large data sets alone.
_STATED = frozenset(
    {
        "dataset",
        "profile",
        "backbone",
        "head_dim",
        "loss",
        "lambda_",
        "mu",
        "views",
        "epochs",
        "schedule_epochs",
        "batch_size",
        "contrast",  # of parts alone is contrast in a smaller batch than the paper's
        "learning_rate",
        "schedule",
        "momentum",
        "weight_decay",
    }
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

# The paper's names for the losses that are rows of the comparisons, in their order.
_COMPARED: dict[LossName, str] = {
    "ce": "cross-entropy",
    "focal": "focal loss",
    "cb-focal": "class-balanced focal loss",
    "lc": "logit-compensated cross-entropy (Balanced Softmax)",
    "scl": "LC + SCL, two branches",
    "bcl": "BCL",
}
_BORROWED = (
    " The method is another paper's; here it is trained as the paper trains BCL: the loss alone differs."
)

_OF_THE_CODE = (
    " Head hidden, temperature, crop scale, blur and warmup epochs are those of the authors' published code."
)


def _400_epochs(recipe: Recipe) -> Recipe:
    # not the 200-epoch milestones in proportion: those would be 320 and 360
    return replace(recipe, epochs=400, schedule_epochs=400, warmup_epochs=10, milestones=(360, 380))


def _row(
    table: str, method: str, name: str, recipe: Recipe, loss: LossName, paper: PaperFigure | None
) -> Row:
    photographs = recipe.dataset in PHOTOGRAPH_SETS
    stated = _STATED_OF_PHOTOGRAPHS if photographs else _STATED_OF_CIFAR
    borrowed = loss in ("ce", "focal", "cb-focal")
    return Row(
        table=table,
        method=method,
        recipe=replace(recipe, name=name, loss=loss),
        paper=paper,
        stated=stated - {"lambda_"} if borrowed else stated,
        note=(_OF_THE_CODE if photographs else "") + (_BORROWED if borrowed else ""),
    )


def _table_1() -> Iterator[Row]:
    table = "Table 1, ways to average: CIFAR-100-LT, IF 100, 200 epochs"
    versions: list[tuple[str, str, LossName, float]] = [
        ("l1", "L1, outside the exponential (BCL)", "bcl", 51.9),
        ("l2", "L2, inside the exponential", "bcl-inside", 50.2),
        ("l3", "L3, softmax over the prototypes", "bcl-prototypes", 51.0),
    ]
    for word, method, loss, top1 in versions:
        yield _row(table, method, f"table1-{word}", _CIFAR100, loss, PaperFigure(top1))


def _table_2() -> Iterator[Row]:
    table = "Table 2, ablation: CIFAR-100-LT, IF 100, 400 epochs"
    parts: list[tuple[LossName, str, PaperFigure]] = [
        ("lc", "LC alone", PaperFigure(50.8)),
        ("scl", "LC + SC", PaperFigure(52.4)),
        ("scl-complement", "LC + SC + class-complement", PaperFigure(52.3)),
        ("scl-averaging", "LC + SC + class-averaging", PaperFigure(52.0)),
        ("bcl", "LC + SC + both (BCL)", PaperFigure(53.9)),
    ]
    for loss, method, paper in parts:
        yield _row(table, method, f"table2-{loss}", _400_epochs(_CIFAR100), loss, paper)


_CIFAR_FIGURES: dict[tuple[str, int], float] = {
    ("cifar100", 100): 51.93,
    ("cifar100", 50): 56.59,
    ("cifar100", 10): 64.87,
    ("cifar10", 100): 84.32,
    ("cifar10", 50): 87.24,
    ("cifar10", 10): 91.12,
}
"""BCL after 200 epochs, by data set and imbalance factor."""


def _cifar_comparisons() -> Iterator[Row]:
    for (dataset, factor), top1 in _CIFAR_FIGURES.items():
        long_tailed = f"{dataset}-lt-if{factor}"
        base = replace(_CIFAR10 if dataset == "cifar10" else _CIFAR100, imbalance_factor=float(factor))
        table = f"Tables 3 to 6, comparison: {dataset.upper().replace('CIFAR', 'CIFAR-')}-LT, IF {factor}, 200 epochs"
        for loss, method in _COMPARED.items():
            paper = PaperFigure(top1) if loss == "bcl" else None
            yield _row(table, method, f"{long_tailed}-{loss}", base, loss, paper)
        if (dataset, factor) == ("cifar100", 100):
            table = table.replace("200", "400")
            name, paper = f"{long_tailed}-400-epochs-bcl", PaperFigure(53.9, 69.7, 53.8, 35.5)
            yield _row(table, "BCL", name, _400_epochs(base), "bcl", paper)


def _photograph_comparisons() -> Iterator[Row]:
    backbones = {"resnet50": "ResNet-50", "resnext50": "ResNeXt-50"}
    benchmarks: list[tuple[Recipe, str, str, int, float | None]] = [
        (_IMAGENET_LT, "ImageNet-LT", "resnet50", 90, 56.0),
        (_IMAGENET_LT, "ImageNet-LT", "resnext50", 90, 56.7),
        (_IMAGENET_LT, "ImageNet-LT", "resnet50", 180, None),
        (_IMAGENET_LT, "ImageNet-LT", "resnext50", 180, 57.1),
        (_INATURALIST, "iNaturalist 2018", "resnet50", 100, 71.8),
    ]
    for recipe, title, backbone, epochs, top1 in benchmarks:
        longer = epochs == 180
        base = replace(recipe, backbone=backbone, epochs=epochs, schedule_epochs=epochs)
        table = f"Tables 3 to 6, comparison: {title}, {backbones[backbone]}, {epochs} epochs"
        name = f"{recipe.name}-{backbone}{'-180-epochs' if longer else ''}"
        for loss, method in _COMPARED.items():
            if loss == "bcl":
                paper = None if top1 is None else PaperFigure(top1)
                yield _row(table, method, f"{name}-{loss}", base, loss, paper)
            elif not longer:
                yield _row(table, method, f"{name}-{loss}", base, loss, None)


ROWS: dict[str, Row] = {
    row.recipe.name: row
    for row in [*_table_1(), *_table_2(), *_cifar_comparisons(), *_photograph_comparisons()]
}
"""The rows of the tables by the name of their recipe, in the tables' order."""

RECIPES: dict[str, tuple[str, Recipe]] = _STARTERS | {
    name: (row.title, row.recipe) for name, row in ROWS.items()
}
"""Recipes by name, each with one line of description."""


def list_recipes() -> str:
    """The recipes by name, one a line, grouped by table, with the paper's figure beside each."""
    width = max(map(len, RECIPES))
    lines = ["Recipes (python -m bcl_edu.train RECIPE):"]
    lines += [f"  {name:<{width}}  {title}" for name, (title, _) in _STARTERS.items()]
    table = ""
    for name, row in ROWS.items():
        if row.table != table:
            table = row.table
            lines += ["", f"{table:<{width + 55}}paper, top-1 % (many / medium / few)"]
        lines.append(f"  {name:<{width}}  {row.method:<51}{'-' if row.paper is None else row.paper}")
    lines += [
        "",
        "-: a figure of the paper that this project does not have; the report then shows the run's own alone",
    ]
    return "\n".join(lines)
