"""A function in several processes of one group, set up as by torchrun but started in a fraction of a second."""

from __future__ import annotations

import multiprocessing
import os
import socket
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.multiprocessing.spawn import start_processes

LIMIT = 100
"""Seconds after which processes that still run are killed and the test fails."""


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def on_ranks(number: int, function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What the function returned in each of the processes, in the order of their ranks.

    The function must be importable; what it returns, tensors and plain values. An error in one process ends the
    others and is raised here.
    """
    # children fork from a process that has no threads, and has imported what takes seconds to import
    multiprocessing.set_forkserver_preload(["bcl_edu.training", "torch._dynamo", "sklearn.datasets"])
    with TemporaryDirectory() as folder:
        rest = (number, free_port(), Path(folder), function, arguments)
        group = start_processes(_rank, rest, nprocs=number, join=False, start_method="forkserver")
        assert group is not None
        deadline = time.monotonic() + LIMIT
        try:
            while not group.join(timeout=1):
                assert time.monotonic() < deadline, f"{number} processes have not ended after {LIMIT} s"
        finally:
            for process in group.processes:
                process.kill()
        return [torch.load(Path(folder) / f"{rank}.pt", weights_only=True) for rank in range(number)]


def _rank(
    rank: int, number: int, port: int, folder: Path, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(number), "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.save(function(*arguments), folder / f"{rank}.pt")
