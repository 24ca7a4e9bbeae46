"""The run record: all facts that comparing runs needs, as JSON."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import bcl_edu
from bcl_edu.escape import for_terminal
from bcl_edu.files import parse_json, read_json, read_text, write_atomically
from bcl_edu.training.checkpoint import CheckpointError

RECORD_NAME = "run.json"
METRICS_NAME = "metrics.jsonl"


def versions() -> dict[str, str]:
    """Versions of the packages that the result depends on."""
    packages = ("torch", "torchvision", "numpy", "scikit-learn", "pillow")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"bcl_edu": bcl_edu.__version__, "python": platform.python_version(), **found}


def hardware(device: torch.device) -> dict[str, Any]:
    """Facts about the hardware: device, processor, cores, threads, GPU."""
    facts: dict[str, Any] = {
        "device": device.type,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
    if device.type == "cuda":
        facts |= {"gpu": torch.cuda.get_device_name(device), "cuda": torch.version.cuda}
    return facts


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def git_revision() -> str | None:
    """Commit of the source this package runs from, with '+changes' if files differ; None outside a checkout."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--", "..") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def command_line() -> str:
    """Command line of the run; of absolute paths, which mean nothing elsewhere, only the last part."""
    name = "python -m bcl_edu.train" if sys.argv[0].endswith("train.py") else Path(sys.argv[0]).name
    words = [f".../{Path(word).name}" if os.path.isabs(word) else word for word in sys.argv[1:]]
    return for_terminal(" ".join([name, *words]))


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write the run record atomically."""
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
    # a byte of a file name that is not UTF-8 becomes JSON's own escape
    write_atomically(folder / RECORD_NAME, text.encode("utf-8", "backslashreplace") + b"\n")


def read_record(folder: Path) -> dict[str, Any]:
    """The run record of a folder.

    Raises:
        CheckpointError: it is missing or damaged, or a value in it is one that no run writes.
    """
    path = folder / RECORD_NAME
    if not path.is_file():
        raise CheckpointError(
            f"there is no run in {folder}: it has no file {RECORD_NAME}; name the folder of a run "
            "(python -m bcl_edu.train makes them, by default below runs/)"
        )
    try:
        record = read_json(path)
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    if not isinstance(record, dict) or not {"recipe", "data", "epochs_finished", "last"} <= set(record):
        raise CheckpointError(f"{path} is no run record of bcl_edu")
    for name, fits in _VALUES.items():
        if name in record and not fits(record[name]):
            raise CheckpointError(
                f"{path} was changed, or is of another version of bcl_edu: its {name!r} is {_short(record[name])}, "
                "which no run writes"
            )
    return record


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_percentage(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 100


def _is_data(value: object) -> bool:
    """Sizes and the subset's hash; other facts of the data are compared with those found, never taken on trust."""
    if not isinstance(value, dict):
        return False
    sizes = [value[name] for name in ("training_images", "test_images") if name in value]
    counts = value.get("class_counts", [])
    return (
        all(map(_is_count, sizes))
        and isinstance(counts, list)
        and all(map(_is_count, counts))
        and isinstance(value.get("subset_sha256", ""), str)
        and isinstance(value.get("test_is_balanced", True), bool)
    )


def _is_epoch(value: object) -> bool:
    """An epoch's accuracies; a shot group without classes has none. Before the first epoch there is nothing."""
    if value is None:
        return True
    return (
        isinstance(value, dict)
        and _is_count(value.get("epoch"))
        and _is_percentage(value.get("top1"))
        and all(value.get(name, "") is None or _is_percentage(value.get(name)) for name in _GROUPS)
    )


def _is_session(value: object) -> bool:
    return (
        isinstance(value, dict)
        and _is_count(value.get("processes", 1))
        and isinstance(value.get("hardware", {}), dict)
    )


_GROUPS = ("many", "medium", "few")
_VALUES: dict[str, Callable[[Any], bool]] = {
    "recipe": lambda value: isinstance(value, dict),
    "data": _is_data,
    "epochs_finished": _is_count,
    "last": _is_epoch,
    "best": _is_epoch,
    "chosen": _is_epoch,
    "sessions": lambda value: isinstance(value, list) and all(map(_is_session, value)),
}


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def write_metrics(folder: Path, history: list[dict[str, Any]]) -> None:
    """Write one line an epoch, atomically; what a resumed run repeats is replaced, not doubled."""
    lines = "".join(json.dumps(row, allow_nan=False) + "\n" for row in history)
    write_atomically(folder / METRICS_NAME, lines.encode())


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The finished epochs of the run in a folder, one row each; none if there is no such file yet.

    Raises:
        CheckpointError: the file is damaged.
    """
    path = folder / METRICS_NAME
    try:
        lines = read_text(path).splitlines() if path.exists() else []
        return [parse_json(line, f"line {number}") for number, line in enumerate(lines, start=1)]
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error


def without_hashes(record: dict[str, Any]) -> dict[str, Any]:
    """A record without the hashes of the files beside it, which an export adds."""
    return {name: value for name, value in record.items() if name != "sha256"}
