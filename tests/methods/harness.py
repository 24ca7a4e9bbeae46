"""What every method is held to, whatever it computes: it learns, resumes to the same bits, and does not care
how many ranks or micro-batches compute a batch. `test_common.py` asks it of every method that is registered.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bcl_edu.augment import Normalisation
from bcl_edu.methods import Method, build_method
from bcl_edu.methods.protocol import Batch, Clock
from bcl_edu.methods.stage import Stage, Stream
from bcl_edu.recipe import Recipe
from bcl_edu.rows import RECIPES
from bcl_edu.run_options import RunOptions
from bcl_edu.training.batches import Loaded
from bcl_edu.training.data import prepare_data
from bcl_edu.training.distributed import Rank, average, average_gradients, gather, process_group
from bcl_edu.training.loop import Interrupted, RunResult, train
from bcl_edu.training.step import TrainingStep
from tests.training.ranks import on_ranks

CPU = torch.device("cpu")
COUNTS = torch.tensor([30, 10, 5])
NORMALISATION = Normalisation((0.3,), (0.4,))

_SMALL_LINEAR: dict[str, Any] = {
    "linear_epochs": 2,
    "linear_batch_size": 64,
    "linear_learning_rate": 0.1,
    "linear_milestones": (1,),
}
SMALL: dict[str, dict[str, Any]] = {
    "bbn": {"alpha_epochs": 300},
    "dro-lt": {"feature_epochs": 1, "classifier_epochs": 1},
    "metasaug": {"epochs": 4, "augmented_from": 0.5, "set_aside_images": 5, "meta_batch_size": 20},
    "ldam-drw": {"epochs": 4, "weights_from": 15},  # of the recipe's 30 epochs: in the middle
    "ssp": {"epochs": 4, "weights_from": 15, "pretext_epochs": 2},
    "kcl": {"queue_size": 64, "head_dim": 8} | _SMALL_LINEAR,
    "paco": {"queue_size": 64, "head_dim": 8},
    "proco": {"head_hidden": 16, "head_dim": 8},
    "hybrid-psc": {"head_dim": 8},
    "hybrid-sc": {"head_hidden": 16, "head_dim": 8},
    "ride": {
        "epochs": 4,
        "learning_rate": 0.02,
        "reweighted_from": 0.5,
        "router_epochs": 2,
        "router_batch_size": 64,
    },
    "ssp-crt": {
        "queue_size": 64,
        "head_hidden": 16,
        "head_dim": 8,
        "pretext_epochs": 2,
        "pretext_batch_size": 64,
        "pretext_views": "recipe",
        "second_epochs": 2,
    },
    "tde": {"learning_rate": 0.02},
    "tsc": {"queue_size": 64, "head_hidden": 0, "head_dim": 12, "target_epochs": 2, "fill_queue": True}
    | _SMALL_LINEAR,
}
"""By a method's name: values of its options that make it small enough for a test."""

FALLS_FROM = {"ssp-crt": 2}
"""By a method's name: the epoch, from 0, from which its loss falls, if it is not the first. MoCo's queue begins with
random keys, from which a query's own is easily told."""


def digits(method: str, **values: Any) -> Recipe:
    """Digits with a short tail for two epochs of four steps with this method."""
    recipe = RECIPES["digits-lt"][1].change(method=method)
    small = {"epochs": 2, "head_count": 60, "imbalance_factor": 10.0} | SMALL.get(method, {})
    return recipe.change(**small | values)


def options(folder: Path, **values: Any) -> RunOptions:
    """Of a run on one CPU that says nothing."""
    quiet: dict[str, Any] = {"workers": 0, "device": "cpu", "tensorboard": False, "progress": False}
    return RunOptions(output=folder, **quiet | values)


# ---- a run


class _StopAt:
    """Told of every step; asks the run to stop when it has taken a step."""

    def __init__(self, step: int, done: int) -> None:
        self.step, self.done = step, done

    def update(self, steps: int, epoch: int, loss: float) -> None:
        self.done += steps
        if self.done == self.step:
            os.kill(os.getpid(), signal.SIGTERM)

    def log(self, line: str) -> None: ...

    def close(self) -> None: ...


