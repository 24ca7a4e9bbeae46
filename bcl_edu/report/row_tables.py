"""The paper's tables rebuilt from runs: the paper's figure, ours, and what is needed to compare the two."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any, cast

from bcl_edu.counting import counted
from bcl_edu.recipe import IGNORED_WHEN_COMPARING, flat
from bcl_edu.report.matching import common_row, free_choices, mismatches, nearest_row, own_choices, rows_of
from bcl_edu.report.runs import StoredRun, UnreadableRun, find_runs
from bcl_edu.rows import METHODS, ROWS, Row


@dataclass(frozen=True)
class MeanStd:
    """A mean over seeds, and its sample standard deviation; no deviation from a single seed."""

    mean: float
    deviation: float | None

    def __str__(self) -> str:
        return f"{self.mean:.2f}" if self.deviation is None else f"{self.mean:.2f} ± {self.deviation:.2f}"


@dataclass(frozen=True)
class TableEntry:
    """One row of a table, and the runs that fill it, which differ in the seed alone.

    Attributes:
        row: of the paper's table.
        runs: none where nobody has trained the row yet.
        choices: values that the paper leaves open and that differ from the row's recipe; () for the recipe itself.
    """

    row: Row
    runs: tuple[StoredRun, ...] = ()
    choices: tuple[str, ...] = ()

    def figure(self, name: str, epoch: str = "last") -> MeanStd | None:
        """Mean and deviation of "top1", "many", "medium", "few" or "class_average" (which older records have not), of
        the last or of the best epoch."""
        values = [run.record[epoch].get(name) for run in self.runs]
        if not values or None in values:
            return None
        return MeanStd(mean(values), stdev(values) if len(values) > 1 else None)

    @property
    def difference(self) -> float | None:
        """Our mean top-1 less the paper's, in points."""
        ours = self.figure("top1")
        return None if ours is None or self.row.paper is None else ours.mean - self.row.paper.top1

    @property
    def hours(self) -> float | None:
        """Mean hours of a run; None where there is none, or one does not say."""
        hours = [run.hours for run in self.runs]
        return None if not hours or None in hours else mean(cast(list[float], hours))

    def facts(self, of: Callable[[StoredRun], object]) -> str:
        """A fact of the runs, each different value once."""
        return ", ".join(dict.fromkeys(str(of(run)) for run in self.runs))


@dataclass(frozen=True)
class UnmatchedRun:
    """A run that fills no row, and why."""

    folder: Path
    reasons: tuple[str, ...]
    run: StoredRun | None = None
    nearest: Row | None = None


@dataclass(frozen=True)
class Report:
    """The tables, line by line, and the runs that are in none.

    In Jupyter it shows itself as HTML; `bcl_edu.report.formats` writes it as text, Markdown, HTML or a DataFrame.
    """

    tables: dict[str, list[TableEntry]]
    apart: list[UnmatchedRun]
    own: list[TableEntry] = field(default_factory=list)
    """Finished runs that fill no row; those that differ in the seed alone share a line, with their mean and
    deviation."""

    def _repr_html_(self) -> str:
        from bcl_edu.report.formats import as_html

        return as_html(self)


def build_report(paths: Iterable[Path | str], *, all_tables: bool = False) -> Report:
    """Sort the runs below some folders into the rows of the paper's tables.

    A run fills a row if it is finished and agrees with the row's recipe in every value that the paper states,
    and in the images. Runs that differ in a value that the paper leaves open get a line of their own under
    the row. Runs of one line differ in the seed alone. Runs under the common protocol have tables of their own, one
    line a method. All others are listed apart, with the reason.

    Args:
        paths: folders that are searched for run.json.
        all_tables: also show the tables that no run is in.

    Raises:
        ValueError: a folder does not exist.
    """
    runs, unreadable = find_runs(paths)
    lines: dict[str, list[TableEntry]] = {name: [] for name in ROWS}
    apart = [_unreadable(one) for one in unreadable]
    own: dict[str, TableEntry] = {}
    in_common: dict[tuple[str, str], list[TableEntry]] = {}
    for run in runs:
        if run.recipe.protocol == "common" and run.finished:
            row = common_row(run)
            repeated = _add(in_common.setdefault((row.table, run.recipe.method.name), []), run, row)
            apart += [repeated] if repeated else []
            continue
        rows = rows_of(run)
        if not rows:
            apart.append(_apart(run))
            _add_own(own, run)
        for row in rows:
            repeated = _add(lines[row.recipe.name], run, row)
            if repeated is not None:
                apart.append(repeated)
    tables: dict[str, list[TableEntry]] = {}
    for name, row in ROWS.items():
        tables.setdefault(row.table, []).extend(_recipe_first(lines[name]) or [TableEntry(row)])
    filled = {title: of for title, of in tables.items() if all_tables or any(line.runs for line in of)}
    for (title, _), of in sorted(in_common.items(), key=lambda one: list(METHODS).index(one[0][1])):
        filled.setdefault(title, []).extend(_recipe_first(of))
    return Report(filled, _once(apart), list(own.values()))


