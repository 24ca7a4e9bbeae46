"""A run's folder: its lock, its files, and the state that its checkpoint holds."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, fields
from itertools import count
from pathlib import Path
from typing import Any

import torch
from filelock import BaseFileLock, FileLock, Timeout

from bcl_edu.augment import Normalisation
from bcl_edu.methods.stage import extended
from bcl_edu.plugins import LOADED
from bcl_edu.recipe import Recipe, recipe_as_dict, recipe_differences
from bcl_edu.run_options import RunOptions
from bcl_edu.stored_forms import epochs_of, recipe_from_dict
from bcl_edu.training.checkpoint import (
    CHECKPOINT_NAME,
    CheckpointError,
    densely_stored,
    load_run_checkpoint,
    require_fitting,
    save_checkpoint,
)
from bcl_edu.training.compile_choice import Seconds
from bcl_edu.training.data import TrainingData
from bcl_edu.training.distributed import Rank, broadcast_object
from bcl_edu.training.record import (
    METRICS_NAME,
    RECORD_NAME,
    command_line,
    git_revision,
    hardware,
    read_record,
    versions,
    write_metrics,
    write_record,
)
from bcl_edu.training.step import TrainingStep

LOCK_NAME = ".lock"
"""Name of the lock file in a run's folder, held by the process that writes into it."""

SECONDS_TO_WAIT_FOR_A_FOLDER = 15.0


def run_folder(recipe: Recipe, options: RunOptions, runs: Path | str = "runs") -> Path:
    """The folder of a run; the method is named once, as in table2-bcl-seed0 and cifar100-lt-bcl-seed0, and
    then the common protocol, as in cifar100-lt-kcl-common-seed0."""
    method = recipe.method.name
    suffix = "" if recipe.name.endswith(f"-{method}") else f"-{method}"
    if recipe.protocol == "common":
        suffix += "-common"
    return options.output or Path(runs) / f"{recipe.name}{suffix}-seed{recipe.seed}"


def next_folder(recipe: Recipe, options: RunOptions) -> Path:
    """The folder that a run goes into: the one that was named, or the first of its default ones that is free.

    Where a finished run lies in runs/digits-lt-bcl-seed0, the next one goes into runs/digits-lt-bcl-seed0-2, so that
    a command can be repeated and nothing is overwritten. One that is unfinished is never passed over: whoever
    repeats its command most likely wants to resume it. With `options.resume` the last one is continued.
    """
    first = run_folder(recipe, options)
    if options.output is not None:
        return first
    folder = first
    for number in count(2):
        following = first.with_name(f"{first.name}-{number}")
        if not (_is_run(folder) and (_is_run(following) or (_is_finished(folder) and not options.resume))):
            return folder
        folder = following
    raise AssertionError("unreachable: count never ends")


def _is_run(folder: Path) -> bool:
    return any((folder / name).exists() for name in (CHECKPOINT_NAME, RECORD_NAME))


def _is_finished(folder: Path) -> bool:
    try:
        record = read_record(folder)
        return bool(record["epochs_finished"] >= epochs_of(record))
    except ValueError:  # damaged, or killed before its record was written: said when the folder is claimed
        return False


def claim_folder(
    folder: Path, recipe: Recipe, *, resume: bool, at_end: ExitStack, extend_to: int | None = None
) -> dict[str, Any] | None:
    """The checkpoint to continue from, in a folder into which no other process may train until `at_end` closes.

    This keeps out the same command, started twice. The system releases the lock when the process ends, however it
    ends; worker processes of a killed run live a few seconds longer, hence the wait.

    Returns:
        None for a new run.

    Raises:
        ValueError: the folder holds another run, or another process is training into it.
        CheckpointError: there is no checkpoint to resume, or it cannot be used.
    """
    stored = _find_checkpoint(folder, recipe, resume=resume, extend_to=extend_to)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK_NAME)
    if _locked(lock, seconds=0):
        at_end.callback(lock.release)
        return stored
    wait = SECONDS_TO_WAIT_FOR_A_FOLDER
    print(f"{folder} is in use by another process; waiting {wait:.0f} s for its end", file=sys.stderr)
    if not _locked(lock, seconds=wait):
        raise ValueError(
            f"another process is training into {folder}; wait for its end, or choose another --output (if there is no "
            "other process, the file system refuses locks)"
        )
    at_end.callback(lock.release)
    # the other one has gone on in the meantime
    return _find_checkpoint(folder, recipe, resume=resume, extend_to=extend_to)


