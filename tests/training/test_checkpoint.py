import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from bcl_edu.files import write_atomically
from bcl_edu.training.checkpoint import CheckpointError, load_checkpoint, load_run_checkpoint, save_checkpoint


def test_tensors_and_plain_values_come_back(tmp_path: Path) -> None:
    state = {"weights": torch.arange(3.0), "rows": [{"top1": 1.5, "few": None}], "name": "λ"}
    save_checkpoint(tmp_path / "c.pt", state)
    back = load_checkpoint(tmp_path / "c.pt")
    assert torch.equal(back.pop("weights"), torch.arange(3.0))
    assert back == {"format": 2, "rows": [{"top1": 1.5, "few": None}], "name": "λ"}


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.pt"
    write_atomically(path, b"old")

    def power_cut(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", power_cut)
    with pytest.raises(OSError, match="no space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"


class Payload:
    """What a malicious checkpoint would run when unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("owned"),)


def test_code_in_a_checkpoint_is_refused_and_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"format": 2, "model": Payload()}, "evil.pt")
    with pytest.raises(CheckpointError, match=r"evil\.pt cannot be read"):
        load_checkpoint(Path("evil.pt"))
    assert not Path("owned").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", pickle.dumps({"format": 1})])
def test_damaged_files_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"c\.pt"):
        load_checkpoint(path)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_one_changed_byte_is_seen(share: float, tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, {"weights": torch.zeros(10_000)})
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"c\.pt cannot be read .*damaged"):
        load_checkpoint(path)


def test_a_missing_file_and_another_format_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        load_checkpoint(tmp_path / "c.pt")
    torch.save({"format": 7}, tmp_path / "c.pt")
    with pytest.raises(CheckpointError, match=r"format 7, .*1 and 2"):
        load_checkpoint(tmp_path / "c.pt")


def test_a_checkpoint_without_a_run_in_it_is_named_with_what_is_missing(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.pt", {"model": {}, "recipe": {}})
    with pytest.raises(CheckpointError, match=r"c\.pt .*another version.* data, normalisation"):
        load_run_checkpoint(tmp_path / "c.pt")


def test_a_file_that_may_not_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", "c.pt")

    save_checkpoint(tmp_path / "c.pt", {})
    monkeypatch.setattr(Path, "read_bytes", closed)
    with pytest.raises(PermissionError, match=r"Permission denied: 'c\.pt'"):
        load_checkpoint(tmp_path / "c.pt")


# ---- what no run stores, one field at a time

ROW = {"epoch": 1, "seconds": 2.5, "loss": 0.5, "top1": 50.0, "many": None, "medium": 40.0, "few": 0.0}
STATE = {
    "recipe": {},
    "data": {"class_counts": [3, 1]},
    "normalisation": {"mean": [0.5], "std": [0.1]},
    "image_shape": [1, 8, 8],
    "model": {},
    "optimizer": {},
    "random": {},
    "stage": 0,
    "start": None,
    "epoch": 1,
    "step": 0,
    "sums": {},
    "seconds": 0.0,
    "history": [ROW | {"simplex_deviation": None}],
    "best": ROW | {"simplex_deviation": None},
    "sessions": [{"processes": 1}],
}


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        (("image_shape", 0), "1", "image_shape"),
        (("image_shape", 2), 0, "image_shape"),
        (("stage",), True, "stage"),
        (("step",), -1, "step"),
        (("sums", "loss"), float("nan"), "sums"),
        (("seconds",), float("inf"), "seconds"),
        (("normalisation", "mean", 0), [0.5], r"normalisation\['mean'\]"),
        (("normalisation", "std", 0), 0.0, r"normalisation\['std'\]"),
        (("normalisation", "std"), [0.1, 0.1], r"normalisation\['std'\] has 2 values"),
        (("data", "class_counts"), [3, "1"], r"data\['class_counts'\]"),
        (("recipe", "weight_decay"), torch.zeros(3), r"recipe\['weight_decay'\]"),
        (("history", 0), None, "history"),
        (("history", 0, "medium"), [40.0], r"history\[0\]\['medium'\]"),
        (("history", 0, "simplex_deviation"), {}, r"history\[0\]\['simplex_deviation'\]"),
        (("history", 0, "epoch"), 2, r"history\[0\]\['epoch'\]"),
        (("history", 0, "loss"), None, r"history\[0\]\['loss'\]"),
        (("start",), {"a": 1}, "start lacks 'method'"),
        (("best", "top1"), 60.0, "best is none of the epochs"),
        (("best",), None, "best is None"),
        (("sessions", 0, "processes"), torch.ones(()), r"sessions\[0\]\['processes'\]"),
    ],
)
def test_a_field_that_no_run_stores_is_named(
    place: tuple[str | int, ...], value: object, named: str, tmp_path: Path
) -> None:
    state: Any = copy.deepcopy(STATE)
    save_checkpoint(tmp_path / "c.pt", state)
    load_run_checkpoint(tmp_path / "c.pt")
    *before, last = place
    part = state
    for name in before:
        part = part[name]
    part[last] = value
    save_checkpoint(tmp_path / "c.pt", state)
    with pytest.raises(CheckpointError, match=rf"c\.pt is of another version .*, or was changed: .*{named}"):
        load_run_checkpoint(tmp_path / "c.pt")
