"""The paper's methods compute what they computed before each had a file of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from bcl_edu.augment import channel_statistics
from bcl_edu.augment.draws import derive_seed
from bcl_edu.augment.normalisation import Normalisation
from bcl_edu.data.labelled import LabelledImages
from bcl_edu.methods import Clock, build_method
from bcl_edu.recipe import Recipe
from bcl_edu.rows import RECIPES
from bcl_edu.run_options import RunOptions
from bcl_edu.training.batches import BatchLoader, EpochBatches
from bcl_edu.training.data import prepare_data
from bcl_edu.training.step import TrainingStep

RECORDED: dict[str, list[float]] = json.loads((Path(__file__).parent / "twenty_steps.json").read_text())[
    "losses"
]
CPU = torch.device("cpu")
DIGITS = RECIPES["digits-lt"][1]
CIFAR = RECIPES["cifar100-lt"][1].change(precision="float32", batch_size=32)


def first_losses(
    recipe: Recipe, train: LabelledImages, normalisation: Normalisation, number: int
) -> list[float]:
    torch.manual_seed(derive_seed(recipe.seed, "initial weights"))
    method = build_method(recipe, train.class_counts, train.image_shape)
    stage = method.stages()[0]
    step = TrainingStep(method, stage, normalisation, CPU)
    step.train_mode()
    batches = EpochBatches(train.labels, stage.batch_size, recipe.seed)
    loader = BatchLoader(train, stage.views, batches, CPU, 0)
    losses: list[float] = []
    for epoch in range(number):
        for at, loaded in enumerate(loader.epoch(epoch)):
            lr = stage.schedule.rate(epoch * batches.steps + at, batches.steps)
            clock = Clock(recipe.seed, stage.name, epoch, stage.epochs, at, batches.steps, lr)
            losses.append(float(step(loaded, clock)["loss"]))
            if len(losses) == number:
                return losses
    raise AssertionError("an epoch has at least one step")


@pytest.fixture(autouse=True)
def one_thread() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def noise() -> LabelledImages:
    """Images of CIFAR's shape, ten classes of 40 down to 2."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(10).repeat_interleave(torch.tensor([40, 30, 20, 15, 10, 8, 6, 5, 4, 2]))
    images = torch.randint(0, 256, (len(labels), 3, 32, 32), generator=generator, dtype=torch.uint8)
    return LabelledImages(images, labels, tuple(map(str, range(10))))


@pytest.mark.parametrize(
    "method", [name.removeprefix("digits/") for name in RECORDED if name.startswith("digits/")]
)
def test_twenty_steps_on_digits(method: str) -> None:
    data = prepare_data(DIGITS, RunOptions())
    assert isinstance(data.train, LabelledImages)
    found = first_losses(DIGITS.change(method=method), data.train, data.normalisation, 20)
    # another order of summation, no more; processors differ in it, and training doubles what it makes, step by step
    recorded = RECORDED[f"digits/{method}"]
    assert found[:12] == pytest.approx(recorded[:12], rel=2e-4)
    assert found == pytest.approx(recorded, rel=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["bcl", "scl", "lc"])
def test_the_first_steps_on_images_of_cifars_shape(method: str) -> None:
    train = noise()
    normalisation = Normalisation(*channel_statistics(train.images))
    found = first_losses(CIFAR.change(method=method), train, normalisation, 8)
    # training on noise at this rate multiplies rounding errors from step to step
    recorded = RECORDED[f"cifar-shaped/{method}"]
    assert found[:4] == pytest.approx(recorded[:4], rel=1e-3)
    assert found[4] == pytest.approx(recorded[4], rel=2e-2)
    assert found == pytest.approx(recorded[:8], rel=0.05)
