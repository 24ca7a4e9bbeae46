"""The number of processes changes nothing but the order of summation: of one step, and of a whole run."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bcl_edu.augment import Normalisation
from bcl_edu.data import LabelledImages
from bcl_edu.methods import Batch
from bcl_edu.rows.bcl_rows import TITLES
from bcl_edu.run_options import Device
from bcl_edu.training import RECIPES, Recipe, RunOptions, train
from bcl_edu.training.distributed import (
    all_gather_unique,
    any_rank,
    broadcast_object,
    gather,
    process_group,
)
from bcl_edu.training.evaluation import evaluate_method
from bcl_edu.training.global_batch_norm import with_global_batch_norm
from tests.methods.by_hand import COUNTS, SMALL, built, clock
from tests.training.ranks import on_ranks

CPU = torch.device("cpu")

Gradients = tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]


# ---- one step


def one_step(name: str, batch: int, rank: int = 0, world_size: int = 1) -> Gradients:
    """Loss, gradients and running statistics of a step in float64, from this process's share of a batch."""
    generator = torch.Generator().manual_seed(1)
    views = torch.rand(3, batch, 1, 8, 8, generator=generator, dtype=torch.float64)
    labels = torch.randint(3, (batch,), generator=generator)
    method = built(SMALL.change(method=name)).double()
    module: nn.Module = method
    if world_size > 1:
        module = DistributedDataParallel(with_global_batch_norm(method, CPU))
    shares = torch.arange(batch).tensor_split(world_size)
    sizes = [len(share) for share in shares]
    mine = shares[rank]
    number = len(method.stages()[0].views.views)
    seen = Batch(views[:number, mine], labels[mine], mine, partial(gather, sizes=sizes))
    value = module(seen, clock())["loss"]
    value.backward()
    gradients = {name: p.grad for name, p in method.named_parameters() if p.grad is not None}
    return value.detach(), gradients, dict(method.named_buffers())


def shared_steps(names: list[str], batch: int) -> list[Gradients]:
    with process_group(CPU) as ranks:
        return [one_step(name, batch, ranks.rank, ranks.world_size) for name in names]


@pytest.mark.parametrize(
    ("world_size", "batch", "losses"),
    [
        pytest.param(2, 9, ["ce", "lc", "focal", "cb-focal", *TITLES], id="unequal shares"),
        pytest.param(4, 3, ["lc", "bcl"], id="one process without a sample"),
    ],
)
def test_every_process_has_the_loss_gradients_and_statistics_of_the_whole_batch(
    world_size: int, batch: int, losses: list[str]
) -> None:
    of_one = [one_step(loss, batch) for loss in losses]
    for of_process in on_ranks(world_size, shared_steps, losses, batch):
        torch.testing.assert_close(of_process, of_one, atol=1e-12, rtol=1e-9)


def gathered_wrongly_alone() -> str:
    with process_group(CPU):
        try:
            gather(torch.zeros(2), [3, 3])
        except ValueError as error:
            return str(error)
        return "gathered"


def test_rows_that_are_not_one_a_sample_are_refused_before_anything_is_exchanged() -> None:
    first, second = on_ranks(2, gathered_wrongly_alone)
    assert "2 rows" in first
    assert "2 rows" in second


# ---- what all processes agree on


def agreements() -> list[Any]:
    with process_group(CPU) as processes:
        return [
            processes.is_main,
            any_rank(processes.rank == 1, CPU),
            any_rank(False, CPU),
            broadcast_object(lambda: f"made by {processes.rank}"),
            all_gather_unique(["seen by all", f"seen by {processes.rank}"]),
        ]


def test_processes_agree() -> None:
    common = [True, False, "made by 0", ["seen by all", "seen by 0", "seen by 1"]]
    assert on_ranks(2, agreements) == [[True, *common], [False, *common]]


# ---- evaluation


