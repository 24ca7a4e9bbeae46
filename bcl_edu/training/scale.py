"""Plan of a benchmark for this machine: the whole run, or a small real part of it that is labelled as such.

The paper's runs take hours on a GPU. A notebook that describes one has to run on a laptop too, and without
the data: it then trains with the same loss on fewer images, and every picture says so.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch

from bcl_edu.counting import counted
from bcl_edu.data import PHOTOGRAPH_SETS, ImageFiles, open_dataset
from bcl_edu.data.fake_trees import ListedTree, write_practice_tree, write_subset_lists
from bcl_edu.recipe import MethodOptions, Recipe
from bcl_edu.rows import RECIPES
from bcl_edu.run_options import RunOptions
from bcl_edu.training.run import run_folder

STAND_IN = "digits-lt"
"""A recipe whose real images are always there, and so small that its network learns from them in seconds."""

FEW_EPOCHS = {"data": 3, "files": 12, "stand-in": 15}
"""Epochs of a reduced run: on a small part of CIFAR, on image files, on the stand-in."""

FEW_IMAGES = 30
"""Images that the largest class of a reduced run keeps."""


@dataclass(frozen=True)
class Plan:
    """A run that fits the machine.

    Attributes:
        recipe: what to train.
        options: where and how.
        whole: whether it is the benchmark itself.
        note: what the run is, in one sentence that belongs on every picture of it.
        missing: what opening the data set said, with what to do; empty where the data are there.
    """

    recipe: Recipe
    options: RunOptions
    whole: bool
    note: str
    missing: str = ""


def plan_run(
    recipe: Recipe,
    runs: Path | str = "runs",
    *,
    data_dir: Path | str | None = None,
    whole: bool | None = None,
) -> Plan:
    """The recipe itself where there is a GPU and its data, otherwise the same method on a small real subset.

    A reduced run lies in a folder that goes away with the plan, so that nobody takes it for a result later.

    Args:
        recipe: of any data set.
        runs: folder in which a whole run gets its own, the one that the command line gives it.
        data_dir: folder of the data set; by default data/<data set>.
        whole: train the recipe as it is, wherever this is; by default only on a GPU.

    Raises:
        ValueError: the data are not there or damaged, although they were named or the whole recipe is asked
            for; the message says what to do.
    """
    folder = None if data_dir is None else Path(data_dir)
    missing = _why_not_open(recipe, folder)
    if missing and (whole or folder is not None):  # a stand-in would hide the mistake
        raise ValueError(missing)
    if whole is None:
        whole = torch.cuda.is_available() and not missing
    if whole:
        note = f"{counted(recipe.epochs, 'epoch')}, seed {recipe.seed}, as the recipe says. The last epoch counts."
        options = RunOptions(data_dir=folder)
        return Plan(recipe, replace(options, output=run_folder(recipe, options, runs)), True, note)

    temporary = Path(tempfile.mkdtemp(prefix="bcl-edu-"))
    options = RunOptions(output=temporary / "run", tensorboard=False, workers=0)
    if recipe.dataset in PHOTOGRAPH_SETS:
        tree = _small_tree(recipe.dataset, folder, temporary, missing=bool(missing))
        options = replace(options, data_dir=tree.folder, train_list=tree.train_list, test_list=tree.test_list)
        reduced = _on_small_files(recipe)
        what = (
            f"Not {recipe.dataset}: digits in its format" if missing else f"A small part of {recipe.dataset}"
        )
        note = f"{what}, a small network, {counted(reduced.epochs, 'epoch')}."
    elif missing:
        reduced = _on_the_stand_in(recipe)
        note = f"Not {recipe.dataset}: digits and a small network, {counted(reduced.epochs, 'epoch')}."
    else:
        options = replace(options, data_dir=folder)
        reduced = _on_few_images(recipe)
        epochs = counted(reduced.epochs, "epoch")
        note = f"A part of {recipe.dataset}: at most {reduced.head_count} images a class, {epochs}."
    plan = Plan(reduced, options, False, note, missing)
    weakref.finalize(plan, shutil.rmtree, temporary, ignore_errors=True)
    return plan


def _why_not_open(recipe: Recipe, data_dir: Path | None) -> str:
    """Message of the error with which the recipe's data set cannot be opened; empty if it can."""
    try:
        open_dataset(recipe.dataset, data_dir, image_size=recipe.image_size)
    except (ValueError, OSError) as error:
        return str(error)
    return ""


def _on_few_images(recipe: Recipe) -> Recipe:
    head = min(FEW_IMAGES, recipe.head_count or FEW_IMAGES)
    return replace(
        recipe,
        name=f"{recipe.name}-reduced",
        head_count=head,
        imbalance_factor=min(recipe.imbalance_factor, float(head)),
        epochs=min(recipe.epochs, FEW_EPOCHS["data"]),
    )


def _on_the_stand_in(recipe: Recipe) -> Recipe:
    """The stand-in's images and network, with the recipe's method."""
    small = RECIPES[STAND_IN][1]
    return replace(
        small,
        name=f"{recipe.name}-on-digits",
        method=_with_small_heads(recipe),
        seed=recipe.seed,
        epochs=min(recipe.epochs, FEW_EPOCHS["stand-in"]),
    )


def _with_small_heads(recipe: Recipe) -> MethodOptions:
    """The recipe's method with heads as wide as the stand-in's, and a linear classifier."""
    sizes = {"head_hidden": 64, "head_dim": 32, "classifier": "linear"}
    own = {field.name for field in fields(recipe.method)}
    return replace(recipe.method, **{name: value for name, value in sizes.items() if name in own})


def _on_small_files(recipe: Recipe) -> Recipe:
    """The recipe's data format, views and loss, with the stand-in's network on small squares."""
    small = RECIPES[STAND_IN][1]
    return replace(
        recipe,
        name=f"{recipe.name}-reduced",
        image_size=32,
        backbone=small.backbone,
        method=_with_small_heads(recipe),
        batch_size=32,
        precision="float32",
        epochs=min(recipe.epochs, FEW_EPOCHS["files"]),
    )


def _small_tree(name: str, data_dir: Path | None, folder: Path, *, missing: bool) -> ListedTree:
    """Digits in the format of the set, or lists of a part of it where it is there."""
    if missing:
        return write_practice_tree(name, folder / "images")
    found = open_dataset(name, data_dir)
    assert isinstance(found.train, ImageFiles)
    assert isinstance(found.test, ImageFiles)
    return write_subset_lists(found.train, found.test, folder)
