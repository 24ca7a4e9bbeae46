"""The README's tables: rows that were run to their end beside the paper's figures, and the methods.

    python -m tools.readme          write both anew

Everything in them is read from the rows, from `results/` and from `results/digits-lt-methods`.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter, defaultdict
from pathlib import Path

from bcl_edu.escape import for_markdown
from bcl_edu.files import write_atomically
from bcl_edu.report import build_report
from bcl_edu.report.row_tables import TableEntry
from bcl_edu.rows.registry import METHODS, ROWS

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
RESULTS = ROOT / "results"
SERIES = RESULTS / "digits-lt-methods" / "runs.jsonl"
_BEGIN, _END = "<!-- {}: python -m tools.readme -->", "<!-- end of {} -->"


def filled_rows(results: Path = RESULTS) -> list[TableEntry]:
    """The lines of the paper's tables that runs fill, in the tables' order; not those of the common protocol."""
    lines = [line for of in build_report([results]).tables.values() for line in of]
    return [line for line in lines if line.runs and line.row.recipe.name in ROWS]


def row_table(lines: list[TableEntry]) -> str:
    """Rows with the paper's figure and ours, in Markdown; one sentence where there are none."""
    if not lines:
        return "No row has been run to its end yet."
    text = [
        "| row | method | paper | ours | difference | many / medium / few | seed numbers | hardware | hours a run |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for line in lines:
        groups = [line.figure(name) for name in ("many", "medium", "few")]
        cells = (
            f"`{line.row.recipe.name}`",
            for_markdown(", with ".join([line.row.method, *line.choices])),
            "-" if line.row.paper is None else str(line.row.paper),
            str(line.figure("top1")),
            "-" if line.difference is None else f"{line.difference:+.2f}",
            " / ".join("n/a" if group is None else f"{group.mean:.1f}" for group in groups),
            line.facts(lambda run: run.recipe.seed),
            for_markdown(line.facts(lambda run: run.hardware)),
            "-" if line.hours is None else f"{line.hours:.1f}",
        )
        text.append("| " + " | ".join(cells) + " |")
    return "\n".join(text)


def _digits() -> dict[str, str]:
    """Mean accuracy and standard deviation over the seeds, by method."""
    found: dict[str, list[float]] = defaultdict(list)
    for line in SERIES.read_text().splitlines():
        run = json.loads(line)
        found[run["method"]].append(run["top1"])
    return {name: f"{statistics.mean(of):.1f} ± {statistics.stdev(of):.1f}" for name, of in found.items()}


def method_table(filled: list[TableEntry]) -> str:
    """The methods in Markdown; a method without a row is named only if the digits were trained with it.

    Args:
        filled: the rows that runs fill, counted under "rows trained to the end".
    """
    digits = _digits()
    trained = Counter(ROWS[name].recipe.method.name for name in {line.row.recipe.name for line in filled})
    lines = [
        "| `--method` | what it is | rows (with a printed figure) | rows trained to the end | digits |",
        "|---|---|---|---|---|",
    ]
    for name, options in METHODS.items():
        rows = [row for row in ROWS.values() if row.recipe.method.name == name]
        if not rows and name not in digits:
            continue
        printed = sum(row.paper is not None for row in rows)
        count = f"{len(rows)} ({printed})" if rows else "-"
        ended = f"{trained[name]}" if rows else "-"
        lines.append(f"| `{name}` | {options.title} | {count} | {ended} | {digits.get(name, '-')} |")
    return "\n".join(lines)


def with_tables(text: str) -> str:
    """The README's text with both tables in their places.

    Raises:
        ValueError: one of the marks between which they stand is missing.
    """
    filled = filled_rows()
    for name, table in (("rows", row_table(filled)), ("methods", method_table(filled))):
        begin, end = _BEGIN.format(name), _END.format(name)
        before, opened, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (opened and closed):
            raise ValueError(f"README.md has no {begin} … {end}; put the two marks where the table belongs")
        text = f"{before}{begin}\n{table}\n{end}{after}"
    return text


def main() -> None:
    """Write the README."""
    write_atomically(README, with_tables(README.read_text()).encode())


if __name__ == "__main__":
    main()
