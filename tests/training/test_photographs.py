"""ImageNet-LT and iNaturalist 2018 end to end: real photographs, lists of 1,000 and annotations of 8,142
classes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bcl_edu.evaluate import evaluate_checkpoint
from bcl_edu.recipe import flat
from bcl_edu.training import RECIPES, RunOptions, train
from bcl_edu.training.checkpoint import load_checkpoint
from tests.photographs import imagenet_tree, inaturalist_tree, needs_photographs, unpack

pytestmark = [needs_photographs, pytest.mark.slow]
LIMIT = 120  # seconds until a run that hangs fails the test


class Enough(Exception):
    """As many steps were taken as asked for."""


class Steps:
    """Told of every step, ends the run after some."""

    def __init__(self, number: int) -> None:
        self.left = number
        self.losses: list[float] = []

    def update(self, steps: int, epoch: int, loss: float) -> None:
        self.losses.append(loss)
        self.left -= steps
        if self.left <= 0:
            raise Enough

    def log(self, line: str) -> None: ...

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return unpack(tmp_path_factory.mktemp("photographs"))


def test_resnet_50_on_imagenets_tree_is_killed_goes_on_and_is_evaluated(
    photographs: list[Path], tmp_path: Path
) -> None:
    root = imagenet_tree(tmp_path / "imagenet", photographs, flat=True)
    lists = {"train": root / "my_train.txt", "test": root / "my_test.txt"}
    recipe = RECIPES["imagenet-lt"][1].change(image_size=64, batch_size=4, head_hidden=64, head_dim=32)
    arguments = ["imagenet-lt", "--image-size=64", "--batch-size=4", "--head-hidden=64", "--head-dim=32"]
    arguments += [f"--data-dir={root}", f"--train-list={lists['train']}", f"--test-list={lists['test']}"]
    arguments += [f"--output={tmp_path / 'run'}", "--workers=1", "--device=cpu", "--no-tensorboard"]
    process = subprocess.Popen(
        [sys.executable, "-m", "bcl_edu.train", *arguments, "--checkpoint-minutes=0.0001"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    checkpoint = tmp_path / "run" / "checkpoint.pt"
    deadline = time.monotonic() + LIMIT
    while not checkpoint.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=LIMIT)
    assert process.returncode == -signal.SIGKILL

    step = load_checkpoint(checkpoint)["step"]
    assert step > 0
    options = RunOptions(
        data_dir=root,
        train_list=lists["train"],
        test_list=lists["test"],
        output=tmp_path / "run",
        resume=True,
        workers=1,
        device="cpu",
        tensorboard=False,
        checkpoint_minutes=1e-4,
    )
    steps = Steps(2)
    with pytest.raises(Enough):
        train(recipe, options, on_steps=lambda total, done: steps)
    assert len(steps.losses) == 2
    assert load_checkpoint(checkpoint)["step"] == step + 1  # the second of the two was not saved any more

    found = evaluate_checkpoint(tmp_path / "run", root, "cpu", lists=lists, workers=1)
    assert (found["test_images"], len(found["per_class"])) == (30, 1000)
    assert sum(row["accuracy"] is not None for row in found["per_class"]) == 10
    assert (found["many"], found["medium"]) == (None, None)  # every class has at most four training images


def test_resnet_50_takes_steps_on_inaturalists_8142_classes_and_goes_on(
    photographs: list[Path], tmp_path: Path
) -> None:
    root = inaturalist_tree(tmp_path / "inaturalist", photographs)
    recipe = RECIPES["inaturalist2018"][1].change(image_size=32, batch_size=4, head_hidden=32, head_dim=32)
    options = RunOptions(
        data_dir=root,
        train_list=root / "my_train.json",
        test_list=root / "my_val.json",
        output=tmp_path / "run",
        workers=1,
        device="cpu",
        tensorboard=False,
        checkpoint_minutes=1e-4,
    )
    steps = Steps(3)
    with pytest.raises(Enough):
        train(recipe, options, on_steps=lambda total, done: steps)
    assert all(4 < loss < 40 for loss in steps.losses)  # log 8142 = 9.0
    before = load_checkpoint(tmp_path / "run" / "checkpoint.pt")["step"]
    more = Steps(2)
    with pytest.raises(Enough):
        train(recipe, replace(options, resume=True), on_steps=lambda total, done: more)
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt")["step"] == before + 1
    found = evaluate_checkpoint(tmp_path / "run", root, "cpu", lists=options.lists, workers=1)
    assert (found["test_images"], len(found["per_class"])) == (17, 8142)


def test_the_recipe_of_imagenet_takes_a_step_at_its_full_size(
    photographs: list[Path], tmp_path: Path
) -> None:
    """224 pixels, ResNet-50, heads of 2048 and 1024: all but the batch is the row's own."""
    root = imagenet_tree(tmp_path / "imagenet", photographs, flat=True)
    recipe = replace(RECIPES["imagenet-lt"][1], batch_size=2)
    assert (recipe.image_size, flat(recipe)["head_hidden"], flat(recipe)["head_dim"]) == (224, 2048, 1024)
    options = RunOptions(
        data_dir=root,
        train_list=root / "my_train.txt",
        test_list=root / "my_test.txt",
        output=tmp_path / "run",
        workers=1,
        device="cpu",
        tensorboard=False,
    )
    steps = Steps(1)
    with pytest.raises(Enough):
        train(recipe, options, on_steps=lambda total, done: steps)
    assert 2 < steps.losses[0] < 20  # log 1000 = 6.9
