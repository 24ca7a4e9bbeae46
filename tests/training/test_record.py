import json
from pathlib import Path

import pytest

from bcl_edu.training.record import command_line, git_revision, write_metrics, write_record


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
