"""Every figure in results/README.md is in the record it points to."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

RESULTS = Path(__file__).parent.parent / "results"
ROWS = re.findall(
    r"^\| \[.*?\]\((?P<record>.*?)\) \| .*? \| (?P<epochs>\d+) \| (?P<seed>\d+) \| (?P<top1>[\d.]+) \| "
    r"(?P<groups>[^|]*) \| (?P<deviation>[^|]*) \|$",
    (RESULTS / "README.md").read_text(),
    flags=re.MULTILINE,
)


def test_every_kept_run_is_listed() -> None:
    listed = {row[0] for row in ROWS}
    assert listed == {str(path.relative_to(RESULTS)) for path in RESULTS.rglob("run.json")}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_row_says_what_the_record_says(row: tuple[str, ...]) -> None:
    path, epochs, seed, top1, groups, deviation = row
    record = json.loads((RESULTS / path).read_text())
    last = record["last"]
    assert (record["recipe"]["epochs"], record["recipe"]["seed"], last["epoch"]) == (
        int(epochs),
        int(seed),
        int(epochs),
    )
    assert f"{last['top1']:.1f}" == top1
    assert " / ".join(f"{last[name]:.1f}" for name in ("many", "medium", "few")) == groups
    assert f"{last['feature_simplex_deviation']:.3f} (features)" in deviation


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_metrics_end_with_the_last_epoch(row: tuple[str, ...]) -> None:
    folder = (RESULTS / row[0]).parent
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1] == json.loads((folder / "run.json").read_text())["last"]
    assert [entry["epoch"] for entry in rows] == list(range(1, len(rows) + 1))
