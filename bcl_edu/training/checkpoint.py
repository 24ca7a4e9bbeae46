"""Checkpoints: one file with everything a run needs to continue, replaced as a whole or not at all."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bcl_edu.counting import counted
from bcl_edu.files import write_atomically
from bcl_edu.stored_forms import checkpoint_in_present_form
from bcl_edu.training.checkpoint_schema import first_misfit, unusable_parts

FORMAT = 2
READABLE_FORMATS = (1, 2)
"""Format 1 is that of runs with one stage and a flat recipe (see `stored_forms`)."""

CHECKPOINT_NAME = "checkpoint.pt"
"""Name of the checkpoint in a run's folder."""


BEST_NAME = "best.pt"
"""Name of the checkpoint of the best epoch on the validation split (--keep-best)."""


class CheckpointError(ValueError):
    """A file that cannot be used as a checkpoint; the message says why and what to do."""


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Store tensors and plain values (dict, list, str, numbers, None) atomically."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    write_atomically(path, buffer.getvalue())


def load_run_checkpoint(path: Path) -> dict[str, Any]:
    """Read the checkpoint of a run, as `load_checkpoint` does, and check that it has every part that a run stores.

    Raises:
        CheckpointError: as `load_checkpoint`, or a part is missing or malformed; the message names it.
    """
    state = load_checkpoint(path)
    with suppress(KeyError, TypeError, AttributeError):  # what is missing or of another type is named below
        state = checkpoint_in_present_form(state)
    wrong = unusable_parts(state)
    if not wrong and len(state["history"]) < state["epoch"]:  # one row an epoch
        wrong = ["history"]
    problem = f"it has no usable {', '.join(wrong)}" if wrong else first_misfit(state)
    if problem is not None:
        raise CheckpointError(f"{path} is of another version of bcl_edu, or was changed: {problem}")
    return state


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
    if not isinstance(state, dict) or state.get("format") not in READABLE_FORMATS:
        found = state.get("format") if isinstance(state, dict) else type(state).__name__
        raise CheckpointError(
            f"{path} has checkpoint format {found!r}, but this version of bcl_edu reads "
            f"{' and '.join(map(str, READABLE_FORMATS))}"
        )
    return state


def require_fitting(stored: object, fresh: object, where: str) -> None:
    """Refuse stored state that differs from freshly built state in names, types, or shapes of tensors.

    Called before anything is loaded, so that neither torch nor an optimizer's kernel meets a tensor of another shape.

    Args:
        stored: read from a file.
        fresh: what this program built in its place.
        where: what the state is, for the message.

    Raises:
        CheckpointError: with the first place that differs, what is stored there and what was expected.
    """
    if isinstance(fresh, Tensor):
        expected = f"{fresh.dtype} of shape {tuple(fresh.shape)}"
        if not isinstance(stored, Tensor):
            raise CheckpointError(f"{where} is {type(stored).__name__}, expected {expected}")
        if stored.shape != fresh.shape or stored.dtype != fresh.dtype:
            raise CheckpointError(
                f"{where} is {stored.dtype} of shape {tuple(stored.shape)}, expected {expected}"
            )
    elif isinstance(fresh, Mapping):
        if not isinstance(stored, Mapping) or stored.keys() != fresh.keys():
            found = stored.keys() if isinstance(stored, Mapping) else {type(stored).__name__}
            missing, unknown = sorted(map(str, fresh.keys() - found)), sorted(map(str, found - fresh.keys()))
            raise CheckpointError(f"{where} lacks {_few(missing)}, and has {_few(unknown)} instead")
        for name, value in fresh.items():
            require_fitting(stored[name], value, f"{where}[{name!r}]")
    elif isinstance(fresh, (list, tuple)):
        if type(stored) is not type(fresh) or len(stored) != len(fresh):
            raise CheckpointError(
                f"{where} is {stored!r:.80}, expected {counted(len(fresh), 'value')} as {fresh!r:.80}"
            )
        for position, value in enumerate(fresh):
            require_fitting(stored[position], value, f"{where}[{position}]")
    elif type(stored) is not type(fresh) and {type(stored), type(fresh)} != {int, float}:
        raise CheckpointError(f"{where} is {stored!r:.80}, expected a value such as {fresh!r:.80}")


def _few(names: list[str]) -> str:
    return (
        ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        if names
        else "nothing"
    )


def densely_stored(state: Any) -> Any:
    """The state with every tensor stored densely: a file may hold one whose elements share memory."""
    if isinstance(state, Tensor):
        return state.clone()
    if isinstance(state, Mapping):
        return {name: densely_stored(value) for name, value in state.items()}
    return [densely_stored(value) for value in state] if isinstance(state, list) else state
