"""Schema of a run's checkpoint, except for the state of networks and optimisers, which `require_fitting` compares."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

TENSORS = ("model", "optimizer", "scaler", "random")
"""Parts that are compared with freshly built state."""


class Expected(NamedTuple):
    """Requirement on a value.

    Attributes:
        words: for messages.
        fits: whether a value is one.
    """

    words: str
    fits: Callable[[Any], bool]


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _numbers(value: object, least: float) -> bool:
    return isinstance(value, list) and bool(value) and all(_number(one) and one > least for one in value)


COUNT = Expected("a whole number from 0", _count)
NUMBER = Expected("a number", _number)
SECONDS = Expected("a number from 0", lambda value: _number(value) and value >= 0)
PERCENTAGE = Expected("a number from 0 to 100", lambda value: _number(value) and 0 <= value <= 100)
PERCENTAGE_OR_NONE = Expected("a number from 0 to 100, or None", lambda v: v is None or PERCENTAGE.fits(v))
NUMBER_OR_NONE = Expected("a number, or None", lambda value: value is None or _number(value))
TABLE = Expected("a table of values by name", lambda value: isinstance(value, dict))
TABLE_OR_NONE = Expected("a table of values by name, or None", lambda v: v is None or isinstance(v, dict))
TABLES = Expected(
    "a list of tables", lambda v: isinstance(v, list) and all(isinstance(one, dict) for one in v)
)
SHAPE = Expected(
    "three whole numbers from 1",
    lambda v: isinstance(v, list) and len(v) == 3 and all(_count(one) and one for one in v),
)

PARTS: dict[str, Expected] = {
    "recipe": TABLE,
    "data": TABLE,
    "normalisation": TABLE,
    "image_shape": SHAPE,
    "model": TABLE,
    "optimizer": TABLE,
    "random": TABLE,
    "stage": COUNT,
    "start": TABLE_OR_NONE,
    "epoch": COUNT,
    "step": COUNT,
    "sums": Expected("numbers by name", lambda v: isinstance(v, dict) and all(map(_number, v.values()))),
    "seconds": SECONDS,
    "history": TABLES,
    "best": TABLE_OR_NONE,
    "sessions": TABLES,
}

_ROW = {"epoch": COUNT, "seconds": SECONDS}
_ROW_OF_AN_EVALUATION = _ROW | {
    "top1": PERCENTAGE,
    "many": PERCENTAGE_OR_NONE,
    "medium": PERCENTAGE_OR_NONE,
    "few": PERCENTAGE_OR_NONE,
    "simplex_deviation": NUMBER_OR_NONE,
}


def unusable_parts(state: Mapping[str, Any]) -> list[str]:
    """Names of the parts that are missing or of another type."""
    return [name for name, expected in PARTS.items() if name not in state or not expected.fits(state[name])]


def first_misfit(state: Mapping[str, Any]) -> str | None:
    """The first value inside the parts that no run stores, with its place and what was expected; None if all fit."""
    return next(_misfits(state), None)


def _misfits(state: Mapping[str, Any]) -> Iterator[str]:
    for name, part in state.items():
        if name not in TENSORS:
            yield from _not_plain(part, name)
    yield from _in_table(state["data"], "data", {"class_counts": Expected("counts", _are_counts)})
    per_channel = {
        "mean": Expected("a list of numbers", lambda value: _numbers(value, -math.inf)),
        "std": Expected("a list of numbers above 0", lambda value: _numbers(value, 0.0)),
    }
    yield from _in_table(state["normalisation"], "normalisation", per_channel)
    channels = state["image_shape"][0]
    for name, values in state["normalisation"].items():
        if len(values) != channels:
            yield f"normalisation[{name!r}] has {len(values)} values, but the images have {channels} channels"
    if state["start"] is not None:
        text = Expected("the name of a method", lambda value: isinstance(value, str))
        yield from _in_table(state["start"], "start", {"method": text})
    for position, row in enumerate(state["history"]):
        where = f"history[{position}]"
        losses = {name: NUMBER for name in row if name.startswith("loss")}
        yield from _in_table(row, where, (_ROW_OF_AN_EVALUATION if "top1" in row else _ROW) | losses)
        if row["epoch"] != position + 1:
            yield f"{where}['epoch'] is {row['epoch']}, expected {position + 1}"
    if state["best"] is not None and state["best"] not in state["history"]:
        yield "best is none of the epochs in history"
    if state["best"] is None and any("top1" in row for row in state["history"]):
        yield "best is None, but history has evaluated epochs"


def _are_counts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_count, value))


def _in_table(table: Mapping[str, Any], where: str, expected: Mapping[str, Expected]) -> Iterator[str]:
    for name, one in expected.items():
        if name not in table:
            yield f"{where} lacks {name!r}"
        elif not one.fits(table[name]):
            yield f"{where}[{name!r}] is {table[name]!r:.80}, expected {one.words}"


def _not_plain(value: object, where: str) -> Iterator[str]:
    """Values that JSON has not, such as tensors: compared or formatted, they would raise errors of their own."""
    if isinstance(value, dict):
        for name, one in value.items():
            if not isinstance(name, str):
                yield f"{where} has the name {name!r:.80}, expected text"
            yield from _not_plain(one, f"{where}[{name!r}]")
    elif isinstance(value, list):
        for position, one in enumerate(value):
            yield from _not_plain(one, f"{where}[{position}]")
    elif not (value is None or isinstance(value, (str, bool)) or _number(value)):
        yield f"{where} is {value!r:.80}, expected a plain value"
