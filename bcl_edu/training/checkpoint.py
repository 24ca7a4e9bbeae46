"""Checkpoints: one file with everything a run needs to continue, replaced as a whole or not at all."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any

import torch

from bcl_edu.files import write_atomically

FORMAT = 1

CHECKPOINT_NAME = "checkpoint.pt"
"""Under which a run's folder has it."""


class CheckpointError(ValueError):
    """A file that cannot be used as a checkpoint; the message says why and what to do."""


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Store tensors and plain values (dict, list, str, numbers, None) atomically."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    write_atomically(path, buffer.getvalue())


def load_run_checkpoint(path: Path) -> dict[str, Any]:
    """Read the checkpoint of a run, as `load_checkpoint` does, and see that it has what every run stores.

    Raises:
        CheckpointError: as `load_checkpoint`, or something is missing or of another type.
    """
    state = load_checkpoint(path)
    wrong = [name for name, kind in _STORED.items() if not isinstance(state.get(name, ...), kind)]
    if not wrong and len(state["history"]) != state["epoch"]:  # one row an epoch
        wrong = ["history"]
    if wrong:
        raise CheckpointError(
            f"{path} is of another version of bcl_edu, or was changed: it has no usable {', '.join(wrong)}"
        )
    return state


_STORED: dict[str, type | tuple[type, ...]] = {
    "recipe": dict,
    "data": dict,
    "normalisation": dict,
    "image_shape": list,
    "model": dict,
    "optimizer": dict,
    "random": dict,
    "epoch": int,
    "step": int,
    "sums": dict,
    "seconds": (int, float),
    "history": list,
    "best": (dict, NoneType),
    "sessions": list,
}


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU; only tensors and plain values are ever unpickled.

    Raises:
        CheckpointError: the file is missing, damaged, holds anything else, or is of another format.
        OSError: the system refuses to read it.
    """
    if not path.is_file():
        raise CheckpointError(
            f"there is no checkpoint {path}; expected a file {CHECKPOINT_NAME}, or the folder of a run "
            "(python -m bcl_edu.train makes them, by default below runs/)"
        )
    content = path.read_bytes()
    try:
        # torch does not look at the checksums that it writes
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            damaged = parts.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"the checksum of {damaged} is another")
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint ({type(error).__name__}): it is damaged, or not one of ours. "
            "If it is damaged, the run must begin again: remove it, or choose another --output"
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        found = state.get("format") if isinstance(state, dict) else type(state).__name__
        raise CheckpointError(
            f"{path} has checkpoint format {found!r}, but this version of bcl_edu reads format {FORMAT}"
        )
    return state
