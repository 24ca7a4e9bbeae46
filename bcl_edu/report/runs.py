"""The runs that are on disk: every run.json below some folders, read or refused one by one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bcl_edu.counting import counted
from bcl_edu.files import explain_error
from bcl_edu.recipe import Recipe, recipe_as_dict
from bcl_edu.stored_forms import epochs_of, recipe_from_dict
from bcl_edu.training.checkpoint import CheckpointError
from bcl_edu.training.record import RECORD_NAME, read_metrics, read_record, without_hashes


@dataclass(frozen=True)
class StoredRun:
    """A run record that could be read.

    Attributes:
        folder: where it lies.
        recipe: what was trained.
        record: run.json.
    """

    folder: Path
    recipe: Recipe
    record: dict[str, Any]

    @property
    def epochs(self) -> int:
        """Epochs of all its stages."""
        return epochs_of(self.record)

    @property
    def finished(self) -> bool:
        """True if the run reached its last epoch."""
        return bool(self.record["epochs_finished"] >= self.epochs)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """One row for each finished epoch; none if only the record was kept."""
        return read_metrics(self.folder)

    @property
    def hours(self) -> float | None:
        """Hours by the clock of all its sessions, evaluation included, whatever else the machine was doing; None in
        records from before this was kept."""
        seconds = self.record.get("seconds")
        return None if seconds is None else seconds / 3600

    @property
    def hardware(self) -> str:
        """Device of its last session: the GPU if there was one, and the number of processes if several."""
        session = self.record["sessions"][-1]
        facts = session["hardware"]
        name = facts.get("gpu") or f"CPU {facts['processor']}"
        return f"{session['processes']} x {name}" if session["processes"] > 1 else str(name)


@dataclass(frozen=True)
class UnreadableRun:
    """A run record that could not be read, and why."""

    folder: Path
    reason: str


def find_runs(paths: Iterable[Path | str]) -> tuple[list[StoredRun], list[UnreadableRun]]:
    """Every run below the folders, in the order of their paths; a copy of a record that was seen is left out.

    Raises:
        ValueError: a folder does not exist.
    """
    folders: dict[Path, Path] = {}
    closed: list[OSError] = []
    for path in map(Path, paths):
        if not path.is_dir():
            raise ValueError(
                f"there is no folder {path}; name folders that hold runs, such as results or runs"
            )
        for name, subfolders, files in sorted(os.walk(path, onerror=closed.append)):
            if RECORD_NAME in files + subfolders:
                folders.setdefault(Path(name).resolve(), Path(name))
    runs: list[StoredRun] = []
    seen: list[dict[str, Any]] = []
    unreadable = [UnreadableRun(Path(error.filename), explain_error(error)) for error in closed]
    for folder in folders.values():
        try:
            record = read_record(folder)
            run = StoredRun(folder, recipe_from_dict(record["recipe"]), record)
            _require_facts(run)
        except (CheckpointError, ValueError, RecursionError) as error:
            unreadable.append(UnreadableRun(folder, str(error)))
            continue
        if (facts := without_hashes(record)) not in seen:
            seen.append(facts)
            runs.append(run)
    return runs, unreadable


def side_by_side(runs: Iterable[StoredRun]) -> list[dict[str, StoredRun]]:
    """Finished runs that may be compared: their recipes differ in the method only, and they saw the same images.

    Args:
        runs: as `find_runs` gives them.

    Returns:
        Groups of at least two runs, each by the name of its method; those trained longest first.
    """
    groups: dict[str, dict[str, StoredRun]] = {}
    for run in runs:
        if run.finished:
            rest = {name: value for name, value in recipe_as_dict(run.recipe).items() if name != "method"}
            same = json.dumps([rest, run.record["data"]["subset_sha256"]], sort_keys=True)
            groups.setdefault(same, {})[run.recipe.method.name] = run
    several = [group for group in groups.values() if len(group) > 1]
    return sorted(several, key=lambda group: -next(iter(group.values())).recipe.epochs)


def _require_facts(run: StoredRun) -> None:
    """Refuse a record without what the tables show of every run."""
    record = run.record
    if record["epochs_finished"] > run.epochs:
        raise ValueError(
            f"the record has {counted(record['epochs_finished'], 'finished epoch')} of {run.epochs}"
        )
    session, data = record.get("sessions", [])[-1:], record["data"]
    hardware = session[0].get("hardware", {}) if session else {}
    if not hardware.keys() & {"gpu", "processor"} or "processes" not in session[0]:
        raise ValueError("the record does not say on what the run computed")
    if not {"training_images", "test_images", "subset_sha256"} <= set(data):
        raise ValueError("the record does not say on which images the run was trained and tested")
    if not isinstance(seconds := record.get("seconds"), int | float | None):
        raise ValueError(f"the record's seconds are {seconds!r}; a number is expected")
    if record["epochs_finished"] and None in (record["last"], record.get("best")):
        raise ValueError("the record has finished epochs, but no figures")
