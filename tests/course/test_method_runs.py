import json
from pathlib import Path
from typing import Any

import pytest

from bcl_edu.course.method_runs import class_accuracies, difference, over_seeds, read_method_runs

RESULTS = Path(__file__).resolve().parents[2] / "results" / "digits-lt-methods"


def write(folder: Path, *runs: tuple[str, int, float]) -> None:
    lines = [json.dumps({"method": method, "seed": seed, "top1": top1}) for method, seed, top1 in runs]
    (folder / "runs.jsonl").write_text("\n".join(lines) + "\n")


def test_runs_come_by_method_in_the_order_of_their_seeds(tmp_path: Path) -> None:
    write(tmp_path, ("b", 1, 3.0), ("a", 0, 1.0), ("b", 0, 2.0), ("a", 1, 5.0))
    runs = read_method_runs(tmp_path)
    assert [(name, [run["top1"] for run in of]) for name, of in runs.items()] == [
        ("b", [2.0, 3.0]),
        ("a", [1.0, 5.0]),
    ]


def test_methods_with_other_seeds_cannot_be_compared(tmp_path: Path) -> None:
    write(tmp_path, ("a", 0, 1.0), ("b", 1, 1.0))
    with pytest.raises(ValueError, match=r"b has .*\[1\].* a has \[0\]"):
        read_method_runs(tmp_path)


def test_two_runs_of_40_and_44_have_mean_42_and_deviation_the_root_of_8() -> None:
    runs: list[dict[str, Any]] = [{"top1": 40.0, "z": None}, {"top1": 44.0, "z": 1.0}]
    assert over_seeds(runs, "top1") == pytest.approx((42, 8**0.5))
    with pytest.raises(ValueError, match="z is"):
        over_seeds(runs, "z")


def test_what_seeds_do_to_both_cancels_in_their_difference() -> None:
    one, other = ([{"top1": value} for value in values] for values in ((52.0, 54.0), (50.0, 50.0)))
    assert difference(one, other) == pytest.approx((3, 1))


def test_class_accuracies_are_means_over_the_runs_that_have_them() -> None:
    assert class_accuracies([{"per_class": [0.0, 50.0]}, {}, {"per_class": [10.0, 100.0]}]) == [5, 75]
    with pytest.raises(ValueError, match="no run has 'per_class'"):
        class_accuracies([{}])


def test_the_stored_accuracies_of_classes_add_up_to_those_of_all() -> None:
    stored = [run for runs in read_method_runs(RESULTS).values() for run in runs if "per_class" in run]
    assert len(stored) >= 34
    for run in stored:
        assert sum(run["per_class"]) / 10 == pytest.approx(run["top1"])  # 40 test images of each digit
        assert sum(run["per_class"][5:]) / 5 == pytest.approx(run["few"])
