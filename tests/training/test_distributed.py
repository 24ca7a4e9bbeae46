"""Two processes with half a batch each give the loss and the gradients of one process with the whole batch."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as multiprocessing
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bcl_edu.methods import OBJECTIVES, build_method
from bcl_edu.training import RECIPES
from bcl_edu.training.checkpoint import load_checkpoint
from bcl_edu.training.distributed import any_process, gather, process_group

RECIPE = replace(RECIPES["digits-lt"][1], head_hidden=16, head_dim=8)
COUNTS = torch.tensor([30, 10, 5])
BATCH = 9  # odd: the two shares differ in size


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    views = torch.rand(3, BATCH, 1, 8, 8, generator=generator, dtype=torch.float64)
    return views, torch.randint(3, (BATCH,), generator=generator)


def loss_and_gradients(loss: str, rank: int, world_size: int) -> tuple[Tensor, dict[str, Tensor]]:
    """In float64, and without batch statistics, which each process would take from its own share."""
    torch.manual_seed(0)
    method = build_method(replace(RECIPE, loss=loss), COUNTS, (1, 8, 8))  # type: ignore[arg-type]
    method.model.double()
    for module in method.model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.eval()
    views, labels = batch()
    share = torch.arange(BATCH).tensor_split(world_size)[rank]
    model = method.model if world_size == 1 else DistributedDataParallel(method.model)
    value = method.loss(model(views[: len(method.view_policy.views), share]), labels[share], gather)["loss"]
    value.backward()
    return value.detach(), {name: p.grad for name, p in method.model.named_parameters() if p.grad is not None}


def worker(rank: int, world_size: int, port: int, folder: Path) -> None:
    warnings.simplefilter("error")
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(world_size), "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    with process_group(torch.device("cpu")) as processes:
        assert (processes.rank, processes.is_main) == (rank, rank == 0)
        assert any_process(rank == 1, torch.device("cpu"))
        assert not any_process(False, torch.device("cpu"))
        results = {loss: loss_and_gradients(loss, rank, world_size) for loss in OBJECTIVES}
    torch.save(results, folder / f"{rank}.pt")


@pytest.fixture(scope="module", params=[2, 3])
def results(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, object]]:
    folder = tmp_path_factory.mktemp("ranks")
    multiprocessing.spawn(worker, (request.param, free_port(), folder), nprocs=request.param)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(request.param)]


@pytest.mark.parametrize("loss", OBJECTIVES)
def test_every_process_has_the_loss_and_gradients_of_the_whole_batch(
    loss: str, results: list[dict[str, tuple[Tensor, dict[str, Tensor]]]]
) -> None:
    value, gradients = loss_and_gradients(loss, rank=0, world_size=1)
    for of_process in results:
        its_value, its_gradients = of_process[loss]
        assert its_value.item() == pytest.approx(value.item(), abs=1e-12)
        assert its_gradients.keys() == gradients.keys()
        for name, gradient in gradients.items():
            torch.testing.assert_close(its_gradients[name], gradient, atol=1e-12, rtol=1e-9)


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
