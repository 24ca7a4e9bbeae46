"""The README's table of methods: rows, how many of them were trained to their end, and the digits.

    python -m tools.method_table          write it anew

Everything in it is read from the rows, from `results/` and from `results/digits-lt-methods`.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from pathlib import Path

from bcl_edu.files import write_atomically
from bcl_edu.report import build_report
from bcl_edu.rows.registry import METHODS, ROWS

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
SERIES = ROOT / "results" / "digits-lt-methods" / "runs.jsonl"
BEGIN, END = "<!-- methods: python -m tools.method_table -->", "<!-- end of methods -->"


def _digits() -> dict[str, str]:
    """Mean accuracy and standard deviation over the seeds, by method."""
    found: dict[str, list[float]] = defaultdict(list)
    for line in SERIES.read_text().splitlines():
        run = json.loads(line)
        found[run["method"]].append(run["top1"])
    return {name: f"{statistics.mean(of):.1f} ± {statistics.stdev(of):.1f}" for name, of in found.items()}


def _trained() -> dict[str, int]:
    """How many rows of a method a run in `results/` fills."""
    filled: dict[str, int] = defaultdict(int)
    for lines in build_report([ROOT / "results"]).tables.values():
        for line in lines:
            if line.runs:
                filled[line.row.recipe.method.name] += 1
    return filled


def table() -> str:
    """The table in Markdown; a method without a row is named only if the digits were trained with it."""
    digits, trained = _digits(), _trained()
    lines = [
        "| `--method` | what it is | rows (with a printed figure) | trained to the end | digits |",
        "|---|---|---|---|---|",
    ]
    for name, options in METHODS.items():
        rows = [row for row in ROWS.values() if row.recipe.method.name == name]
        if not rows and name not in digits:
            continue
        printed = sum(row.paper is not None for row in rows)
        count = f"{len(rows)} ({printed})" if rows else "-"
        ended = f"{trained.get(name, 0)}" if rows else "-"
        lines.append(f"| `{name}` | {options.title} | {count} | {ended} | {digits.get(name, '-')} |")
    return "\n".join(lines)


def with_table(text: str) -> str:
    """The README's text with the table in its place."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> None:
    """Write the README."""
    write_atomically(README, with_table(README.read_text()).encode())


if __name__ == "__main__":
    main()
