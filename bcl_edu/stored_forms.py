"""Reads what runs have stored, also in the forms of earlier versions.

Before methods had options of their own, a recipe was one flat table with the field `loss`, and a run had one
stage. Everything that knows of those forms stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from bcl_edu.recipe import MethodOptions, Recipe
from bcl_edu.rows import method_options

_NOT_STORED: dict[str, Any] = {
    "image_size": None,
    "unreadable_images": "refuse",
    "accumulate": 1,
    "start_from": None,
    "nesterov": False,
    "rate_per_epoch": False,
    "val_fraction": 0.0,
    "protocol": "faithful",
    "warmup_from": 0.0,
    "upright": False,
}
"""Values of fields that did not exist when an old record was written."""

_OPTIONS_ONCE_FLAT = (
    "lambda_",
    "mu",
    "temperature",
    "classifier",
    "head_hidden",
    "head_dim",
    "focal_gamma",
    "class_balanced_beta",
)
"""Fields of the flat recipe that are options of a method today; each run stored all of them, used or not."""


def recipe_from_dict(values: Mapping[str, Any]) -> Recipe:
    """The recipe of a record or a checkpoint; the inverse of `recipe_as_dict`.

    Raises:
        ValueError: a field is missing or unknown, as in a record of another version of this package, or a
            value is one that no recipe can have.
    """
    stored = _NOT_STORED | dict(_with_nested_options(values) if "loss" in values else values)
    if "held_out" in stored:  # the name that val_fraction once had
        stored["val_fraction"] = stored.pop("held_out")
    known = {field.name for field in fields(Recipe)}
    if known != set(stored):
        raise ValueError(
            f"this recipe is of another version of bcl_edu: missing {sorted(known - set(stored))}, "
            f"unknown {sorted(set(stored) - known)}"
        )
    method = _options_from_dict(stored.pop("method"))
    return Recipe(method=method, **_checked(stored, Recipe))


def _with_nested_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """The present form of a flat recipe."""
    flat = dict(values)
    if flat.pop("contrast", "batch") != "batch":
        raise ValueError(
            "this run compared anchors within micro-batches only (contrast 'part'), which this version cannot do; "
            "it has no figure to compare with others"
        )
    name = flat.pop("loss")
    stored = {option: flat.pop(option) for option in _OPTIONS_ONCE_FLAT if option in flat}
    used = {field.name for field in fields(method_options(name))} if isinstance(name, str) else set()
    return flat | {"method": {"name": name, **{key: value for key, value in stored.items() if key in used}}}


def _options_from_dict(values: Any) -> MethodOptions:
    if not isinstance(values, dict) or not isinstance(values.get("name"), str):
        raise ValueError(f"the stored recipe was changed: its method is {values!r}, which no recipe can have")
    options = method_options(values["name"])
    given = {name: value for name, value in values.items() if name != "name"}
    known = {field.name for field in fields(options)}
    if unknown := sorted(given.keys() - known):
        raise ValueError(
            f"the stored recipe's method {options.name} has {', '.join(unknown)}, which this version does not know"
        )
    return replace(options, **_checked(given, type(options)))


def _checked(values: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """Values from a file with lists as tuples, each of its field's type."""
    hints = _hints(kind)
    restored = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    for name, value in restored.items():
        if not _is_a(value, hints[name]):
            raise ValueError(
                f"the stored recipe was changed: its {name} is {value!r}, which no recipe can have"
            )
    return restored


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _is_a(value: object, kind: Any) -> bool:
    """True if a value from a file is of a field's type; the recipe checks the choices of a Literal."""
    origin, of = get_origin(kind), get_args(kind)
    if origin is Literal:
        return isinstance(value, str)
    if origin in (Union, UnionType):
        return any(_is_a(value, option) for option in of)
    if origin is tuple:
        if not isinstance(value, tuple) or (of[-1] is not Ellipsis and len(value) != len(of)):
            return False
        return all(_is_a(one, of[0]) for one in value)
    if kind in (int, float):  # a whole number is also a number; True is neither
        return isinstance(value, (int, kind)) and not isinstance(value, bool)
    return isinstance(value, kind)


def checkpoint_in_present_form(state: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint's state with what earlier versions did not store: a run of one stage has no stage's number."""
    if state.get("format") != 1:
        return state
    groups = [{"rate": 1.0} | group for group in state["optimizer"]["param_groups"]]
    optimizer = dict(state["optimizer"]) | {"param_groups": groups}
    return state | {"stage": 0, "start": None, "optimizer": optimizer}


def epochs_of(record: Mapping[str, Any]) -> int:
    """Epochs of a run in all its stages; earlier records say them only in the recipe, of the one stage there was.

    Raises:
        ValueError: the recipe is one that no run has.
    """
    epochs = record.get("epochs")
    return epochs if isinstance(epochs, int) else recipe_from_dict(record["recipe"]).epochs
