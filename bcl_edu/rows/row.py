"""A row of a table: its recipe, the printed figure, and which of its values are published."""

from __future__ import annotations

from dataclasses import dataclass

from bcl_edu.recipe import IGNORED_WHEN_COMPARING, Recipe, flat, unused
from bcl_edu.rows.paper import PaperFigure

BENCHMARK = frozenset(
    [
        "dataset",
        "profile",
        "imbalance_factor",
        "head_count",
        "image_size",
        "backbone",
        "method",
        "epochs",
        "schedule_epochs",
    ]
)
"""Names of values that a line of a table and the description of its data set state."""

TRAINING = frozenset(
    ["views", "batch_size", "learning_rate", "schedule", "milestones", "decay", "momentum", "weight_decay"]
)
"""Names of values that nearly every paper states of its training."""


@dataclass(frozen=True)
class Row:
    """One row of a table: its recipe, its printed figure, and where its values come from.

    Attributes:
        table: heading under which the row stands.
        method: what the row is called in the table.
        recipe: trains it.
        paper: the printed figure; None where the paper prints none.
        stated: names of the recipe's values that are published, and not our choice.
        note: where the values come from, as far as the recipe's own help does not say it.
        of_the_paper: whether `stated` is what the paper of the tables states; else what the method's own paper or
            its authors' code does, and the note says which of the two.
    """

    table: str
    method: str
    recipe: Recipe
    paper: PaperFigure | None
    stated: frozenset[str]
    note: str = ""
    of_the_paper: bool = False

    @property
    def title(self) -> str:
        """One line: the table, the method, the paper's figure."""
        figure = "" if self.paper is None else f"; the paper: {self.paper} %"
        return f"{self.table}: {self.method}{figure}"


def provenance(row: Row) -> str:
    """Provenance of a row's values in two paragraphs: those that are published, and those that are our choice."""
    values = flat(row.recipe)
    left_out = IGNORED_WHEN_COMPARING | unused(row.recipe) | {"protocol", "start_from"}
    active = [name for name in values if name not in left_out]

    def listed(names: list[str]) -> str:
        return ", ".join(
            f"{name.strip('_').replace('_', ' ')} {_format_value(values[name])}" for name in names
        )

    stated = listed([name for name in active if name in row.stated])
    ours = listed([name for name in active if name not in row.stated])
    if row.of_the_paper:
        source, silent = "The paper states", "the paper being silent"
    else:
        source, silent = "The method's own paper or code states", "both being silent"
    return f"{source}: {stated}.\n\nOur choice, {silent}: {ours}.{row.note}"


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return " and ".join(_format_value(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
