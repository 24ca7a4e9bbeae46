"""Methods, rows and recipes by name.

Every module of this package called NAME_rows.py is read, in alphabetical order after `bcl_rows`. It has:

- `METHODS`: the options of its methods with their default values;
- `PRINTED`, optional: by a method's name as Tables 3 to 6 print it, a function from the printed line to the
  row that trains it, whose table, name and figure are filled in here, so that a figure stands in
  `paper_tables.tsv` alone;
- `rows()`, optional: further rows.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from bcl_edu.option_values import near_names
from bcl_edu.recipe import MethodOptions, Recipe
from bcl_edu.rows.bcl_rows import ablations
from bcl_edu.rows.headings import heading, row_name
from bcl_edu.rows.paper import PaperFigure, Printed, printed_figures
from bcl_edu.rows.row import Row
from bcl_edu.rows.starters import SHORT_NAMES, STARTERS

METHODS: dict[str, MethodOptions] = {}
"""The options of every method by the name that `--method` takes."""


def register_method_options(options: MethodOptions) -> None:
    """Register a method by its name, with these options as its defaults.

    Raises:
        ValueError: another method has the name.
    """
    if METHODS.setdefault(options.name, options) != options:
        raise ValueError(f"there is a method {options.name!r} already; choose another name")


def method_options(name: str) -> MethodOptions:
    """The default options of a method.

    Raises:
        ValueError: there is no such method.
    """
    if name not in METHODS:
        near = near_names(name, METHODS, cutoff=0.5)
        hint = f"; did you mean {near}?" if near else "."
        raise ValueError(
            f"there is no method {name!r}{hint} One of your own is known after --plugin FILE (in a notebook, after its "
            "registration)"
        )
    return METHODS[name]


def _modules() -> list[ModuleType]:
    names = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
    names = sorted(
        (name for name in names if name.endswith("_rows")), key=lambda name: (name != "bcl_rows", name)
    )
    return [importlib.import_module(f"bcl_edu.rows.{name}") for name in names]


def _compared(modules: list[ModuleType]) -> Iterator[Row]:
    """The rows of Tables 3 to 6 that can be trained, each once, though two tables may print it."""
    trained_by = {label: row for module in modules for label, row in getattr(module, "PRINTED", {}).items()}
    merged: dict[str, Row] = {}
    for printed in printed_figures():
        if printed.table < 3 or printed.method not in trained_by:
            continue
        row: Row = trained_by[printed.method](printed)
        name = row_name(printed, row.recipe.method.name)
        paper = _fuller(merged[name].paper, printed.figure) if name in merged else printed.figure
        merged[name] = replace(
            row, table=heading(printed), recipe=replace(row.recipe, name=name), paper=paper
        )
    yield from merged.values()


def _fuller(first: PaperFigure | None, second: PaperFigure) -> PaperFigure:
    """One figure of the two that different tables print: the more precise average, with the shot groups."""
    if first is None:
        return second
    with_groups = second if second.many is not None else first
    precise = max(first.top1, second.top1, key=lambda value: len(f"{value:g}"))
    return replace(with_groups, top1=precise)


def _by_table(rows: Iterable[Row]) -> dict[str, Row]:
    """Rows by name, those of a table together, tables and rows in the order in which they come; the first of
    a name counts."""
    tables: dict[str, dict[str, Row]] = {}
    for row in rows:
        tables.setdefault(row.table, {}).setdefault(row.recipe.name, row)
    return {name: row for table in tables.values() for name, row in table.items()}


_MODULES = _modules()
for _module in _MODULES:
    for _options in _module.METHODS:
        register_method_options(_options)

ROWS: dict[str, Row] = _by_table(
    [
        *ablations(),
        *_compared(_MODULES),
        *(row for module in _MODULES if hasattr(module, "rows") for row in module.rows()),
    ]
)
"""The rows of the tables by the name of their recipe, those of a table together."""


def not_trained_here() -> list[Printed]:
    """Printed lines of the tables that no recipe trains yet."""
    labels = {label for module in _MODULES for label in getattr(module, "PRINTED", {})}
    return [printed for printed in printed_figures() if printed.table > 2 and printed.method not in labels]


RECIPES: dict[str, tuple[str, Recipe]] = STARTERS | {
    name: (row.title, row.recipe) for name, row in ROWS.items()
}
"""Recipes by name, each with one line of description."""


def row_of_recipe(name: str) -> Row | None:
    """The row of a table that a recipe's name stands for, also by a short name; None for a starter of ours."""
    return ROWS.get(SHORT_NAMES.get(name, name))
