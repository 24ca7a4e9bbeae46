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
from bcl_edu.recipe import Recipe
from bcl_edu.training.checkpoint import CheckpointError, require_fitting
from bcl_edu.training.data import TrainingData
from bcl_edu.training.pretrained import load_trained


@dataclass(frozen=True)
class StartRun:
    """A finished run to start from.

    Attributes:
        method: name of its method.
        weights: its parameters and buffers by name.
        facts: for the record of the run that starts here: folder, SHA-256 of the weights, recipe's name,
            seed, epochs.
    """

    method: str
    weights: Mapping[str, Tensor]
    facts: dict[str, Any]


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
        ValueError: it has another backbone or other images, or the recipe asks for other weights.
    """
    trained = load_trained(folder)
    if trained.recipe.backbone != recipe.backbone or trained.image_shape != data.train.image_shape:
        raise ValueError(
            f"{folder} trained {trained.recipe.backbone} on images of shape {trained.image_shape}, but this run has "
            f"{recipe.backbone} and {data.train.image_shape}; start from a run with the same network"
        )
    if trained.class_counts.tolist() != data.class_counts.tolist():
        raise ValueError(
            f"{folder} was trained on other images ({int(trained.class_counts.sum()):,} of "
            f"{counted(len(trained.class_counts), 'class')}; here {len(data.train):,} of "
            f"{len(data.class_counts)}); start from a run on the same training set"
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
    return StartRun(trained.recipe.method.name, weights, facts)


def take_over(method: Method, start: StartRun) -> None:
    """Copy the start run's weights into the method, those that the method takes over by their names.

    Raises:
        CheckpointError: one of them is missing or has another shape.
    """
    own = method.state_dict()
    wanted = {name: value for name, value in own.items() if name.startswith(method.start_names())}
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
