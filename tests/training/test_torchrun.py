"""Runs started with torchrun, as a user starts them: stopped, killed, and continued on other numbers of processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bcl_edu.training import RECIPES, RunOptions, train
from bcl_edu.training.checkpoint import load_checkpoint
from tests.training.ranks import free_port, on_ranks

LIMIT = 150  # seconds until a job that hangs fails the test

# a low learning rate, lest rounding grow into visible differences over these 18 steps
RECIPE = replace(RECIPES["digits-lt"][1], epochs=6, head_count=60, imbalance_factor=10.0, learning_rate=0.001)
COMMAND = [
    *("-m", "bcl_edu.train", "digits-lt", "--epochs", "6", "--head-count", "60", "--imbalance-factor", "10"),
    *("--learning-rate", "0.001", "--device", "cpu", "--no-tensorboard", "--checkpoint-minutes", "0.0005"),
]

pytestmark = pytest.mark.slow


@contextmanager
def torchrun(folder: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """A job of two processes; whatever of it is left at the end is killed."""
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(free_port())]
    job = subprocess.Popen(
        [sys.executable, *launcher, *COMMAND, "--output", str(folder), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    try:
        yield job
    finally:
        for pid in processes_of(job).values():
            os.kill(pid, signal.SIGKILL)
        job.kill()
        job.communicate()


def processes_of(job: subprocess.Popen[str]) -> dict[int, int]:
    """Process id of each rank that lives."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
            words = (process / "environ").read_text().split("\0") if parent == job.pid else []
        except OSError:  # it has just ended, or is another user's
            continue
        found |= {int(word[5:]): int(process.name) for word in words if word.startswith("RANK=")}
    return found


def wait_for_checkpoint(folder: Path, job: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + LIMIT
    while not (folder / "checkpoint.pt").exists():
        assert job.poll() is None, job.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.002)


def continued(folder: Path) -> dict[str, torch.Tensor]:
    options = RunOptions(output=folder, resume=True, device="cpu", tensorboard=False, progress=False)
    weights: dict[str, torch.Tensor] = train(RECIPE, options).method.state_dict()
    return weights


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """Weights of the run in one process."""
    folder = tmp_path_factory.mktemp("undisturbed")
    train(RECIPE, RunOptions(output=folder, device="cpu", tensorboard=False, progress=False))
    model: dict[str, torch.Tensor] = load_checkpoint(folder / "checkpoint.pt")["model"]
    return model


def test_a_killed_worker_ends_the_job_and_any_number_of_processes_continue_it(
    undisturbed: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with torchrun(folder) as job:
        wait_for_checkpoint(folder, job)
        os.kill(processes_of(job)[1], signal.SIGKILL)
        output, _ = job.communicate(timeout=LIMIT)
        assert job.returncode != 0
        assert processes_of(job) == {}
    assert "process 0 of 2: lost" in output
    assert load_checkpoint(folder / "checkpoint.pt")["epoch"] < RECIPE.epochs

    shutil.copytree(folder, tmp_path / "by four")
    for weights in [continued(folder), *on_ranks(4, continued, tmp_path / "by four")]:
        torch.testing.assert_close(weights, undisturbed, atol=1e-3, rtol=1e-3)
    sessions = load_checkpoint(tmp_path / "by four" / "checkpoint.pt")["sessions"]
    assert [session["processes"] for session in sessions] == [2, 4]


def test_a_scheduler_that_ends_the_job_finds_it_saved_and_the_rest_is_the_same(
    undisturbed: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    with torchrun(tmp_path) as job:
        wait_for_checkpoint(tmp_path, job)
        # the workers get theirs twice, since torchrun passes its own on
        for pid in [*processes_of(job).values(), job.pid]:
            os.kill(pid, signal.SIGTERM)
        output, _ = job.communicate(timeout=LIMIT)
    assert job.returncode != 0
    assert output.count("continue with --resume") == 1
    assert "bcl_edu/training" not in output  # no traceback of ours

    with torchrun(tmp_path, "--resume") as job:
        output, _ = job.communicate(timeout=LIMIT)
    assert job.returncode == 0, output
    assert output.count("last epoch (6)") == 1  # one process speaks
    torch.testing.assert_close(
        load_checkpoint(tmp_path / "checkpoint.pt")["model"], undisturbed, atol=1e-3, rtol=1e-3
    )