def _locked(lock: BaseFileLock, seconds: float) -> bool:
    """Try to take the lock, and return True if it was taken; where the file system has no locks, warn instead."""
    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        return False
    except OSError as error:
        if error.filename is not None:  # the file itself cannot be made or opened
            raise
        print(
            f"warning: the file system of {Path(lock.lock_file).parent} has no locks ({error.strerror}); nothing keeps "
            "a second process from training into the same folder, so start only one",
            file=sys.stderr,
        )
    return True


def _find_checkpoint(
    folder: Path, recipe: Recipe, *, resume: bool, extend_to: int | None
) -> dict[str, Any] | None:
    path = folder / CHECKPOINT_NAME
    recorded = (folder / RECORD_NAME).exists()
    if not path.exists():
        if recorded and read_record(folder)["epochs_finished"]:
            raise ValueError(
                f"{folder} holds the record of a run, but no {CHECKPOINT_NAME} to continue from, as what "
                "`python -m bcl_edu.export` keeps; choose another --output"
            )
        if not recorded and (stranger := _stranger(folder)):
            raise ValueError(
                f"{folder} holds something else than a run, such as {stranger}; choose a folder as --output that is "
                "empty or does not exist yet"
            )
        if resume and not recorded:
            raise CheckpointError(
                f"there is no checkpoint {path} to continue from; name the run's folder with --output, "
                "or leave out --resume to begin a run"
            )
        return None  # nothing there yet, or killed before its first checkpoint: begin
    if not resume:
        if recorded and _is_finished(folder):
            raise ValueError(
                f"{folder} already holds a run that is finished; choose another --output, or leave --output out, and "
                "the run goes into a folder beside it"
            )
        raise ValueError(
            f"{folder} already holds a run that is not finished; continue it with --resume, or choose another --output"
        )
    state = load_run_checkpoint(path)
    of_run = recipe_from_dict(state["recipe"])
    differences = recipe_differences(of_run if extend_to is None else extended(of_run, extend_to), recipe)
    if differences:
        raise CheckpointError(
            f"{path} was made by another recipe and cannot be continued with this one:\n  "
            + "\n  ".join(differences)
            + "\nuse the stored values, or start a new run with another --output"
        )
    return state


def _stranger(folder: Path) -> str | None:
    """Something in a folder that no run leaves before its first checkpoint; None if there is nothing."""
    if not folder.is_dir():
        return None  # if it is a file, making the folder says so
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    return next((name for name in names if name not in (METRICS_NAME, "tensorboard")), None)


def what_is_kept(folder: Path) -> str:
    """Message on what a run that ends without saving leaves in its folder, and how to go on."""
    checkpoint = folder / CHECKPOINT_NAME
    if checkpoint.exists():
        return f"{checkpoint} is as it was last saved: continue with --resume"
    return "nothing was saved yet: the same command begins anew"


def refuse_other_data(data: TrainingData, stored: dict[str, Any] | None, rank: Rank) -> None:
    """Check that a run continues on the images it began with, and that all ranks have the same ones.

    Raises:
        CheckpointError: the data differ from those the run began with.
        ValueError: from those of the main process.
    """
    for name in ("subset_sha256", "training_images_sha256", "test_images_sha256"):
        found, began_with = data.facts[name], stored and stored["data"].get(name)
        if stored is not None and began_with != found:
            raise CheckpointError(
                f"the data differ from those the run began with ({name}: stored {str(began_with)[:12]}, "
                f"found {found[:12]}); point --data-dir at the same images"
            )
    if broadcast_object(lambda: data.facts) != data.facts:
        raise ValueError(
            f"process {rank.rank} found other data than process 0 did; "
            "every machine needs the same copy of the data set"
        )


@dataclass
class RunState:
    """Position and history of a run; with the training step's state, all that a checkpoint must hold.

    Attributes:
        stage: number of the present stage.
        epoch: finished epochs of that stage.
        step: finished steps of the present epoch.
        sums: loss parts, summed over those steps.
        seconds: spent in the present epoch.
        history: one row for each finished epoch of all stages.
        best: the row with the highest accuracy.
        sessions: facts of each stretch of the run.
        start: the run whose weights this one started from; None for fresh weights.
    """

    stage: int = 0
    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] | None = None
    sessions: list[dict[str, Any]] = field(default_factory=list)
    start: dict[str, Any] | None = None


