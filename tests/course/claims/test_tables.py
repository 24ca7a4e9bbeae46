"""Claims about trained networks are decided by records: enough of them, of the right recipe, and by nothing else."""

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bcl_edu.course.claims import CLAIMS, Verdict, about_tables, check
from bcl_edu.recipe import recipe_as_dict
from bcl_edu.report.matching import expected_subset_sha256
from bcl_edu.rows import ROWS

ROOT = Path(__file__).parents[3]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder in place of the project's records."""
    monkeypatch.setattr(about_tables, "RESULTS", tmp_path)
    about_tables.top1_by_row.cache_clear()
    yield tmp_path
    about_tables.top1_by_row.cache_clear()


def record(folder: Path, row: str, top1: float, *, seed: int, **changed: Any) -> None:
    """A run record of a row, made from one of the project's own."""
    kept = json.loads((ROOT / "results" / "cifar100-lt-10-epochs" / "bcl" / "run.json").read_text())
    recipe = dataclasses.replace(ROWS[row].recipe, seed=seed, **changed)
    kept["recipe"] = recipe_as_dict(recipe)
    kept["epochs_finished"] = recipe.epochs
    kept["data"]["subset_sha256"] = expected_subset_sha256(ROWS[row].recipe)
    for epoch in ("last", "best"):
        kept[epoch] |= {"top1": top1, "epoch": recipe.epochs}
    path = folder / f"{row}-{seed}"
    path.mkdir()
    (path / "run.json").write_text(json.dumps(kept))


AVERAGINGS = {"table1-l1": 52.0, "table1-l3": 51.0, "table1-l2": 50.0}


def test_without_records_a_full_training_run_is_needed(results: Path) -> None:
    checked = check(CLAIMS["table-1"])
    assert checked.verdict is Verdict.OPEN
    assert checked.in_words.startswith("○ needs")
    assert "comparable runs here: 0 / 0 / 0" in checked.evidence.found


def test_three_seeds_of_each_row_decide_an_ordering(results: Path) -> None:
    for row, top1 in AVERAGINGS.items():
        for seed in range(3):
            record(results, row, top1 + 0.1 * seed, seed=seed)
    checked = check(CLAIMS["table-1"])
    assert checked.verdict is Verdict.TRUE
    assert "52.10 ± 0.10 against 51.10" in checked.evidence.found


def test_the_other_order_is_not_reproduced(results: Path) -> None:
    for row, top1 in AVERAGINGS.items():
        for seed in range(3):
            record(results, row, 100 - top1, seed=seed)
    checked = check(CLAIMS["table-1"])
    assert checked.verdict is Verdict.NOT_REPRODUCED
    assert checked.in_words == "≠ not reproduced here"


def test_two_seeds_are_not_enough(results: Path) -> None:
    for row, top1 in AVERAGINGS.items():
        for seed in range(2):
            record(results, row, top1, seed=seed)
    checked = check(CLAIMS["table-1"])
    assert checked.verdict is Verdict.OPEN
    assert "2 / 2 / 2" in checked.evidence.found


def test_shorter_runs_are_not_comparable(results: Path) -> None:
    for row, top1 in AVERAGINGS.items():
        for seed in range(3):
            record(results, row, top1, seed=seed, epochs=10)
    assert check(CLAIMS["table-1"]).verdict is Verdict.OPEN


def test_no_better_is_the_opposite_of_better(results: Path) -> None:
    for seed in range(3):
        record(results, "table2-scl", 52.0, seed=seed)
        record(results, "table2-scl-averaging", 51.0 + 0.1 * seed, seed=seed)
    assert check(CLAIMS["table-2-averaging"]).verdict is Verdict.TRUE
    for seed in range(3):
        record(results, "table2-scl-complement", 60.0 + 0.1 * seed, seed=seed)
    about_tables.top1_by_row.cache_clear()
    assert check(CLAIMS["table-2-complement"]).verdict is Verdict.NOT_REPRODUCED


def test_a_difference_of_three_standard_errors_decides_and_a_smaller_one_leaves_it_open(
    results: Path,
) -> None:
    # top-1 of m - 1, m, m + 1: standard deviation 1, so that the difference has standard error sqrt(2 / 3) = 0.816
    for seed, deviation in enumerate((-1.0, 0.0, 1.0)):
        record(results, "table2-lc", 50.0 + deviation, seed=seed)
        record(results, "table2-scl", 52.44 + deviation, seed=seed)  # 2.99 standard errors above
    checked = check(CLAIMS["table-2-sc"])
    assert checked.verdict is Verdict.OPEN
    assert checked.in_words == "○ needs more seeds"
    assert re.search(r"table2-scl less table2-lc .*\+2\.44.* 0\.82", checked.evidence.found)


@pytest.mark.parametrize(("top1", "verdict"), [(52.46, Verdict.TRUE), (47.54, Verdict.NOT_REPRODUCED)])
def test_beyond_three_standard_errors_an_ordering_is_decided_either_way(
    results: Path, top1: float, verdict: Verdict
) -> None:
    for seed, deviation in enumerate((-1.0, 0.0, 1.0)):
        record(results, "table2-lc", 50.0 + deviation, seed=seed)
        record(results, "table2-scl", top1 + deviation, seed=seed)  # 3.01 standard errors away
    assert check(CLAIMS["table-2-sc"]).verdict is verdict


def test_one_pair_that_is_decided_the_other_way_is_enough_to_leave_an_ordering_unreproduced(
    results: Path,
) -> None:
    for row, top1 in {"table1-l1": 50.0, "table1-l3": 50.0, "table1-l2": 60.0}.items():
        for seed in range(3):
            record(results, row, top1 + 0.1 * seed, seed=seed)
    assert check(CLAIMS["table-1"]).verdict is Verdict.NOT_REPRODUCED


def test_the_table_of_claims_states_the_rule() -> None:
    for name in ("table-1", "table-2-sc", "table-2-complement", "table-2-averaging", "table-2-both"):
        assert "more than 3 standard errors" in CLAIMS[name].method


@pytest.mark.parametrize(("top1", "verdict"), [(51.0, Verdict.TRUE), (50.0, Verdict.NOT_REPRODUCED)])
def test_a_figure_is_reproduced_within_a_point(results: Path, top1: float, verdict: Verdict) -> None:
    for seed in range(3):
        record(results, "cifar100-lt-if100-bcl", top1, seed=seed)
    checked = check(CLAIMS["cifar100-figures"])
    assert checked.verdict is verdict
    assert f"cifar100-lt-if100-bcl {top1:.2f}" in checked.evidence.found


def test_a_data_set_that_no_row_trains_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(about_tables, "ROWS", {})
    found = about_tables.reproduced_on("imagenet-lt", "56.0")
    assert found.verdict is Verdict.OPEN
    assert "56.0" in found.found
