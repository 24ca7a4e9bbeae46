import json
from pathlib import Path
from typing import Any

import pytest

from bcl_edu.training.checkpoint import CheckpointError
from bcl_edu.training.record import (
    command_line,
    git_revision,
    read_metrics,
    read_record,
    write_metrics,
    write_record,
)


def test_the_command_names_no_folder_of_one_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "sys.argv", ["anywhere/train.py", "cifar100-lt", "--data-dir", "/a/b/cifar100", "--epochs", "10"]
    )
    assert command_line() == "python -m bcl_edu.train cifar100-lt --data-dir .../cifar100 --epochs 10"


def test_metrics_are_one_json_object_a_line_and_replaced_as_a_whole(tmp_path: Path) -> None:
    write_metrics(tmp_path, [{"epoch": 1, "few": None}])
    write_metrics(tmp_path, [{"epoch": 1, "few": None}, {"epoch": 2, "few": 3.5}])
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rows == [{"epoch": 1, "few": None}, {"epoch": 2, "few": 3.5}]


def test_a_record_that_is_no_json_leaves_the_old_one(tmp_path: Path) -> None:
    write_record(tmp_path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_record(tmp_path, {"a": float("nan")})
    assert json.loads((tmp_path / "run.json").read_text()) == {"a": 1}


def test_outside_a_checkout_there_is_no_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_revision() is None


EPOCH = {"epoch": 1, "top1": 50.0, "many": None, "medium": 50.0, "few": 0.0}
RECORD: dict[str, Any] = {
    "recipe": {},
    "data": {"training_images": 10, "test_images": 5, "class_counts": [6, 4], "subset_sha256": "ab"},
    "sessions": [{"processes": 1, "hardware": {"processor": "abacus"}}],
    "epochs_finished": 1,
    "last": EPOCH,
    "best": EPOCH,
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("recipe", []),
        ("data", None),
        ("data", RECORD["data"] | {"training_images": "many"}),
        ("data", RECORD["data"] | {"class_counts": "x"}),
        ("data", RECORD["data"] | {"subset_sha256": 5}),
        ("sessions", 5),
        ("sessions", [5]),
        ("sessions", [{"hardware": None}]),
        ("epochs_finished", "1"),
        ("epochs_finished", -1),
        ("epochs_finished", True),
        ("last", 5),
        ("last", {}),
        ("last", EPOCH | {"top1": "high"}),
        ("last", EPOCH | {"top1": 150}),
        ("last", EPOCH | {"top1": None}),
        ("best", {"epoch": 1, "top1": 50.0}),
    ],
)
def test_a_value_that_no_run_writes_is_named(name: str, value: object, tmp_path: Path) -> None:
    write_record(tmp_path, RECORD)
    assert read_record(tmp_path) == RECORD
    write_record(tmp_path, RECORD | {name: value})
    with pytest.raises(
        CheckpointError, match=rf"run\.json was changed, or .* its '{name}' is .*, which no run writes"
    ):
        read_record(tmp_path)


def test_damaged_metrics_are_named(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1}\n{"epo')
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl is damaged"):
        read_metrics(tmp_path)
