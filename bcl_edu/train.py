"""Train a recipe to its end, or continue an interrupted run.

python -m bcl_edu.train --list                             # the recipes, by table, and the methods
python -m bcl_edu.train digits-lt                          # nothing to download, under a minute
python -m bcl_edu.train table2-bcl --data-dir DIR          # a row of the paper's tables
python -m bcl_edu.train cifar100-lt --data-dir DIR --epochs 10   # any value of a recipe can be changed
python -m bcl_edu.train cifar100-lt --method ldam-drw      # another method on the same images
python -m bcl_edu.train cifar100-lt --method kcl --protocol common   # with BCL's views, batches and schedule
python -m bcl_edu.train cifar100-lt --data-dir DIR --dry-run     # how long it would take, how much memory
python -m bcl_edu.train cifar100-lt --data-dir DIR --resume      # after Ctrl-C, a crash or a power cut
torchrun --nproc-per-node 4 -m bcl_edu.train cifar100-lt   # one global batch on four processes
python -m bcl_edu.train digits-lt --plugin my_methods.py --method mine   # a method of your own, in your file
python -m bcl_edu.train folder --data-dir DIR              # images of your own
python -m bcl_edu.train cifar100-lt --help                 # every option that the recipe uses
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

import tyro

from bcl_edu import terminal
from bcl_edu.escape import for_terminal
from bcl_edu.files import explain_error
from bcl_edu.option_values import near_names, parse_options
from bcl_edu.plugins import load_plugins
from bcl_edu.recipe import Protocol, Recipe, flat, refuse_unused, unused
from bcl_edu.rows.listing import description, list_methods, list_recipes
from bcl_edu.rows.registry import METHODS, RECIPES
from bcl_edu.run_options import RunOptions

if TYPE_CHECKING:  # torch, which a command's help need not wait for
    from bcl_edu.training.loop import RunResult


@dataclass(frozen=True)
class Command:
    """A recipe, with any of its values changed, where to run it, and whether only to say what it would take."""

    recipe: Recipe
    run: RunOptions
    dry_run: bool


def list_all() -> str:
    """The recipes, grouped by the paper's tables, and the methods by name."""
    return f"{list_recipes()}\n\n{list_methods()}"


def parse(arguments: Sequence[str]) -> Command:
    """The command line as a recipe with its changes and options; help and mistakes end the process."""
    plugins, arguments = _plugins(arguments)
    try:
        load_plugins(plugins)
    except ValueError as error:
        sys.exit(f"bcl_edu.train: {error}")
    first = arguments[0] if arguments else "--help"
    if first in ("-h", "--help"):
        print(terminal.fitted(str(__doc__)), list_all(), sep="\n")
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
    method, rest = _take(_with_compile_spelled_out(arguments[1:]), "--method", "--loss")
    protocol, rest = _take(rest, "--protocol")
    try:
        chosen = {"method": method, "protocol": protocol}
        recipe = recipe.change(**{name: value for name, value in chosen.items() if value is not None})
    except ValueError as error:
        sys.exit(f"bcl_edu.train: {error}; python -m bcl_edu.train --list shows all")
    _refuse_unknown(recipe, rest)
    parsed = parse_options(
        _options_type(recipe, rest),
        f"python -m bcl_edu.train {first}",
        description(first) + (IN_COMMON if recipe.protocol == "common" else ""),
        rest,
    )
    changes = {one.name: getattr(parsed, one.name) for one in fields(Recipe)}
    try:
        recipe = recipe.change(**changes)
        refuse_unused(recipe, _asked_for(recipe, rest), started=parsed.run.init_from is not None)
        return Command(recipe, parsed.run, parsed.dry_run)
    except ValueError as error:
        sys.exit(f"bcl_edu.train: {error}")


IN_COMMON = (
    "\n\nUnder the common protocol, views, batches, schedule and epochs are BCL's instead, whatever is said above; the "
    "report shows such runs in tables of their own."
)


def _take(arguments: Sequence[str], *options: str) -> tuple[str | None, list[str]]:
    """The value of one of these options, also joined by "=", and the other arguments.

    The method and the protocol are taken first, because they decide which options there are and their defaults.
    """
    rest, name = [], None
    waiting = iter(arguments)
    for argument in waiting:
        option, joined, value = argument.partition("=")
        if option in options:
            name = value if joined else next(waiting, None)
            if name is None:
                names = METHODS if "--method" in options else get_args(Protocol)
                sys.exit(f"bcl_edu.train: {option} needs one of {', '.join(names)}")
        else:
            rest.append(argument)
    return name, rest


