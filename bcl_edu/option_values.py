"""Values of options on a command line: a mistake is answered with what was typed, what was expected, and near names."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import is_dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from bcl_edu import terminal
from bcl_edu.files import user_path


def near_names(word: str, names: Iterable[str], cutoff: float = 0.0) -> str:
    """Up to three names that a mistyped word may stand for, joined by "or"; "" if none is near enough.

    Args:
        word: what was typed.
        names: what there is.
        cutoff: least similarity, from 0 (any) to 1 (the word itself), as `difflib.get_close_matches` has it.
    """
    return " or ".join(difflib.get_close_matches(word, list(names), n=3, cutoff=cutoff))


def parse_options(kind: Any, prog: str, description: str, arguments: Sequence[str] | None) -> Any:
    """The options of a command line; help and mistakes end the process.

    Args:
        kind: the dataclass of the options, or a union of such for subcommands.
        prog: the command, as `python -m bcl_edu.train`.
        description: for its help.
        arguments: by default those of this process.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    if (missing := missing_value(kind, words)) is not None:
        sys.exit(f"{prog.removeprefix('python -m ').partition(' ')[0]}: {missing}")
    with VALUE_RULES:
        return tyro.cli(kind, prog=prog, description=terminal.description(description), args=words)


def missing_value(kind: Any, arguments: Sequence[str]) -> str | None:
    """Message for the first option that lacks its value, with an example; None if there is no such option."""
    # Found before tyro reads the words. Its own message is "Expected 1 values": a rule is asked about values that are
    # there, one that also took none (nargs="*") would take the positional arguments that follow, and the hook for
    # parse errors is private to tyro.
    if {"-h", "--help"} & set(arguments):
        return None
    kinds = _kinds_of_values(kind)
    for word, following in zip(arguments, [*arguments, "--"][1:], strict=True):
        of_option = kinds.get(word.replace("_", "-"))
        if of_option is not None and following.startswith("--"):
            return f"{word} needs {of_option}"
    return None


def _kinds_of_values(kind: Any) -> dict[str, str]:
    """Kind of value of each option, in words; options without a value and those with several are left out."""
    if _is_union(kind):
        return {name: words for one in get_args(kind) for name, words in _kinds_of_values(one).items()}
    found: dict[str, str] = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        while get_origin(hint) is Annotated:
            hint = get_args(hint)[0]
        if is_dataclass(hint):
            found |= _kinds_of_values(hint)
        elif words := _expected_value(hint):
            found["--" + name.rstrip("_").replace("_", "-")] = words
    return found


def _expected_value(kind: Any) -> str:
    options = [one for one in (get_args(kind) if _is_union(kind) else (kind,)) if one is not type(None)]
    if all(get_origin(one) is Literal for one in options):
        return "one of " + ", ".join(str(name) for one in options for name in get_args(one))
    return {**_NUMBERS, Path: "a path, such as runs/mine", str: "a value; --help says which"}.get(
        options[0], ""
    )


VALUE_RULES = ConstructorRegistry()
"""tyro's rules for numbers and choices with clearer errors: `with VALUE_RULES:` around `tyro.cli`.

Its own repeat the words of Python's int and float, and list choices in an order that changes.
"""

_NUMBERS = {int: "a whole number, such as 64", float: "a number, such as 0.5 or 5e-4"}


@VALUE_RULES.primitive_rule
def _number(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    kind: Any = info.type
    if kind not in _NUMBERS:
        return None

    def parse_number(words: list[str]) -> Any:
        try:
            return kind(words[0])
        except ValueError:
            raise ValueError(f"{words[0]!r} is not {_NUMBERS[kind]}") from None

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=kind.__name__.upper(),
        instance_from_str=parse_number,
        is_instance=lambda value: isinstance(value, (kind, int)),
        str_from_instance=lambda value: [str(value)],
    )


@VALUE_RULES.primitive_rule
def _path(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """A path, with ~ expanded, which no shell does in `--output=~/runs`."""
    if info.type is not Path:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="PATH",
        instance_from_str=lambda words: user_path(words[0]),
        is_instance=lambda value: isinstance(value, Path),
        str_from_instance=lambda value: [str(value)],
    )


@VALUE_RULES.primitive_rule
def _choice(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    options = _options(info)
    if not all(get_origin(option) is Literal for option in options):
        return None
    names: list[str] = [name for option in options for name in get_args(option)]

    def parse_choice(words: list[str]) -> str:
        if words[0] in names:
            return words[0]
        near = near_names(words[0], names, cutoff=0.5)
        hint = f"; did you mean {near}?" if near else ""
        raise ValueError(f"{words[0]!r} is not one of {', '.join(names)}{hint}")

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="{" + ",".join(names) + "}",
        instance_from_str=parse_choice,
        is_instance=lambda value: value in names,
        str_from_instance=lambda value: [str(value)],
    )


@VALUE_RULES.primitive_rule
def _may_be_left_out(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """`X | None` takes what X takes, and the word None."""
    options = _options(info)
    if len(options) != 2 or type(None) not in options:
        return None
    (kind,) = (option for option in options if option is not type(None))
    of_kind = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(kind, info.markers))
    if not isinstance(of_kind, PrimitiveConstructorSpec):
        return None
    return replace(
        of_kind,
        metavar="{None}|" + of_kind.metavar,
        instance_from_str=lambda words: None if words == ["None"] else of_kind.instance_from_str(words),
        is_instance=lambda value: value is None or of_kind.is_instance(value),
        str_from_instance=lambda value: ["None"] if value is None else of_kind.str_from_instance(value),
    )


def _options(info: PrimitiveTypeInfo) -> tuple[Any, ...]:
    """The members of a union; of any other type, itself."""
    return get_args(info.type) if info.type_origin in (Union, UnionType) else (info.type,)


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType)
