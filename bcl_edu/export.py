"""Keep a finished run: its record, its metrics, and its weights as safetensors.

python -m bcl_edu.export runs/digits-lt-bcl-seed0 results/digits-lt/bcl
python -m bcl_edu.evaluate results/digits-lt/bcl
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from bcl_edu import terminal
from bcl_edu.escape import for_terminal
from bcl_edu.files import explain_error
from bcl_edu.option_values import parse_options
from bcl_edu.plugins import load_plugins
from bcl_edu.training.checkpoint import CheckpointError
from bcl_edu.training.weights import SMALL_ENOUGH, Dtype, export_run

DESCRIPTION = "Keep a finished run: its record, its metrics, and its weights as safetensors."


@dataclass(frozen=True)
class Command:
    """Options of the command: the run to keep, and the folder for it."""

    run: tyro.conf.Positional[Path]
    """A finished run's folder."""
    destination: tyro.conf.Positional[Path]
    """A folder that does not exist yet."""
    plugin: tyro.conf.UseAppendAction[tuple[Path, ...]] = ()
    """A file of your own that registers the run's backbone, loss or method, if they are yours; may be repeated."""
    best: bool = False
    """Keep the weights of the best epoch on the validation split instead of the last ones (see --keep-best)."""
    dtype: Dtype = "auto"
    """Number format of the stored weights; auto is float32 where that stays below 3 MB, else float16."""


@terminal.command
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a problem the user can mend is one message on stderr and exit status 1."""
    command: Command = parse_options(Command, "python -m bcl_edu.export", DESCRIPTION, arguments)
    try:
        load_plugins(command.plugin)
        weights = export_run(command.run, command.destination, command.dtype, best=command.best)
    except (ValueError, OSError, CheckpointError) as error:
        sys.exit(f"bcl_edu.export: {explain_error(error)}")
    size = weights.stat().st_size
    note = "" if size <= SMALL_ENOUGH else ", too large to keep in a repository"
    print(
        f"{for_terminal(command.destination)}: run.json, metrics.jsonl, {weights.name} ({size / 1e6:.2f} MB{note})"
    )


if __name__ == "__main__":
    main()
