"""Recipes to begin with: small data sets, and short names of the paper's benchmarks."""

from __future__ import annotations

from dataclasses import replace

from bcl_edu.recipe import AUTO, Recipe
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

_FOLDER = Recipe(
    name="folder",
    dataset="folder",
    profile="as-found",
    upright=True,
    backbone=AUTO,
    method=BCL(lambda_=1.0, mu=0.35, temperature=0.07),
    views=AUTO,
    batch_size=128,
    epochs=100,
    schedule_epochs=100,
    schedule="cosine",
    milestones=(80, 90),
    learning_rate=0.1,
    precision="auto",
)

_ABOUT_OWN_IMAGES = """
What is there is trained as it is, however many images a class has. --profile exponential (or step, pareto) cuts a tail
by class size: the largest class keeps most images, by --imbalance-factor and --head-count.

Pictures may have any shape, size and colour mode. They are turned upright as their EXIF data say.
Their short side is resized to --image-size, and the network sees squares, in training and in testing alike: up to
64 x 64 the centre square of each, cut once, in memory; above, training crops the whole picture at random, and testing
cuts the centre square.

A validation split is {validation}, or --val-fraction of every class. Class names are in the run's record, and
python -m bcl_edu.evaluate refuses images of other classes unless it is told which is which.

The defaults are BCL as the paper trains photographs (its weights, temperature and learning rate for ImageNet-LT), a
cosine schedule because it has no milestones to tune, batches of 128 because own data sets are small, and 100 epochs as
for iNaturalist 2018. None of them was tuned on your images: compare with --method lc, --method ce and --epochs 200.
docs/own_data.md goes the whole way."""

NOTES = {
    "folder": _ABOUT_OWN_IMAGES.format(validation="a folder val beside train and test"),
    "lists": _ABOUT_OWN_IMAGES.format(validation="a list of its own (--val-list)"),
}
"""Further help of a recipe, below its line in the list."""

STARTERS: dict[str, tuple[str, Recipe]] = {
    "digits-lt": (
        "scikit-learn's 8x8 digits, nothing to download: the whole method in under a minute",
        _DIGITS,
    ),
    "fashion-mnist-lt": ("Fashion-MNIST, 28x28 grey", _FASHION),
    "folder": ("your own images, in folders train/<class>/* and test/<class>/* of --data-dir", _FOLDER),
    "lists": (
        "your own images, named by --train-list and --test-list (path label lines, or CSV)",
        replace(_FOLDER, name="lists", dataset="lists"),
    ),
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