class RunFiles:
    """Writes a run's checkpoint, record and metrics; only the main process does.

    Args:
        folder: of the run.
        recipe: of the run.
        data: what it learns from.
        state: changed by the loop, and stored from here.
        epochs: of all stages.
        parameters: that learn in any stage.
        rank: this process.
    """

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        data: TrainingData,
        state: RunState,
        rank: Rank,
        *,
        epochs: int,
        parameters: int,
    ) -> None:
        self.folder, self.recipe, self.data, self.state, self.rank = folder, recipe, data, state, rank
        self.record: dict[str, Any] = {
            "recipe": recipe_as_dict(recipe),
            "data": data.facts,
            "parameters": parameters,
            "normalisation": _as_dict(data.normalisation),
            "sessions": state.sessions,
            "epochs": epochs,
            "epochs_finished": 0,
            "last": None,
            "best": None,
            "seconds": 0.0,
        }

    def checkpoint_state(self, step: TrainingStep) -> dict[str, Any]:
        """Everything needed to continue, as tensors and plain values."""
        return {
            "recipe": recipe_as_dict(self.recipe),
            "data": self.data.facts,
            "normalisation": _as_dict(self.data.normalisation),
            "image_shape": list(self.data.train.image_shape),
            **step.state(),
            "random": {"torch": torch.get_rng_state()},  # nothing draws on a device
            **vars(self.state),
        }

    def save_checkpoint(self, step: TrainingStep, name: str = CHECKPOINT_NAME) -> None:
        """Replace the checkpoint, or that of the best epoch, as a whole."""
        if self.rank.is_main:
            save_checkpoint(self.folder / name, self.checkpoint_state(step))

    def restore(self, stored: dict[str, Any], step: TrainingStep) -> None:
        """Continue from a checkpoint: state that does not fit is refused before anything is loaded.

        Raises:
            CheckpointError: naming what does not fit.
        """
        parts = ("model", "optimizer", "scaler", "random")
        fresh = step.state() | {"random": {"torch": torch.get_rng_state()}}
        kept = {name: densely_stored(stored.get(name)) for name in parts}
        try:
            require_fitting(kept, {name: fresh[name] for name in parts}, "its state")
            torch.set_rng_state(kept["random"]["torch"])
        except (CheckpointError, RuntimeError) as error:
            raise CheckpointError(
                f"{self.folder / CHECKPOINT_NAME} is of another version of bcl_edu, or was changed: {error}"
            ) from error
        step.restore(kept)

    def write_record(self) -> None:
        """Bring run.json and metrics.jsonl up to the last finished epoch."""
        history = self.state.history
        if self.state.start is not None:
            self.record["start"] = self.state.start
        self.record |= {
            "sessions": self.state.sessions,
            "epochs_finished": len(history),
            "last": next((row for row in reversed(history) if "top1" in row), None),
            "best": self.state.best,
            **({} if (chosen := chosen_epoch(history)) is None else {"chosen": chosen}),
            "seconds": round(sum(row["seconds"] for row in history), 1),
        }
        if self.rank.is_main:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_metrics(self.folder, history)
            write_record(self.folder, self.record)


def chosen_epoch(history: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The first row with the highest mean over classes on the validation split; None if nothing was validated."""
    validated = [row for row in history if "val_class_average" in row]
    return max(validated, key=lambda row: float(row["val_class_average"]), default=None)


def restored_state(stored: dict[str, Any]) -> RunState:
    """The position and history of a checkpoint."""
    return RunState(**{one.name: stored[one.name] for one in fields(RunState)})


def session_facts(
    options: RunOptions,
    epochs_done: int,
    rank: Rank,
    device: torch.device,
    compile_seconds: Seconds | None = None,
) -> dict[str, Any]:
    """Facts of this stretch of a run; a resumed run has several.

    Args:
        options: of the run, decided.
        epochs_done: before this stretch.
        rank: this process.
        device: that computes.
        compile_seconds: by which `--compile auto` was decided, if they were measured now.
    """
    return {
        "command": command_line(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "from_epoch": epochs_done,
        "processes": rank.world_size,
        "compile": options.compiled_as,
        "compile_seconds": None if compile_seconds is None else compile_seconds._asdict(),
        "workers": options.workers,
        "git_revision": git_revision(),
        "versions": versions(),
        **({"plugins": list(LOADED)} if LOADED else {}),
        "hardware": hardware(device),
    }


def _as_dict(normalisation: Normalisation) -> dict[str, list[float]]:
    return {"mean": list(normalisation.mean), "std": list(normalisation.std)}
