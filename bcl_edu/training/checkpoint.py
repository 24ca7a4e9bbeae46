"""Checkpoints: one file with everything a run needs to continue, replaced as a whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
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
        CheckpointError: as `load_checkpoint`, or something is missing.
    """
    state = load_checkpoint(path)
    missing = [name for name in _STORED if name not in state]
    if missing:
        raise CheckpointError(f"{path} is no checkpoint of a run: it has no {', '.join(missing)}")
    return state


_STORED = (
    "recipe",
    "data",
    "normalisation",
    "image_shape",
    "model",
    "epoch",
    "step",
    "history",
    "best",
    "sessions",
)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU; only tensors and plain values are ever unpickled.

    Raises:
        CheckpointError: the file is missing, damaged, holds anything else, or is of another format.
        PermissionError: it may not be read.
    """
    if not path.is_file():
        raise CheckpointError(
            f"there is no checkpoint {path}; expected a file checkpoint.pt, or the folder of a run "
            "(python -m bcl_edu.train makes them, by default below runs/)"
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except PermissionError:
        raise  # it may be whole: nobody should remove it
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
