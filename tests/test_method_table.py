"""The README's table of methods is what rows and results give."""

from __future__ import annotations

from bcl_edu.rows.registry import ROWS
from tools.method_table import README, table, with_table


def test_the_readme_has_the_table() -> None:
    text = README.read_text()
    assert with_table(text) == text


def test_every_row_is_counted() -> None:
    counts = [line.split("|")[3].split(" (") for line in table().splitlines()[2:]]
    rows = [(int(count[0]), int(count[1].strip(" )"))) for count in counts if len(count) == 2]
    assert sum(row for row, _ in rows) == len(ROWS)
    assert sum(printed for _, printed in rows) == sum(row.paper is not None for row in ROWS.values())
