"""A run killed at any moment and resumed ends with the same bits as one that nothing disturbed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bcl_edu.training.checkpoint import load_checkpoint

COMMAND = [
    *(sys.executable, "-m", "bcl_edu.train", "digits-lt", "--epochs", "6", "--head-count", "100"),
    *("--workers", "1", "--device", "cpu", "--no-tensorboard", "--checkpoint-minutes", "0.0005"),
]
LIMIT = 120  # seconds until a run that hangs fails the test


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "--output", str(folder), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, output
    return output


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.001)


def finished_epochs(folder: Path) -> int:
    path = folder / "metrics.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    folder = tmp_path_factory.mktemp("undisturbed")
    finish(start(folder))
    model: dict[str, torch.Tensor] = load_checkpoint(folder / "checkpoint.pt")["model"]
    return model


def assert_same_weights(folder: Path, expected: dict[str, torch.Tensor]) -> None:
    state = load_checkpoint(folder / "checkpoint.pt")
    assert state["epoch"] == 6
    assert finished_epochs(folder) == 6
    assert state["model"].keys() == expected.keys()
    different = [name for name in expected if not torch.equal(state["model"][name], expected[name])]
    assert different == []


# each moment is a condition on the run's folder: before the first checkpoint, then ever later, and one in which
# the checkpoint's temporary file exists, so that the kill falls into the writing of it
MOMENTS: dict[str, Callable[[Path], bool]] = {
    "before the first checkpoint": lambda folder: (folder / "run.json").exists(),
    "after a checkpoint inside the first epoch": lambda folder: (folder / "checkpoint.pt").exists(),
    "between two epochs": lambda folder: finished_epochs(folder) == 2,
    "while a checkpoint is written": lambda folder: (
        finished_epochs(folder) >= 3 and (folder / ".checkpoint.pt.writing").exists()
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_resumed_it_ends_with_the_same_bits(
    moment: str, undisturbed: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    process = start(tmp_path)
    wait_until(lambda: MOMENTS[moment](tmp_path), process)
    process.kill()
    process.communicate(timeout=LIMIT)
    assert process.returncode == -signal.SIGKILL
    assert finished_epochs(tmp_path) < 6
    finish(start(tmp_path, "--resume"))
    assert_same_weights(tmp_path, undisturbed)


@pytest.mark.slow
def test_ctrl_c_says_how_to_continue_and_the_rest_is_the_same(
    undisturbed: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    process = start(tmp_path)
    wait_until(lambda: finished_epochs(tmp_path) == 1, process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 130
    assert "continue with --resume" in output
    assert "Traceback" not in output
    output = finish(start(tmp_path, "--resume"))
    assert "last epoch (6)" in output
    assert_same_weights(tmp_path, undisturbed)
