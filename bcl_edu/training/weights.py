"""Trained models: read from a run's checkpoint or an exported folder, and exported for keeping.

An exported folder holds a finished run's record, its metrics, and its weights as safetensors, which contain nothing
that could be executed. A small model fits beside its record in a repository: notebooks load it, so that nobody must
train to learn.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Int
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from bcl_edu.augment import Normalisation
from bcl_edu.counting import counted
from bcl_edu.files import file_sha256, parse_json, user_path, write_atomically
from bcl_edu.methods import Method, build_method
from bcl_edu.recipe import Recipe
from bcl_edu.stored_forms import epochs_of, recipe_from_dict
from bcl_edu.training.checkpoint import (
    BEST_NAME,
    CHECKPOINT_NAME,
    CheckpointError,
    load_run_checkpoint,
    require_fitting,
)
from bcl_edu.training.record import (
    METRICS_NAME,
    RECORD_NAME,
    read_metrics,
    read_record,
    without_hashes,
    write_record,
)

WEIGHTS_NAME = "model.safetensors"
FORMAT = "1"

SMALL_ENOUGH = 3_000_000
"""Bytes up to which weights may lie in a repository."""

Dtype = Literal["auto", "float32", "float16"]


@dataclass(frozen=True)
class TrainedModel:
    """A trained method, with the facts about its training.

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
    image_shape: object,
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


def export_run(run: Path, destination: Path, dtype: Dtype = "auto", *, best: bool = False) -> Path:
    """Copy a finished run's record and metrics, and write its weights as safetensors.

    The destination appears whole or not at all.

    Args:
        run: the folder of a finished run.
        destination: a folder that does not exist yet, or is empty.
        dtype: how weights are stored; auto is float32 where that stays below 3 MB, else float16.
        best: take the weights of the best epoch on the validation split, which a run with `keep_best` has.

    Returns:
        The file of the weights.

    Raises:
        ValueError: the run is unfinished, or the destination holds something.
        CheckpointError: the checkpoint or the record is missing or damaged, they disagree, or a weight is
            beyond the range of float16.
    """
    record = read_record(run)
    epochs = epochs_of(record)
    if record["epochs_finished"] < epochs:
        raise ValueError(
            f"{run} has finished {record['epochs_finished']} of {counted(epochs, 'epoch')}; continue it with "
            "--resume, then export"
        )
    state = load_run_checkpoint(run / CHECKPOINT_NAME)
    differing = [name for name in ("data", "normalisation", "sessions") if state[name] != record.get(name)]
    if recipe_from_dict(state["recipe"]) != recipe_from_dict(
        record["recipe"]
    ):  # one may be of an earlier form
        differing.insert(0, "recipe")
    if len(state["history"]) != record["epochs_finished"]:
        differing.append("epochs_finished")
    if (state["history"][-1:], state["best"]) != ([record["last"]], record.get("best")):
        differing.append("last or best")
    if differing:
        raise CheckpointError(
            f"{run}: {CHECKPOINT_NAME} and {RECORD_NAME} are not of the same run, or one was changed: "
            f"they differ in {', '.join(differing)}"
        )
    from_state(state)  # refuses weights that do not fit
    if read_metrics(run) != state["history"]:
        raise CheckpointError(
            f"{run}: {METRICS_NAME} is missing, or does not have the epochs of {CHECKPOINT_NAME}"
        )
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise ValueError(f"{destination} already holds something; choose a folder that does not exist yet")

    if best:
        if not (run / BEST_NAME).is_file():
            raise ValueError(f"{run} has no {BEST_NAME}; train with --keep-best and a validation split")
        state = load_run_checkpoint(run / BEST_NAME)
        from_state(state)
        epochs = len(state["history"])
    content = save(
        _converted(state["model"], dtype),
        metadata={
            "format": FORMAT,
            "image_shape": json.dumps(state["image_shape"]),
            "epoch": str(epochs),
            "record_sha256": _record_sha256(record),
        },
    )
    temporary = destination.with_name(f".{destination.name}.writing")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(destination)) from error
    try:
        shutil.copyfile(run / METRICS_NAME, temporary / METRICS_NAME)
        write_atomically(temporary / WEIGHTS_NAME, content)
        kept = {name: file_sha256(temporary / name) for name in (METRICS_NAME, WEIGHTS_NAME)}
        write_record(temporary, record | {"sha256": kept})
        temporary.replace(destination)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return destination / WEIGHTS_NAME


