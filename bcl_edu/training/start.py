"""Weights of a finished run as the start of another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from bcl_edu.counting import counted
from bcl_edu.methods.protocol import Method
from bcl_edu.methods.stage import Stage
from bcl_edu.recipe import Recipe
from bcl_edu.training.checkpoint import CheckpointError, require_fitting
from bcl_edu.training.data import TrainingData
from bcl_edu.training.weights import load_trained


@dataclass(frozen=True)
class StartRun:
    """A finished run to start from.

    Attributes:
        method: name of its method.
        weights: its parameters and buffers by name.
        facts: for the record of the run that starts here: folder, SHA-256 of the weights, recipe's name,
            seed, epochs.
        other_images: what it was trained on, in words, if that is another training set.
    """

    method: str
    weights: Mapping[str, Tensor]
    facts: dict[str, Any]
    other_images: str = ""


def weights_sha256(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over names and values of weights in the order of their names, whatever file they are stored in."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def read_start(folder: Path, recipe: Recipe, data: TrainingData) -> StartRun:
    """Read a run that another one starts from.

    Args:
        folder: a run's folder, an exported one, or a checkpoint file.
        recipe: of the run that is to start.
        data: what it is to learn from.

    Raises:
        CheckpointError: there is no such run, or it is damaged.
        ValueError: it has another backbone or images of another shape, or the recipe asks for other weights.
    """
    trained = load_trained(folder)
    if trained.recipe.backbone != recipe.backbone or trained.image_shape != data.train.image_shape:
        raise ValueError(
            f"{folder} trained {trained.recipe.backbone} on images of shape {trained.image_shape}, but this run has "
            f"{recipe.backbone} and {data.train.image_shape}; start from a run with the same network"
        )
    other_images = ""
    if trained.class_counts.tolist() != data.class_counts.tolist():
        other_images = (
            f"{int(trained.class_counts.sum()):,} of {counted(len(trained.class_counts), 'class')}; here "
            f"{len(data.train):,} of {len(data.class_counts)}"
        )
    weights = trained.method.state_dict()
    digest = weights_sha256(weights)
    if recipe.start_from not in (None, digest):
        raise ValueError(
            f"{folder} holds weights {digest[:12]}, but the recipe starts from {recipe.start_from[:12]}"
        )
    facts = {
        "folder": folder.name,
        "sha256": digest,
        "recipe": trained.recipe.name,
        "method": trained.recipe.method.name,
        "seed": trained.recipe.seed,
        "epochs": trained.epoch,
    }
    return StartRun(trained.recipe.method.name, weights, facts, other_images)


def stages_from(method: Method, start: StartRun) -> list[Stage]:
    """The stages of a run that starts there: all, or the later ones of a method that has its own for finished runs.

    Raises:
        ValueError: the start run saw other images, but the later stages continue what was learned on the same ones.
    """
    if start.other_images and not _trains_all_stages(method):
        raise ValueError(
            f"{start.facts['folder']} was trained on other images ({start.other_images}), but the method "
            f"{method.recipe.method.name} only trains its later stages on it; start from a run on the same training set"
        )
    return method.stages_on(start.method)


def names_taken_over(method: Method, start: StartRun) -> tuple[str, ...]:
    """Beginnings of the names that the method takes over.

    Everything, "", from a run of the same method on the same images, of which all stages are trained again: such a run
    goes on from there. From other runs, the names that the method gives, usually the backbone's.
    """
    same = start.method == method.recipe.method.name and not start.other_images
    return ("",) if same and _trains_all_stages(method) else method.start_names()


def format_names(names: tuple[str, ...]) -> str:
    """Beginnings of names as text, for a run's record and its first lines."""
    return "all" if names == ("",) else ", ".join(name.rstrip(".") for name in names)


def _trains_all_stages(method: Method) -> bool:
    return type(method).stages_on is Method.stages_on


def take_over(method: Method, start: StartRun) -> None:
    """Copy the start run's weights into the method, those of `names_taken_over`.

    Raises:
        CheckpointError: one of them is missing or has another shape.
    """
    own = method.state_dict()
    names = names_taken_over(method, start)
    wanted = {name: value for name, value in own.items() if name.startswith(names)}
    found = {name: start.weights[name] for name in wanted if name in start.weights}
    try:
        require_fitting(
            found, {name: value.cpu() for name, value in wanted.items()}, "the start run's weights"
        )
    except CheckpointError as error:
        raise CheckpointError(
            f"the run {start.facts['folder']} (method {start.method}) cannot start this one: {error}"
        ) from error
    method.load_state_dict(own | found)