def _add(lines: list[TableEntry], run: StoredRun, row: Row) -> UnmatchedRun | None:
    """Put a run into the line that it shares everything but the seed with; refuse a seed that is there already."""
    chosen = free_choices(run, row)
    for position, line in enumerate(lines):
        if line.choices != chosen:
            continue
        first = line.runs[0]
        if subset(run) != subset(first):
            reason = f"training subset {subset(run)[:12]}, but {subset(first)[:12]} in {first.folder}"
            return UnmatchedRun(run.folder, (reason,), run, row)
        for other in line.runs:
            if other.recipe.seed == run.recipe.seed:
                reason = f"seed {run.recipe.seed} of this row is already taken, by {other.folder}"
                return UnmatchedRun(run.folder, (reason,), run, row)
        lines[position] = TableEntry(row, (*line.runs, run), chosen)
        return None
    lines.append(TableEntry(row, (run,), chosen))
    return None


def _add_own(lines: dict[str, TableEntry], run: StoredRun) -> None:
    """Put a finished run that fills no row beside those that differ in the seed alone; each seed counts once."""
    if not run.finished:
        return
    same = {name: value for name, value in flat(run.recipe).items() if name not in IGNORED_WHEN_COMPARING}
    key = json.dumps([same, subset(run), run.record["data"].get("test_images_sha256")], sort_keys=True)
    row = Row("", run.recipe.method.name, run.recipe, None, frozenset())
    line = lines.setdefault(key, TableEntry(row, choices=own_choices(run)))
    if all(run.recipe.seed != other.recipe.seed for other in line.runs):
        lines[key] = TableEntry(row, (*line.runs, run), line.choices)


def subset(run: StoredRun) -> str:
    """SHA-256 of the indices of the run's training images."""
    return str(run.record["data"]["subset_sha256"])


def _recipe_first(lines: Sequence[TableEntry]) -> list[TableEntry]:
    return sorted(lines, key=lambda line: line.choices)


def _apart(run: StoredRun) -> UnmatchedRun:
    row = nearest_row(run)
    if row is not None:
        return UnmatchedRun(run.folder, tuple(mismatches(run, row)), run, row)
    reasons = [f"no row of the tables has data set {run.recipe.dataset} and method {run.recipe.method.name}"]
    if not run.finished:
        reasons.insert(0, f"unfinished, {run.record['epochs_finished']} of {counted(run.epochs, 'epoch')}")
    return UnmatchedRun(run.folder, tuple(reasons), run)


def _unreadable(one: UnreadableRun) -> UnmatchedRun:
    return UnmatchedRun(one.folder, (one.reason,))


def _once(apart: Iterable[UnmatchedRun]) -> list[UnmatchedRun]:
    """A run that repeats a seed in two rows at once is listed once."""
    return list({one.folder: one for one in apart}.values())


def records(report: Report) -> list[dict[str, Any]]:
    """One dictionary for each line of the tables, with numbers as numbers and None where there is none.

    Then one for each line of `own`, with "" for the table.
    """
    of_tables = [_record(table, line) for table, lines in report.tables.items() for line in lines]
    return of_tables + [_record("", line) for line in report.own]


def _record(table: str, line: TableEntry) -> dict[str, Any]:
    paper = line.row.paper
    values: dict[str, Any] = {
        "table": table,
        "recipe": line.row.recipe.name,
        "method": line.row.method,
        "choices": ", ".join(line.choices),
    }
    for name in ("top1", "many", "medium", "few"):
        values[f"paper_{name}"] = None if paper is None else getattr(paper, name)
    for name in ("top1", "many", "medium", "few", "class_average"):
        figure = line.figure(name)
        values[name] = None if figure is None else figure.mean
        values[f"{name}_std"] = None if figure is None else figure.deviation
    best = line.figure("top1", "best")
    return values | {
        "best_top1": None if best is None else best.mean,
        "best_top1_std": None if best is None else best.deviation,
        "difference": line.difference,
        "seeds": [run.recipe.seed for run in line.runs],
        "dataset": line.row.recipe.dataset,
        "epochs": line.row.recipe.epochs,
        "hardware": line.facts(lambda run: run.hardware),
        "hours": line.hours,
        "subset_sha256": line.facts(subset),
        "runs": [str(run.folder) for run in line.runs],
    }