def load_pretrained(folder: Path | str) -> TrainedModel:
    """The model of an exported run, ready to evaluate.

    Args:
        folder: what `python -m bcl_edu.export` wrote.

    Returns:
        The trained model on the CPU, in float32 and in evaluation mode:
        `.method.logits(.method.features(images))` of images that went through `bcl_edu.augment.normalise`
        with `.normalisation`.

    Raises:
        CheckpointError: a file is missing, damaged or not ours.
    """
    folder = user_path(folder)
    record = read_record(folder)
    path = folder / WEIGHTS_NAME
    if not path.is_file():
        raise CheckpointError(f"there is no {WEIGHTS_NAME} in {folder}; python -m bcl_edu.export writes one")
    _require_undamaged(folder, record)
    try:
        content = path.read_bytes()  # safetensors itself opens no path that is not UTF-8
        weights = load(content)
        header = parse_json(content[8 : 8 + int.from_bytes(content[:8], "little")], "its header")
        metadata = header.get("__metadata__", {})
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged, or is no safetensors file: {error}") from error
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} has format {metadata.get('format')!r}, but this version of bcl_edu reads format {FORMAT!r}"
        )
    if metadata.get("record_sha256", "") not in ("", _record_sha256(record)):
        raise CheckpointError(
            f"{folder / RECORD_NAME} is not as it was exported: its SHA-256 is not the one that {WEIGHTS_NAME} has; "
            "fetch it again"
        )
    try:
        counts, normalisation = record["data"]["class_counts"], record["normalisation"]
        shape, epoch = json.loads(metadata["image_shape"]), int(metadata["epoch"])
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{folder} lacks what an exported run has: {error}") from error
    return trained_model(
        recipe=record["recipe"],
        class_counts=counts,
        normalisation=normalisation,
        image_shape=shape,
        epoch=epoch,
        class_names=record["data"].get("class_names"),
        start=record.get("start"),
        weights={name: w.float() if w.is_floating_point() else w for name, w in weights.items()},
    )


def _record_sha256(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(without_hashes(record), sort_keys=True).encode()).hexdigest()


def _require_undamaged(folder: Path, record: dict[str, Any]) -> None:
    """Refuse files whose hash is not the one in the record; earlier versions recorded none.

    Raises:
        CheckpointError: with the file.
    """
    hashes = record.get("sha256", {})
    for name in (METRICS_NAME, WEIGHTS_NAME):
        if isinstance(hashes, dict) and name in hashes:
            path = folder / name
            found = file_sha256(path) if path.is_file() else "none"
            if found != hashes[name]:
                raise CheckpointError(
                    f"{path} is damaged or was changed: its SHA-256 is {found[:12]}, {RECORD_NAME} says "
                    f"{str(hashes[name])[:12]}; fetch or export it again"
                )


def load_trained(path: Path) -> TrainedModel:
    """The model of a run's folder, an exported folder or a checkpoint file.

    Raises:
        CheckpointError: there is none, or it is damaged or not ours.
    """
    if not path.is_dir():
        return from_checkpoint(path)
    if (path / CHECKPOINT_NAME).exists():
        return from_checkpoint(path / CHECKPOINT_NAME)
    if (path / WEIGHTS_NAME).exists():
        return load_pretrained(path)
    raise CheckpointError(
        f"the folder {path} has neither {CHECKPOINT_NAME}, which a run saves after its first epoch, nor "
        f"{WEIGHTS_NAME}, which `python -m bcl_edu.export` writes; name a folder that has one of them"
    )


def _converted(weights: dict[str, Tensor], dtype: Dtype) -> dict[str, Tensor]:
    if dtype == "auto":
        size = sum(weight.numel() * weight.element_size() for weight in weights.values())
        header = 200 * len(weights)  # at most: name, type, shape and offsets of each
        dtype = "float32" if size + header <= SMALL_ENOUGH else "float16"
    converted = {}
    for name, weight in weights.items():
        kept = weight.contiguous()
        if kept.is_floating_point():
            kept = kept.to(getattr(torch, dtype))
            if not kept.isfinite().all():
                raise CheckpointError(
                    f"{name} holds a weight that {dtype} cannot hold; export with --dtype float32"
                )
        converted[name] = kept
    return converted
