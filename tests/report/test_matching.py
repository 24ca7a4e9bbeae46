"""A run fills a row only if it is the row: finished, on the row's images, with every value that the paper
states."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from bcl_edu.data import exponential_profile, long_tailed_subset, subset_sha256
from bcl_edu.report.matching import expected_subset_sha256, free_choices, mismatches, nearest_row, rows_of
from bcl_edu.report.runs import StoredRun, find_runs
from bcl_edu.rows import ROWS
from bcl_edu.training import RECIPES
from tests.report.conftest import StoreRun

RESULTS = Path(__file__).parents[2] / "results"


def only(folder: Path) -> StoredRun:
    (run,), unreadable = find_runs([folder])
    assert unreadable == []
    return run


def names(run: StoredRun) -> list[str]:
    return [row.recipe.name for row in rows_of(run)]


def test_a_row_is_filled_by_its_own_recipe(store_run: StoreRun) -> None:
    assert names(only(store_run("a", "table2-lc", 50.0))) == ["table2-lc"]


def test_the_short_name_fills_the_rows_that_it_trains(store_run: StoreRun) -> None:
    run = only(store_run("a", "cifar100-lt", 50.0, seed=3))
    assert names(run) == ["table1-l1", "cifar100-lt-if100-bcl"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"epochs": 60}, "epochs 60, the row's 200"),
        ({"backbone": "resnet50"}, "backbone resnet50, the row's resnet32"),
        ({"imbalance_factor": 20.0}, "imbalance factor 20, the row's 100"),
        ({"lambda_": 1.0}, "lambda 1, the row's 2"),
        ({"milestones": (100, 150)}, "milestones [100, 150], the row's [160, 180]"),
        ({"finished": 12}, "unfinished, 12 of 200 epochs"),
        ({"data": {"subset_sha256": "f" * 64}}, "training subset ffffffffffff, the row's is 6941f3a64765"),
        ({"data": {"test_images": 500}}, "tested on 500 images, the row's test set has 10,000"),
    ],
)
def test_what_differs_is_named_with_both_values(
    changed: dict[str, object], reason: str, store_run: StoreRun
) -> None:
    run = only(store_run("a", "cifar100-lt-if100-bcl", 50.0, **changed))
    assert names(run) == []
    assert mismatches(run, ROWS["cifar100-lt-if100-bcl"]) == [reason]


def test_another_subset_seed_is_another_subset(store_run: StoreRun) -> None:
    run = only(store_run("a", "cifar100-lt-if100-bcl", 50.0, subset_seed=1))
    (reason,) = mismatches(run, ROWS["cifar100-lt-if100-bcl"])
    assert reason.startswith("training subset ")
    assert reason.endswith(", the row's is 6941f3a64765")


def test_photographs_are_counted_where_no_subset_can_be_expected(store_run: StoreRun) -> None:
    name = "imagenet-lt-resnext50-bcl"
    assert names(only(store_run("a", name, 50.0))) == [name]
    short = only(store_run("b", name, 50.0, data={"training_images": 1003, "test_images": 30}))
    assert mismatches(short, ROWS[name]) == [
        "trained on 1,003 images, the row's training set has 115,846",
        "tested on 30 images, the row's test set has 50,000",
    ]


def test_a_value_that_the_paper_leaves_open_is_a_choice_not_an_obstacle(store_run: StoreRun) -> None:
    run = only(store_run("a", "cifar100-lt-if50-bcl", 50.0, classifier="cosine", blur=False))
    assert names(run) == ["cifar100-lt-if50-bcl"]
    assert set(free_choices(run, ROWS["cifar100-lt-if50-bcl"])) == {"classifier cosine", "blur False"}


def test_a_batch_in_parts_that_is_contrasted_whole_is_a_choice(store_run: StoreRun) -> None:
    run = only(store_run("a", "cifar100-lt-if100-bcl", 50.0, accumulate=4))
    assert names(run) == ["table1-l1", "cifar100-lt-if100-bcl"]
    assert free_choices(run, ROWS["cifar100-lt-if100-bcl"]) == ("accumulate 4",)


def test_a_value_that_changes_nothing_is_neither(store_run: StoreRun) -> None:
    run = only(store_run("a", "table2-lc", 50.0, crop_scale=(0.1, 1.0), blur=False))
    assert names(run) == ["table2-lc"]
    assert free_choices(run, ROWS["table2-lc"]) == ()


def test_the_nearest_row_is_the_one_that_fewest_values_keep_it_out_of(store_run: StoreRun) -> None:
    shorter = nearest_row(only(store_run("a", "table2-lc", 30.0, epochs=40)))
    assert shorter is not None
    assert shorter.recipe.name == "table2-lc"
    assert nearest_row(only(store_run("b", "digits-lt", 80.0))) is None


def test_the_expected_subset_is_the_subset_of_the_published_images() -> None:
    labels = torch.arange(100).repeat_interleave(500)
    indices = long_tailed_subset(labels, exponential_profile(500, 100, 100.0), seed=0)
    assert expected_subset_sha256(RECIPES["cifar100-lt"][1]) == subset_sha256(indices)


def test_the_expected_subset_is_the_one_that_a_real_run_drew() -> None:
    record = json.loads((RESULTS / "cifar100-lt-10-epochs" / "bcl" / "run.json").read_text())
    assert record["data"]["subset_sha256"] == expected_subset_sha256(RECIPES["cifar100-lt"][1])