def evaluations() -> list[dict[str, Any]]:
    """Of an untrained network on 11 images, and on 3: with 4 processes, unequal shares and an empty one."""
    method = built()
    found = []
    with process_group(CPU) as processes:
        for number in (11, 3):
            images = torch.randint(256, (number, 1, 8, 8), generator=torch.Generator().manual_seed(1))
            test = LabelledImages(images.byte(), torch.arange(number) % 3, ("a", "b", "c"))
            evaluation = evaluate_method(
                method,
                test,
                COUNTS,
                Normalisation((0.5,), (0.3,)),
                device=CPU,
                batch_size=2,
                rank=processes,
            )
            found.append(
                {
                    "predictions": evaluation.predictions,
                    "class means": evaluation.class_means,
                    **evaluation.accuracy.__dict__,
                }
            )
    return found


def test_every_test_image_counts_once_whatever_the_number_of_processes() -> None:
    expected = evaluations()
    for found in on_ranks(4, evaluations):
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours.pop("class means"), theirs["class means"])
            assert torch.equal(ours.pop("predictions"), theirs["predictions"])
            assert ours == {name: theirs[name] for name in ours}
    assert len(set(expected[0]["predictions"].tolist())) > 1  # else the comparison would say little


# ---- a whole run: 149 images in batches of 74 end with a batch of one, which cannot be shared


SHORT = replace(RECIPES["digits-lt"][1], epochs=2, head_count=60, imbalance_factor=10.0, batch_size=74)


def whole_run(
    folder: Path, share_statistics: bool = True, recipe: Recipe = SHORT, device: Device = "cpu"
) -> dict[str, Any]:
    """What this process knows of the run in the end."""
    options = RunOptions(output=folder, workers=0, device=device, tensorboard=False, progress=False)
    with pytest.MonkeyPatch.context() as patch:
        if not share_statistics:
            patch.setattr(
                "bcl_edu.training.step.with_global_batch_norm", lambda model, device, **options: model
            )
        result = train(recipe, options)
    numbers = [
        {name: value for name, value in row.items() if isinstance(value, float) and name != "seconds"}
        for row in result.metrics
    ]
    weights = {name: value.cpu() for name, value in result.method.state_dict().items()}
    return {"data": result.record["data"], "metrics": numbers, "weights": weights}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return whole_run(tmp_path_factory.mktemp("alone"))


@pytest.mark.parametrize("world_size", [2, 4])
def test_a_run_is_the_same_on_any_number_of_processes(
    world_size: int, alone: dict[str, Any], tmp_path: Path
) -> None:
    for of_process in on_ranks(world_size, whole_run, tmp_path):
        assert of_process["data"] == alone["data"]  # the subset among it
        for row, expected in zip(of_process["metrics"], alone["metrics"], strict=True):
            assert row == pytest.approx(expected, rel=1e-5)
        torch.testing.assert_close(of_process["weights"], alone["weights"], atol=1e-4, rtol=1e-4)


def test_without_global_batch_statistics_it_would_be_another_run(
    alone: dict[str, Any], tmp_path: Path
) -> None:
    of_process = on_ranks(2, whole_run, tmp_path, False)[0]
    assert of_process["metrics"][0]["loss"] != pytest.approx(alone["metrics"][0]["loss"], rel=1e-3)


def test_a_run_that_computes_its_batches_in_parts_is_the_same_on_two_processes(tmp_path: Path) -> None:
    recipe = replace(SHORT, accumulate=3, epochs=1, batch_size=50)
    alone = whole_run(tmp_path / "alone", recipe=recipe)
    for of_process in on_ranks(2, whole_run, tmp_path / "shared", True, recipe):
        assert of_process["metrics"][0] == pytest.approx(alone["metrics"][0], rel=1e-5)
        torch.testing.assert_close(of_process["weights"], alone["weights"], atol=1e-4, rtol=1e-4)


@pytest.mark.cuda
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
@pytest.mark.parametrize("parts", [1, 3])
def test_a_run_is_the_same_on_two_gpus(parts: int, tmp_path: Path) -> None:
    recipe = replace(SHORT, accumulate=parts, batch_size=50 if parts > 1 else SHORT.batch_size)
    alone = whole_run(tmp_path / "alone", True, recipe, "cuda")
    for of_process in on_ranks(2, whole_run, tmp_path / "shared", True, recipe, "cuda"):
        assert of_process["data"] == alone["data"]
        assert of_process["metrics"][0] == pytest.approx(alone["metrics"][0], rel=1e-3)
        torch.testing.assert_close(of_process["weights"], alone["weights"], atol=1e-2, rtol=1e-2)
