"""A report as text for the terminal, Markdown, HTML, or a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bcl_edu.counting import counted
from bcl_edu.escape import for_html, for_markdown, for_terminal
from bcl_edu.recipe import OWN_IMAGES
from bcl_edu.report.row_tables import Report, TableEntry, UnmatchedRun, records, subset
from bcl_edu.training.display import format_number

if TYPE_CHECKING:
    import pandas

_NOTE = "Top-1 accuracy in percent {}."
_NOTE_ON_OURS = (
    " Ours: last epoch, mean ± standard deviation over seeds. "
    "The best epoch, in its own column, is chosen on the test set: for orientation only."
)
_COLUMNS = (
    "recipe",
    "method",
    "paper",
    "ours",
    "many / medium / few",
    "difference",
    "top-1 of the best epoch",
    "seed numbers",
    "epochs",
    "hardware",
    "subset",
)
_APART_COLUMNS = ("run", "method", "epochs", "seed", "top-1", "many / medium / few", "nearest row", "reason")


@dataclass(frozen=True)
class _Section:
    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


def as_text(report: Report) -> str:
    """For a terminal; columns are aligned, nothing is cut off."""
    return "\n\n".join([_note(report), *map(_text_table, _sections(report))]) + "\n"


def as_markdown(report: Report) -> str:
    """Markdown with pipe tables."""
    return "\n\n".join([_note(report), *map(_markdown_table, _sections(report))]) + "\n"


def as_html(report: Report) -> str:
    """A fragment of HTML, which a notebook shows; without scripts or styles from elsewhere."""
    return "\n".join([f"<p>{for_html(_note(report))}</p>", *map(_html_table, _sections(report))]) + "\n"


def as_html_page(report: Report) -> str:
    """A whole page of HTML."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>The paper\'s tables and ours</title>'
        f"\n{_STYLE}</head><body>\n{as_html(report)}</body></html>\n"
    )


def as_dataframe(report: Report) -> pandas.DataFrame:
    """One row for each line of the tables and of other runs; numbers as numbers, mean and deviation over seeds.

    Raises:
        ImportError: pandas is not installed; it comes with the notebooks, and nothing else needs it.
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "a DataFrame needs pandas, which is installed with the notebooks only: pip install pandas, "
            "or take the same rows as dictionaries from bcl_edu.report.records"
        ) from error
    return pandas.DataFrame(records(report))


_STYLE = (
    "<style>body{font:15px/1.45 sans-serif;margin:2em}table{border-collapse:collapse;margin:0 0 2em}"
    "th,td{border:1px solid #bbb;padding:.25em .6em;text-align:left;vertical-align:top}"
    "th{background:#f2f2f2}td{font-variant-numeric:tabular-nums}</style>"
)


def _note(report: Report) -> str:
    """Caption: what the figures are, as far as there are any. A user's own test set is called balanced only if the
    record says so."""
    own = [run for line in report.own for run in line.runs]
    balanced = all(
        run.record["data"].get("test_is_balanced", run.recipe.dataset not in OWN_IMAGES) for run in own
    )
    note = _NOTE.format(
        "on the balanced test set"
        if balanced
        else "over all test images, of which the classes have different numbers in some runs"
    )
    lines = [*report.own, *(line for table in report.tables.values() for line in table)]
    return note + _NOTE_ON_OURS if any(line.runs for line in lines) else note


def _sections(report: Report) -> list[_Section]:
    sections = [
        _without_empty_columns(_Section(title, _COLUMNS, [_cells(line) for line in lines]))
        for title, lines in report.tables.items()
    ]
    if not sections:
        sections.append(_Section("No run fills a row of the paper's tables.", (), []))
    if report.own:
        title = "Finished runs in no table, those that differ in the seed alone in one line"
        rows = [_cells(line) for line in report.own]
        averages = [_or_dash(line.figure("class_average")) for line in report.own]
        columns: tuple[str, ...] = _COLUMNS
        if any(average != "-" for average in averages):  # which records of earlier versions have not
            columns = (*columns, "mean over classes")
            rows = [(*row, average) for row, average in zip(rows, averages, strict=True)]
        sections.append(_Section(title, columns, rows))
    if report.apart:
        title = f"Listed apart, in no table: {counted(len(report.apart), 'run')}"
        sections.append(_Section(title, _APART_COLUMNS, [_apart_cells(one) for one in report.apart]))
    return sections


def _without_empty_columns(section: _Section) -> _Section:
    """A table without columns of dashes only: where nothing was run, the paper's figures are left."""
    kept = [n for n in range(len(section.columns)) if any(row[n] != "-" for row in section.rows)]
    rows = [tuple(row[n] for n in kept) for row in section.rows]
    return _Section(section.title, tuple(section.columns[n] for n in kept), rows)


