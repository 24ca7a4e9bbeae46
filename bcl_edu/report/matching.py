"""Matching of runs to rows of the tables, with the reasons where a run fits none."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import torch

from bcl_edu.counting import counted
from bcl_edu.data import PHOTOGRAPH_SETS, long_tailed_subset, subset_sha256
from bcl_edu.data.cifar import CIFAR
from bcl_edu.recipe import AUTO, IGNORED_WHEN_COMPARING, Recipe, flat, same_value, unused
from bcl_edu.report.runs import StoredRun
from bcl_edu.rows import RECIPES, ROWS, Row
from bcl_edu.rows.common import under_common_protocol
from bcl_edu.training.data import target_counts

_PROFILE = {"dataset", "profile", "imbalance_factor", "head_count"}


def rows_of(run: StoredRun) -> list[Row]:
    """The rows that the run fills: finished, on the row's images, with every value that the paper states."""
    return [row for row in ROWS.values() if not mismatches(run, row)]


def mismatches(run: StoredRun, row: Row) -> list[str]:
    """Reasons that keep a run out of a row, one phrase each; empty if it fits."""
    found = []
    if not run.finished:
        found.append(f"unfinished, {run.record['epochs_finished']} of {counted(run.epochs, 'epoch')}")
    differing = differences(run.recipe, row.recipe)
    if run.recipe.protocol == "common":
        found.append("under the common protocol")
    found += [
        f"{_words(name)} {ours}, the row's {theirs}" for name, ours, theirs in differing if name in row.stated
    ]
    data = run.record["data"]
    for word, split in (("trained", "training"), ("tested", "test")):
        images, published = data[f"{split}_images"], published_images(row.recipe, split)
        if published not in (None, images):
            found.append(f"{word} on {counted(images, 'image')}, the row's {split} set has {published:,}")
    subset = expected_subset_sha256(row.recipe)
    # another profile explains another subset, and was named above
    if not _PROFILE & {name for name, _, _ in differing} and subset not in (None, data["subset_sha256"]):
        found.append(f"training subset {data['subset_sha256'][:12]}, the row's is {str(subset)[:12]}")
    return found


def nearest_row(run: StoredRun) -> Row | None:
    """The row with the run's data set and method that fewest values keep it out of; None if there is no such
    row."""
    candidates = [
        row
        for row in ROWS.values()
        if (row.recipe.dataset, row.recipe.method.name) == (run.recipe.dataset, run.recipe.method.name)
    ]
    return min(candidates, key=lambda row: len(mismatches(run, row)), default=None)


def free_choices(run: StoredRun, row: Row) -> tuple[str, ...]:
    """The values that the paper leaves open in which a run differs from the row's recipe, one phrase each."""
    return tuple(
        f"{_words(name)} {ours}"
        for name, ours, _ in differences(run.recipe, row.recipe)
        if name not in row.stated and name != "subset_seed"  # which has its say in the subset
    )


def own_choices(run: StoredRun) -> tuple[str, ...]:
    """The values in which a run that fills no row differs from its recipe, those left to the images excepted."""
    if run.recipe.name not in RECIPES:
        return ()
    recipe = RECIPES[run.recipe.name][1]
    if recipe.method.name != run.recipe.method.name:
        recipe = recipe.change(method=run.recipe.method)
    return tuple(
        f"{_words(name)} {ours}"
        for name, ours, theirs in differences(run.recipe, recipe)
        if (theirs not in (AUTO, "None", "none") or name == "start_from") and name != "subset_seed"
    )


def differences(recipe: Recipe, other: Recipe) -> list[tuple[str, str, str]]:
    """Name and both values of each field that differs and changes what is computed; seeds and names do not
    count."""
    ours, theirs = flat(recipe), flat(other)
    ignored = IGNORED_WHEN_COMPARING | (unused(recipe) & unused(other))
    return [
        (name, _plain(ours.get(name, "none")), _plain(theirs.get(name, "none")))
        for name in dict.fromkeys([*ours, *theirs])
        if name not in ignored and not same_value(name, ours.get(name, ...), theirs.get(name, ...))
    ]


def common_row(run: StoredRun) -> Row:
    """The line of a run under the common protocol: its method beside others on the same images, without a figure of the
    paper, whose figures are for the methods' own recipes."""
    recipe = run.recipe
    reference = under_common_protocol(recipe.change(method=recipe.method.name))
    reference = replace(reference, epochs=recipe.epochs, accumulate=1, precision=recipe.precision)
    images = "" if recipe.profile == "as-found" else f", IF {recipe.imbalance_factor:g}"
    title = f"Common protocol, methods alone compared: {recipe.dataset}{images}, {counted(recipe.epochs, 'epoch')}"
    return Row(title, recipe.method.title, reference, None, frozenset())


def _words(name: str) -> str:
    return name.strip("_").replace("_", " ")


def _plain(value: object) -> str:
    """A value in words; of the hash of start weights the beginning."""
    if isinstance(value, str) and len(value) == 64:
        return value[:12]
    return f"{value:g}" if isinstance(value, float) else str(value)


def published_images(recipe: Recipe, split: str) -> int | None:
    """Images of the published "training" or "test" set; None where a part is drawn, or the number is not
    known here."""
    if recipe.dataset in CIFAR and split == "test":
        source = CIFAR[recipe.dataset]
        return len(source.class_names) * source.images_a_class["test"]
    if recipe.dataset in PHOTOGRAPH_SETS and (split == "test" or recipe.profile == "as-found"):
        return (
            PHOTOGRAPH_SETS[recipe.dataset].splits["train" if split == "training" else "test"].expected.images
        )
    return None


@cache
def expected_subset_sha256(recipe: Recipe) -> str | None:
    """SHA-256 of the indices that the recipe chooses from the published training set; None if that is not
    known here.

    CIFAR's images are in content order, so the indices depend on the published number of images of each class
    alone.
    """
    if recipe.dataset not in CIFAR:
        return None
    source = CIFAR[recipe.dataset]
    available = torch.full((len(source.class_names),), source.images_a_class["train"])
    labels = torch.arange(len(available)).repeat_interleave(available)
    counts = target_counts(recipe, available)
    return subset_sha256(long_tailed_subset(labels, counts, seed=recipe.subset_seed))