def stops_inside_stages(recipe: Recipe, start: str | None = None) -> list[int]:
    """A step just after the middle of each stage, counted over the run."""
    data = prepare_data(recipe, RunOptions())
    method = build_method(recipe, data.class_counts, data.train.image_shape)
    stops, before = [], 0
    for stage in method.stages() if start is None else method.stages_on(start):
        full, rest = divmod(stage.images or len(data.train), stage.batch_size)
        steps = stage.epochs * (full + (not stage.drop_last and rest > 0))
        stops.append(before + steps // 2 + 1)
        before += steps
    return stops


def with_stops(recipe: Recipe, folder: Path, stops: list[int], **values: Any) -> RunResult:
    """Train, stopped by a signal after each of these steps and resumed."""
    for number, stop in enumerate(stops):
        try:
            train(
                recipe,
                options(folder, resume=number > 0, **values),
                on_steps=lambda total, done, stop=stop: _StopAt(stop, done),
            )
        except Interrupted:
            continue
        raise AssertionError(f"the run did not stop after step {stop}")
    return train(recipe, options(folder, resume=True, **values))


def assert_same_run(found: RunResult, expected: RunResult) -> None:
    """The same bits in every parameter and buffer, and the same figures in every epoch."""
    theirs = expected.method.state_dict()
    for name, value in found.method.state_dict().items():
        assert torch.equal(value, theirs[name]), name
    of_found, of_expected = (
        [{name: value for name, value in row.items() if name != "seconds"} for row in run.metrics]
        for run in (found, expected)
    )
    assert of_found == of_expected


# ---- single steps, on images of noise


def built(recipe: Recipe) -> Method:
    """The recipe's method for three classes of 8 x 8 images, always with the same weights."""
    torch.manual_seed(0)
    return build_method(recipe, COUNTS, (1, 8, 8))


def noise(views: int, number: int, purpose: int = 0) -> Loaded:
    """A batch of images that show nothing, of three classes."""
    generator = torch.Generator().manual_seed(1 + purpose)
    images = torch.randint(0, 256, (views, number, 1, 8, 8), generator=generator, dtype=torch.uint8)
    labels = torch.arange(number) % 3
    return Loaded(images, labels[torch.randperm(number, generator=generator)], torch.arange(number))


def share_of(loaded: Loaded, rank: Rank, dtype: torch.dtype) -> Batch:
    """A rank's part of a batch, in the shape that a step makes of it."""
    parts = torch.arange(len(loaded.labels)).tensor_split(rank.world_size)
    mine = parts[rank.rank]
    return Batch(
        loaded.views[:, mine].to(dtype) / 255 - 0.5,
        loaded.labels[mine],
        loaded.indices[mine],
        partial(gather, sizes=[len(part) for part in parts]),
        average,
    )


def stage_batch(stage: Stage, number: int, rank: Rank, dtype: torch.dtype, purpose: int = 0) -> Batch:
    """A batch of a stage, with those of its streams."""
    streams = {
        name: share_of(noise(len(stream.views.views), number, 100 + purpose + place), rank, dtype)
        for place, (name, stream) in enumerate(stage.streams.items())
    }
    batch = share_of(noise(len(stage.views.views), number, purpose), rank, dtype)
    return replace(batch, streams=streams)


def loaded_batch(stage: Stage, number: int) -> Loaded:
    """A batch of a stage as it is loaded, with those of its streams."""
    streams = {name: noise(len(stream.views.views), number, 100) for name, stream in stage.streams.items()}
    return replace(noise(len(stage.views.views), number), streams=streams)


def clock_of(stage: Stage, step: int = 0) -> Clock:
    """The middle of a stage."""
    middle = stage.epochs // 2
    return Clock(0, stage.name, middle, stage.epochs, step, 4, stage.schedule.rate(4 * middle, 4))


Steps = dict[str, list[Tensor]]


def two_steps(recipe: Recipe, number: int, rank: Rank | None = None) -> Steps:
    """Losses and gradients of two steps in every stage, in float64, and what the state is afterwards."""
    rank = rank or Rank()
    method, found = built(recipe).double(), {}
    for stage in method.stages():
        step = TrainingStep(method, stage, NORMALISATION, CPU, rank=rank)
        method.begin(stage)
        _before_epoch(method, stage, rank, number)
        step.train_mode()
        for moment in range(2):
            step.optimizer.zero_grad()
            batch, clock = stage_batch(stage, number, rank, torch.float64, moment), clock_of(stage, moment)
            if method.owns_gradients:
                losses: Any = method.own_gradients(batch, clock, Tensor.backward)
                average_gradients(method)
            else:
                losses = step.module(batch, clock)
                losses["loss"].backward()
            found[f"{stage.name} {moment}"] = [value.detach() for value in losses.values()]
            learning = [p for p in method.parameters() if p.requires_grad]
            found[f"{stage.name} {moment} gradients"] = [
                torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in learning
            ]
            step.optimizer.step()
            with torch.no_grad():
                method.after_step(clock)
        found[f"{stage.name} state"] = [value.clone() for value in method.state_dict().values()]
    return found


@torch.no_grad()
def _before_epoch(method: Method, stage: Stage, rank: Rank, number: int) -> None:
    def training_pass(stream: Stream) -> Iterator[Batch]:
        yield share_of(noise(len(stream.views.views), number, 50), Rank(), torch.float64)

    method.eval()
    method.before_epoch(clock_of(stage), training_pass)


def _two_steps_on_a_rank(recipe_of: tuple[str, dict[str, Any]], number: int) -> Steps:
    method, values = recipe_of
    with process_group(CPU) as rank:
        return two_steps(digits(method, **values), number, rank)


def assert_two_ranks_do_what_one_does(method: str, **values: Any) -> None:
    """Losses, gradients and state of two steps in every stage, the last batch unequally shared."""
    expected = two_steps(digits(method, **values), 9)
    for found in on_ranks(2, _two_steps_on_a_rank, (method, values), 9):
        torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-8)


@contextmanager
def fixed_batch_norm(method: Method) -> Iterator[None]:
    """Within, batch normalisation uses running statistics, so that a sample's features are its own affair."""
    normalisations = [m for m in method.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    for one in normalisations:
        one.eval()
    yield
    for one in normalisations:
        one.train()


def gradients_in(pieces: list[int], recipe: Recipe, stage_number: int) -> list[Tensor]:
    """Gradients of one step on ten images in float64, computed in micro-batches of these sizes."""
    method = built(recipe)
    stage = method.stages()[stage_number]
    step = TrainingStep(method, stage, NORMALISATION, CPU)
    method.begin(stage)
    step.train_mode()
    method.double()
    batch = stage_batch(stage, sum(pieces), Rank(), torch.float64)
    micro_batches = [
        Batch(views, labels, indices, partial(gather, sizes=[len(labels)]))
        for views, labels, indices in zip(
            batch.views.split(pieces, dim=1),
            batch.labels.split(pieces),
            batch.indices.split(pieces),
            strict=True,
        )
    ]
    with fixed_batch_norm(method):
        losses = step._gradients(micro_batches, clock_of(stage))
    gradients = [p.grad for p in method.parameters() if p.requires_grad and p.grad is not None]
    return [losses["loss"].detach(), *gradients]