def _cells(line: TableEntry) -> tuple[str, ...]:
    groups = [line.figure(name) for name in ("many", "medium", "few")]
    return (
        line.row.recipe.name,
        ", with ".join([line.row.method, *line.choices]),
        _or_dash(line.row.paper),
        _or_dash(line.figure("top1")),
        " / ".join("n/a" if group is None else f"{group.mean:.1f}" for group in groups) if line.runs else "-",
        "-" if line.difference is None else f"{line.difference:+.2f}",
        _or_dash(line.figure("top1", "best")),
        _or_dash(line.facts(lambda run: run.recipe.seed)),
        line.facts(lambda run: run.epochs) or str(line.row.recipe.epochs),
        _or_dash(line.facts(lambda run: run.hardware)),
        _or_dash(line.facts(lambda run: subset(run)[:12])),
    )


def _apart_cells(one: UnmatchedRun) -> tuple[str, ...]:
    reasons = "; ".join(one.reasons)
    nearest = "-" if one.nearest is None else one.nearest.recipe.name
    if one.nearest is not None and one.nearest.paper is not None:
        nearest += f" (paper {one.nearest.paper})"
    if one.run is None:
        return (str(one.folder), "-", "-", "-", "-", "-", nearest, reasons)
    recipe, last = one.run.recipe, one.run.record["last"]
    groups = (
        "-"
        if last is None
        else " / ".join(format_number(last[name], ".2f") for name in ("many", "medium", "few"))
    )
    done = one.run.record["epochs_finished"]
    epochs = str(done) if one.run.finished else f"{done} of {one.run.epochs}"
    top1 = "-" if last is None else format_number(last["top1"], ".2f")
    return (str(one.folder), recipe.method.name, epochs, str(recipe.seed), top1, groups, nearest, reasons)


def _or_dash(value: Any) -> str:
    return "-" if value in (None, "") else str(value)


def _text_table(section: _Section) -> str:
    if not section.columns:
        return section.title
    rows = [tuple(map(for_terminal, row)) for row in section.rows]
    widths = [max(map(len, column)) for column in zip(section.columns, *rows, strict=True)]

    def aligned(cells: Sequence[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([section.title, aligned(section.columns), rule, *map(aligned, rows)])


def _markdown_table(section: _Section) -> str:
    if not section.columns:
        return section.title

    def piped(cells: Sequence[str]) -> str:
        return "| " + " | ".join(for_markdown(cell) for cell in cells) + " |"

    rule = "|" + "---|" * len(section.columns)
    return "\n".join([f"## {section.title}", "", piped(section.columns), rule, *map(piped, section.rows)])


def _html_table(section: _Section) -> str:
    if not section.columns:
        return f"<p>{for_html(section.title)}</p>"

    def cells(tag: str, texts: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{for_html(text)}</{tag}>" for text in texts) + "</tr>"

    body = "\n".join(cells("td", row) for row in section.rows)
    head = cells("th", section.columns)
    return (
        f"<h3>{for_html(section.title)}</h3>\n<table><thead>{head}</thead><tbody>\n{body}\n</tbody></table>"
    )
