"""A trained model with all that is needed to evaluate it, from any place that a run leaves one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from bcl_edu.augment import Normalisation
from bcl_edu.counting import counted
from bcl_edu.methods import Method, build_method
from bcl_edu.recipe import Recipe
from bcl_edu.stored_forms import recipe_from_dict
from bcl_edu.training.checkpoint import CheckpointError, load_run_checkpoint, require_fitting


@dataclass(frozen=True)
class TrainedModel:
    """A method that has learned, and what it learned from.

    Attributes:
        method: on the CPU, in evaluation mode.
        recipe: what it was trained by.
        class_counts: training images of each class, shape (k,), which define the shot groups.
        normalisation: of the training set; images must go through it.
        image_shape: channels, height and width of the images.
        epoch: epochs it was trained for.
        epochs_planned: epochs of all stages of its run; more than `epoch` if the run is unfinished, or if these are the
            weights of an earlier epoch.
        class_names: in label order; None where a record of an earlier version does not say.
    """

    method: Method
    recipe: Recipe
    class_counts: Int[Tensor, " k"]
    normalisation: Normalisation
    image_shape: tuple[int, int, int]
    epoch: int
    epochs_planned: int
    class_names: tuple[str, ...] | None = None


def trained_model(
    *,
    recipe: Mapping[str, Any],
    class_counts: list[int],
    normalisation: Mapping[str, Any],
    image_shape: list[int],
    epoch: int,
    weights: Mapping[str, Tensor],
    class_names: object = None,
    start: object = None,
) -> TrainedModel:
    """Build the method of a stored recipe, with the stored weights in it; torch's global generator stays as
    it was.

    Args:
        start: facts of the finished run whose weights this one started from (`--init-from`).
        others: as the attributes of `TrainedModel`.

    Raises:
        CheckpointError: the shape of the images or the normalisation is none, or the weights are not those of the
            recipe's model.
    """
    if not (isinstance(image_shape, list) and len(image_shape) == 3):
        raise CheckpointError(f"the stored shape of the images is {image_shape!r}, but must be three numbers")
    if not {"mean", "std"} <= normalisation.keys():
        raise CheckpointError("the stored normalisation lacks its mean or its std")
    if class_names is not None and not _are_names(class_names, len(class_counts)):
        raise CheckpointError(
            f"the stored class names are {class_names!r:.80}, but must be {counted(len(class_counts), 'name')}"
        )
    if start is not None and not (isinstance(start, Mapping) and isinstance(start.get("method"), str)):
        raise CheckpointError(
            f"the stored start is {start!r:.80}, but must name the method that it started from"
        )
    restored = recipe_from_dict(recipe)
    counts = torch.tensor(class_counts)
    channels, height, width = image_shape
    with torch.random.fork_rng(devices=[]):
        method = build_method(restored, counts, (channels, height, width))
    require_fitting(weights, method.state_dict(), "the model")
    method.load_state_dict(weights)
    method.eval()
    stages = method.stages() if start is None else method.stages_on(start["method"])
    return TrainedModel(
        method,
        restored,
        counts,
        Normalisation(tuple(normalisation["mean"]), tuple(normalisation["std"])),
        (channels, height, width),
        epoch,
        sum(stage.epochs for stage in stages),
        None if class_names is None else tuple(class_names),  # type: ignore[arg-type]
    )


def _are_names(value: object, number: int) -> bool:
    return isinstance(value, list) and len(value) == number and all(isinstance(name, str) for name in value)


def from_checkpoint(path: Path) -> TrainedModel:
    """The model of a checkpoint file.

    Raises:
        CheckpointError: the file is missing, damaged or not ours.
    """
    return from_state(load_run_checkpoint(path))


def from_state(state: Mapping[str, Any]) -> TrainedModel:
    """The model of a run's state, as a checkpoint has it.

    Raises:
        CheckpointError: a part of it does not fit the recipe.
    """
    if "class_counts" not in state["data"]:
        raise CheckpointError("the checkpoint lacks the class counts; it was changed")
    return trained_model(
        recipe=state["recipe"],
        class_counts=state["data"]["class_counts"],
        normalisation=state["normalisation"],
        image_shape=state["image_shape"],
        epoch=len(state["history"]),
        weights=state["model"],
        class_names=state["data"].get("class_names"),
        start=state["start"],
    )
