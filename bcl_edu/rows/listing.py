"""The rows and recipes as text for a terminal."""

from __future__ import annotations

import textwrap

from bcl_edu import terminal
from bcl_edu.rows.headings import heading
from bcl_edu.rows.registry import METHODS, RECIPES, ROWS, not_trained_here, row_of_recipe
from bcl_edu.rows.row import provenance
from bcl_edu.rows.starters import NOTES, STARTERS


def description(name: str) -> str:
    """Description of a recipe; for a table's row also which values are published."""
    title, _ = RECIPES[name]
    row = row_of_recipe(name)
    if row is not None:
        return f"{title}\n\n{provenance(row)}"
    return f"{title}\n{NOTES[name]}" if name in NOTES else title


def list_recipes(width: int | None = None) -> str:
    """The recipes by name, one a line, grouped by table, with the paper's figure beside each.

    Args:
        width: columns; by default those of the terminal, 80 at least.
    """
    width = terminal.columns() if width is None else width
    name_width = max(map(len, RECIPES))
    lines = ["Recipes (python -m bcl_edu.train RECIPE):"]
    for name, (title, _) in STARTERS.items():
        lines += _wrapped(f"  {name}", title, width, indent=22)
    table = ""
    for name, row in ROWS.items():
        if row.table != table:
            table = row.table
            lines += ["", *textwrap.wrap(f"{table}; paper's top-1 % (many / medium / few)", width)]
        figure = "-" if row.paper is None else str(row.paper)
        room = width - name_width - 4 - len(figure) - 1
        if room < len(row.method):  # the method goes on in a line of its own
            lines.append(f"  {name:<{width - 3 - len(figure)}} {figure}")
            lines += textwrap.wrap(row.method, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
        else:
            lines.append(f"  {name:<{name_width}}  {row.method:<{room}} {figure}")
    lines += ["", "-: the paper prints no figure; the report then shows the run's own alone"]
    if missing := not_trained_here():
        lines += ["", "Printed in Tables 3 to 6, and not trained here yet:"]
        for title in dict.fromkeys(map(heading, missing)):
            figures = [f"{one.method} {one.figure.top1:g}" for one in missing if heading(one) == title]
            lines += _wrapped(
                f"  {title.partition(': ')[2]}", "; ".join(dict.fromkeys(figures)), width, indent=4
            )
    return "\n".join(lines)


def list_methods(width: int | None = None) -> str:
    """The methods by name, with what each is.

    Args:
        width: as in `list_recipes`.
    """
    width = terminal.columns() if width is None else width
    indent = max(map(len, METHODS)) + 4
    lines = ["Methods (--method):"]
    for name, options in METHODS.items():
        lines += _wrapped(f"  {name}", options.title, width, indent=indent)
    return "\n".join(lines)


def _wrapped(first: str, text: str, width: int, *, indent: int) -> list[str]:
    """A name and, from column `indent` on, a text that may go on in further lines."""
    gap = "  " if len(first) + 2 >= indent else " " * (indent - len(first))
    return textwrap.wrap(first + gap + text, width, subsequent_indent=" " * indent, drop_whitespace=True)
