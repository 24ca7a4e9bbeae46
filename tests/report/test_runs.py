"""Stored runs side by side: only what differs in nothing but the loss."""

from __future__ import annotations

import json
from pathlib import Path

from bcl_edu.report import find_runs, side_by_side
from tests.report.conftest import StoreRun


def test_runs_that_differ_in_the_loss_only_are_put_together_the_longest_first(
    store_run: StoreRun, tmp_path: Path
) -> None:
    store_run("short-bcl", "cifar100-lt", 14.0, epochs=10)
    store_run("short-lc", "cifar100-lt", 12.0, epochs=10, method="lc")
    store_run("long-bcl", "cifar100-lt", 40.0, epochs=60)
    store_run("long-scl", "cifar100-lt", 39.0, epochs=60, method="scl")
    groups = side_by_side(find_runs([tmp_path])[0])
    assert [{loss: run.folder.name for loss, run in group.items()} for group in groups] == [
        {"bcl": "long-bcl", "scl": "long-scl"},
        {"bcl": "short-bcl", "lc": "short-lc"},
    ]


def test_a_run_is_put_beside_no_other_seed_no_other_subset_and_nothing_unfinished(
    store_run: StoreRun, tmp_path: Path
) -> None:
    store_run("bcl", "cifar100-lt", 40.0)
    store_run("other-seed", "cifar100-lt", 40.0, method="lc", seed=1)
    store_run("other-images", "cifar100-lt", 40.0, method="ce", data={"subset_sha256": "0" * 64})
    store_run("begun", "cifar100-lt", 40.0, method="scl", finished=7)
    assert side_by_side(find_runs([tmp_path])[0]) == []


def test_a_run_has_its_metrics_epoch_by_epoch_and_none_where_none_were_kept(store_run: StoreRun) -> None:
    folder = store_run("bcl", "cifar100-lt", 40.0)
    (run,), _ = find_runs([folder])
    assert run.metrics == []
    rows = [{"epoch": 1, "top1": 20.0}, {"epoch": 2, "top1": 40.0}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run.metrics == rows


def test_hours_are_those_of_the_record_which_must_be_a_number(store_run: StoreRun) -> None:
    folder = store_run("bcl", "cifar100-lt", 40.0)
    (run,), _ = find_runs([folder])
    assert run.hours is None  # a record from before they were kept
    path = folder / "run.json"
    record = json.loads(path.read_text())
    for seconds in (5400.0, "long"):
        path.write_text(json.dumps(record | {"seconds": seconds}))
        runs, refused = find_runs([folder])
        assert [run.hours for run in runs] == ([1.5] if seconds == 5400.0 else [])
        assert [one.reason for one in refused if "'long'" not in one.reason] == []
    assert len(refused) == 1