def _plugins(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files after each `--plugin`, which decide what names there are, and the other arguments."""
    plugins: list[str] = []
    rest = list(arguments)
    while any(argument.partition("=")[0] == "--plugin" for argument in rest):
        position = next(i for i, argument in enumerate(rest) if argument.partition("=")[0] == "--plugin")
        _, joined, value = rest.pop(position).partition("=")
        if not joined:
            if position == len(rest):
                sys.exit("bcl_edu.train: --plugin needs a file, such as my_methods.py")
            value = rest.pop(position)
        plugins.append(value)
    return plugins, rest


def _with_compile_spelled_out(arguments: Sequence[str]) -> list[str]:
    """`--compile` without a value as `--compile on`, `--no-compile` as `--compile off`."""
    words: list[str] = []
    for argument, following in zip(arguments, [*arguments, "--"][1:], strict=True):
        if argument == "--no-compile":
            words += ["--compile", "off"]
        elif argument == "--compile" and following.startswith("-"):
            words += ["--compile", "on"]
        else:
            words.append(argument)
    return words


def _option(name: str) -> str:
    return "--" + name.rstrip("_").replace("_", "-")


def _refuse_unknown(recipe: Recipe, arguments: Sequence[str]) -> None:
    """Exit at an option that there is not, with the methods that have it, or those that may have been meant."""
    known = {_option(one.name) for of in (Recipe, recipe.method, RunOptions, _Further) for one in fields(of)}
    known |= {"--help", "--method", "--protocol"}
    for argument in arguments:
        option = argument.partition("=")[0].replace("_", "-")
        if not option.startswith("--") or known & {option, option.replace("--no-", "--", 1)}:
            continue
        having = [
            name for name, of in METHODS.items() if option in map(_option, (one.name for one in fields(of)))
        ]
        near = near_names(option, known, cutoff=0.6)
        if having:
            why = f"the method {recipe.method.name} has no option {option}; these have: {', '.join(having)} (--method)"
        else:
            why = f"there is no option {option}" + (f"; did you mean {near}?" if near else "")
        sys.exit(f"bcl_edu.train: {why}")


def _asked_for(recipe: Recipe, arguments: Sequence[str]) -> set[str]:
    """Names of the recipe's values, its method's included, whose options are on the command line."""
    options = {argument.partition("=")[0].replace("_", "-") for argument in arguments}
    asked = options | {option.replace("--no-", "--", 1) for option in options}
    return {name for name in flat(recipe) if _option(name) in asked}


def _options_type(recipe: Recipe, arguments: Sequence[str]) -> type:
    """A class with the values that a recipe uses as its fields, from which tyro makes options and help.

    Values that the recipe does not use are not shown in the help, but are options once they are asked for by name.
    """
    hidden = unused(recipe) - _asked_for(recipe, arguments)
    hints = get_type_hints(Recipe, include_extras=True)
    shown: list[Any] = []
    annotated: Any = Annotated  # types that are known at run time only
    suppressed: Any = tyro.conf.Suppress
    for one in fields(Recipe):
        kind: Any = hints[one.name]
        default: Any = getattr(recipe, one.name)
        if one.name == "method":
            kind = annotated[type(default), tyro.conf.OmitArgPrefixes]
        elif one.name in hidden:
            kind = suppressed[kind]
        shown.append((one.name, kind, field(default=default)))
    # a subclass, so that tyro finds the help of a field where Recipe documents it
    return make_dataclass("Options", shown, bases=(Recipe, _Further), frozen=True, kw_only=True)


@dataclass(frozen=True, kw_only=True)
class _Further:
    run: Annotated[RunOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=RunOptions)
    plugin: Path | None = None
    """A file of your own that registers backbones, losses or methods (docs/own_method.md); may be repeated."""
    dry_run: bool = False
    """Take a few steps, print how long the whole run would take, how much memory and disk, and write nothing."""


def _what_next(result: RunResult) -> str:
    """Message for a run that was already finished: what can be done with it."""
    folder, method = for_terminal(result.folder), result.method
    in_steps = result.record["recipe"]["schedule"] == "steps"
    longer = in_steps and method.extendable and len(method.stages()) == 1
    return (
        "the run was finished already, and nothing was trained: "
        + ("--extend-to EPOCHS, besides --resume, trains it for longer, " if longer else "")
        + f"--init-from {folder} starts another run from its weights, and python -m bcl_edu.evaluate {folder} "
        "evaluates it"
    )


@terminal.command
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a problem the user can mend is one message on stderr and exit status 1."""
    command = parse(sys.argv[1:] if arguments is None else arguments)

    from bcl_edu.training.checkpoint import CheckpointError
    from bcl_edu.training.device import keep_freed_memory, out_of_memory
    from bcl_edu.training.display import result_table
    from bcl_edu.training.distributed import ProcessLost
    from bcl_edu.training.estimate import estimate
    from bcl_edu.training.loop import Interrupted, LossNotFinite, train

    # under torchrun rank 0 prints the results, and every rank its own errors
    rank, world_size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    who = "bcl_edu.train" if world_size == 1 else f"bcl_edu.train, process {rank} of {world_size}"
    keep_freed_memory()
    try:
        if command.dry_run:
            print(estimate(command.recipe, command.run).table())
            return
        result = train(command.recipe, command.run)
    except (ValueError, OSError, CheckpointError, LossNotFinite, ProcessLost) as error:
        if terminal.is_of_the_output(error):
            raise
        sys.exit(f"{who}: {explain_error(error)}")
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
            said = str(stopped) or "stopped before the run began; nothing of it was changed"
            print(f"bcl_edu.train: {said}", file=sys.stderr)
        sys.exit(130)
    if rank != 0:
        return
    print(result_table(result.record))
    if result.was_finished:
        print(terminal.fitted(_what_next(result)))
    print(f"run record, metrics and checkpoint: {for_terminal(result.folder)}")


if __name__ == "__main__":
    main()
