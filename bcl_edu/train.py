"""Train a recipe to its end, or continue an interrupted run.

python -m bcl_edu.train --list                                    # the recipes, by table, and the losses
python -m bcl_edu.train digits-lt                                 # nothing to download, under a minute
python -m bcl_edu.train table2-bcl --data-dir DIR                 # a row of the paper's tables
python -m bcl_edu.train cifar100-lt --data-dir DIR --epochs 10    # any value of a recipe can be changed
python -m bcl_edu.train cifar100-lt --data-dir DIR --dry-run      # how long it would take, and how much memory
python -m bcl_edu.train cifar100-lt --data-dir DIR --resume       # after Ctrl-C, a crash or a power cut
torchrun --nproc-per-node 4 -m bcl_edu.train cifar100-lt          # one global batch on four processes
python -m bcl_edu.train cifar100-lt --help                        # every option with its default
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import tyro

from bcl_edu import terminal
from bcl_edu.files import in_words
from bcl_edu.methods import OBJECTIVES
from bcl_edu.option_values import PLAIN_VALUES, near_names
from bcl_edu.recipe import Recipe
from bcl_edu.rows import RECIPES, description, list_recipes
from bcl_edu.training.checkpoint import CheckpointError
from bcl_edu.training.options import RunOptions


@dataclass(frozen=True)
class Command:
    """A recipe, with any of its values changed, and where to run it."""

    recipe: tyro.conf.OmitArgPrefixes[Recipe]
    run: Annotated[RunOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=RunOptions)
    dry_run: bool = False
    """Take a few steps, print how long the whole run would take, how much memory and disk, and write nothing."""


def list_all() -> str:
    """The recipes, grouped by the paper's tables, and the losses by name, one a line."""
    width = max(map(len, OBJECTIVES))
    losses = [f"  {name:<{width}}  {objective.title}" for name, objective in OBJECTIVES.items()]
    return "\n".join([list_recipes(), "", "Losses (--loss):", *losses])


def parse(arguments: Sequence[str]) -> Command:
    """The command line as a recipe with its changes and options; help and mistakes end the process."""
    first = arguments[0] if arguments else "--help"
    if first in ("-h", "--help"):
        print(__doc__, list_all(), sep="\n")
    elif first == "--list":
        print(list_all())
    if first in ("-h", "--help", "--list"):
        sys.exit(0 if arguments else 2)
    if first not in RECIPES:
        sys.exit(
            f"bcl_edu.train: there is no recipe {first!r}; the first word names one. Did you mean "
            f"{near_names(first, RECIPES)}? python -m bcl_edu.train --list shows all"
        )
    _, recipe = RECIPES[first]
    with PLAIN_VALUES:
        return tyro.cli(
            Command,
            default=Command(recipe),
            prog=f"python -m bcl_edu.train {first}",
            description=description(first),
            args=arguments[1:],
        )


@terminal.command
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a problem the user can mend is one message on stderr and exit status 1."""
    command = parse(sys.argv[1:] if arguments is None else arguments)

    from bcl_edu.training.display import result_table
    from bcl_edu.training.distributed import ProcessLost
    from bcl_edu.training.estimate import estimate
    from bcl_edu.training.loop import Interrupted, LossNotFinite, train
    from bcl_edu.training.memory import out_of_memory

    # under torchrun, one process speaks for all, but each of its own errors
    rank, world_size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    who = "bcl_edu.train" if world_size == 1 else f"bcl_edu.train, process {rank} of {world_size}"
    try:
        if command.dry_run:
            print(estimate(command.recipe, command.run).table())
            return
        result = train(command.recipe, command.run)
    except (ValueError, OSError, CheckpointError, LossNotFinite, ProcessLost) as error:
        sys.exit(f"{who}: {in_words(error)}")
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        said = str(error).partition("\n")[0] or type(error).__name__  # Python's own MemoryError says nothing
        sys.exit(
            f"{who}: there is not enough memory ({said}); a smaller --batch-size needs less, or "
            "the same batch in parts (--accumulate); --dry-run says what a run takes"
        )
    except (Interrupted, KeyboardInterrupt) as stopped:
        if rank == 0:
            said = str(stopped) or "stopped before the first step; there was nothing to save"
            print(f"bcl_edu.train: {said}", file=sys.stderr)
        sys.exit(130)
    if rank != 0:
        return
    print(result_table(result.record))
    print(f"run record, metrics and checkpoint: {result.folder}")


if __name__ == "__main__":
    main()
