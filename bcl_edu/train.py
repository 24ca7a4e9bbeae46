"""Train a recipe to its end, or continue an interrupted run.

python -m bcl_edu.train --list                                    # the recipes and the losses
python -m bcl_edu.train digits-lt                                 # nothing to download, under a minute
python -m bcl_edu.train cifar100-lt --data-dir DIR --epochs 10    # any value of a recipe can be changed
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

from bcl_edu.methods import OBJECTIVES
from bcl_edu.training.checkpoint import CheckpointError
from bcl_edu.training.options import RunOptions
from bcl_edu.training.recipe import RECIPES, Recipe


@dataclass(frozen=True)
class Command:
    """A recipe, with any of its values changed, and where to run it."""

    recipe: tyro.conf.OmitArgPrefixes[Recipe]
    run: Annotated[RunOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=RunOptions)


def list_recipes() -> str:
    """The recipes and the losses by name, one a line."""
    width = max(map(len, [*RECIPES, *OBJECTIVES]))
    lines = ["Recipes (python -m bcl_edu.train RECIPE):"]
    lines += [f"  {name:<{width}}  {title}" for name, (title, _) in RECIPES.items()]
    lines += ["", "Losses (--loss):"]
    lines += [f"  {name:<{width}}  {objective.title}" for name, objective in OBJECTIVES.items()]
    return "\n".join(lines)


def parse(arguments: Sequence[str]) -> Command:
    """The command line as a recipe with its changes and options; help and mistakes end the process."""
    first = arguments[0] if arguments else "--help"
    if first in ("-h", "--help"):
        print(__doc__, list_recipes(), sep="\n")
    elif first == "--list":
        print(list_recipes())
    if first in ("-h", "--help", "--list"):
        sys.exit(0 if arguments else 2)
    if first not in RECIPES:
        sys.exit(
            f"bcl_edu.train: there is no recipe {first!r}; the first word must be one of {', '.join(RECIPES)}"
        )
    title, recipe = RECIPES[first]
    return tyro.cli(
        Command,
        default=Command(recipe),
        prog=f"python -m bcl_edu.train {first}",
        description=title,
        args=arguments[1:],
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a problem the user can mend is one message on stderr and exit status 1."""
    command = parse(sys.argv[1:] if arguments is None else arguments)

    from bcl_edu.training.display import result_table
    from bcl_edu.training.loop import Interrupted, LossNotFinite, train

    try:
        result = train(command.recipe, command.run)
    except (ValueError, OSError, CheckpointError, LossNotFinite) as error:
        sys.exit(f"bcl_edu.train: {error}")
    except Interrupted as stopped:
        print(f"bcl_edu.train: {stopped}", file=sys.stderr)
        sys.exit(130)
    except KeyboardInterrupt:
        print("bcl_edu.train: stopped before the first step; there was nothing to save", file=sys.stderr)
        sys.exit(130)
    if os.environ.get("RANK", "0") != "0":  # under torchrun, one process speaks for all
        return
    print(result_table(result.record))
    print(f"run record, metrics and checkpoint: {result.folder}")


if __name__ == "__main__":
    main()
