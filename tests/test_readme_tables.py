"""The README's tables are what rows and results give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bcl_edu.report.row_tables import TableEntry
from bcl_edu.report.runs import find_runs
from bcl_edu.rows.registry import ROWS
from tools.readme import README, RESULTS, filled_rows, method_table, row_table, with_tables


def test_the_readme_has_the_tables() -> None:
    text = README.read_text()
    assert with_tables(text) == text


def test_a_readme_without_a_place_for_them_is_refused() -> None:
    with pytest.raises(ValueError, match=r"rows: python -m tools\.readme"):
        with_tables("# bcl_edu\n")


def test_every_row_is_counted() -> None:
    counts = [line.split("|")[3].split(" (") for line in method_table([]).splitlines()[2:]]
    rows = [(int(count[0]), int(count[1].strip(" )"))) for count in counts if len(count) == 2]
    assert sum(row for row, _ in rows) == len(ROWS)
    assert sum(printed for _, printed in rows) == sum(row.paper is not None for row in ROWS.values())


def test_a_filled_row_stands_beside_the_figure_of_the_paper() -> None:
    [run], _ = find_runs([RESULTS / "cifar100-lt-60-epochs" / "bcl"])
    seeds = [replace(run, recipe=replace(run.recipe, seed=seed)) for seed in (0, 1)]
    record = {**run.record, "seconds": 3 * run.record["seconds"]}
    seeds[1] = replace(seeds[1], record=record)
    row = ROWS["table1-l1"]
    assert row.paper is not None
    cells = [
        cell.strip() for cell in row_table([TableEntry(row, tuple(seeds))]).splitlines()[-1].split("|")[1:-1]
    ]
    last = run.record["last"]
    assert cells[0] == "`table1-l1`"
    assert float(cells[2]) == row.paper.top1
    assert cells[3] == f"{last['top1']:.2f} ± 0.00"
    assert float(cells[4]) == pytest.approx(last["top1"] - row.paper.top1, abs=0.005)
    assert cells[5] == " / ".join(f"{last[name]:.1f}" for name in ("many", "medium", "few"))
    assert cells[6] == "0, 1"
    assert float(cells[8]) == pytest.approx(2 * run.record["seconds"] / 3600, abs=0.05)


def test_runs_of_fewer_epochs_fill_no_row() -> None:
    assert filled_rows(RESULTS / "cifar100-lt-60-epochs") == []


def test_where_nothing_was_run_it_says_so(tmp_path: Path) -> None:
    assert "No row" in row_table(filled_rows(tmp_path))
