"""Recipes to begin with: small data sets, and short names of the paper's benchmarks."""

from __future__ import annotations

from bcl_edu.recipe import Recipe
from bcl_edu.rows.bcl_rows import BCL, CIFAR10, CIFAR100, IMAGENET_LT, INATURALIST

SHORT_NAMES = {
    "cifar10-lt": "cifar10-lt-if100-bcl",
    "cifar100-lt": "cifar100-lt-if100-bcl",
    "imagenet-lt": "imagenet-lt-resnet50-bcl",
    "inaturalist2018": "inaturalist2018-resnet50-bcl",
}
"""The row that a short name stands for."""

_DIGITS = Recipe(
    name="digits-lt",
    dataset="digits",
    imbalance_factor=50.0,
    backbone="digits_net",
    method=BCL(head_hidden=64, head_dim=32),
    views="digits",
    batch_size=64,
    epochs=30,
    schedule_epochs=30,
    warmup_epochs=3,
    milestones=(24, 27),
    learning_rate=0.1,
)

_FASHION = Recipe(
    name="fashion-mnist-lt",
    dataset="fashion-mnist",
    head_count=6000,
    method=BCL(),
    views="grey",
    precision="auto",
    epochs=30,
    schedule_epochs=30,
    milestones=(24, 27),
)

STARTERS: dict[str, tuple[str, Recipe]] = {
    "digits-lt": (
        "scikit-learn's 8x8 digits, nothing to download: the whole method in under a minute",
        _DIGITS,
    ),
    "fashion-mnist-lt": ("Fashion-MNIST, 28x28 grey", _FASHION),
} | {
    recipe.name: (
        f"{title}, the paper's {recipe.epochs} epochs: {SHORT_NAMES[recipe.name]} by a short name",
        recipe,
    )
    for title, recipe in (
        ("CIFAR-10-LT", CIFAR10),
        ("CIFAR-100-LT", CIFAR100),
        ("ImageNet-LT", IMAGENET_LT),
        ("iNaturalist 2018", INATURALIST),
    )
}
"""Recipes by name, each with one line of description."""
