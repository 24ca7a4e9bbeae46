"""Runs started with torchrun, as a user starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bcl_edu.training.checkpoint import load_checkpoint
from tests.training.ranks import free_port


@pytest.mark.slow
def test_torchrun_trains_evaluates_and_writes_once(tmp_path: Path) -> None:
    command = [
        *(
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nproc-per-node",
            "2",
            "--master-port",
            str(free_port()),
        ),
        *("-m", "bcl_edu.train", "digits-lt", "--epochs", "2", "--head-count", "60", "--device", "cpu"),
        *("--workers", "0", "--output", str(tmp_path / "run"), "--no-tensorboard"),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("last epoch (2)") == 1
    state = load_checkpoint(tmp_path / "run" / "checkpoint.pt")
    assert state["epoch"] == 2
    assert state["sessions"][0]["processes"] == 2
