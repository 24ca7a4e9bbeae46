"""A whole run on images that stay on disk: what it leaves behind, what it refuses, how it goes on."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bcl_edu import train as command
from bcl_edu.evaluate import evaluate_checkpoint
from bcl_edu.training import RECIPES, CheckpointError, Interrupted, Recipe, RunOptions, RunResult, train
from bcl_edu.training.batches import UnreadableImage, UnreadableImageWarning
from bcl_edu.training.checkpoint import load_checkpoint
from bcl_edu.training.step import TrainingStep
from tests.data.small_imagenet import TRAIN, own_lists, small_imagenet

SMALL = {"image_size": 32, "backbone": "resnet32", "head_hidden": 16, "head_dim": 8, "precision": "float32"}


@pytest.fixture
def recipe() -> Recipe:
    """Two epochs of three steps each."""
    return RECIPES["imagenet-lt"][1].change(epochs=2, batch_size=3, **SMALL)


@pytest.fixture
def options(tmp_path: Path) -> RunOptions:
    root = small_imagenet(tmp_path / "imagenet")
    lists = own_lists(root)
    return RunOptions(
        data_dir=root,
        train_list=lists["train"],
        test_list=lists["test"],
        output=tmp_path / "run",
        workers=0,
        device="cpu",
        tensorboard=False,
        progress=False,
    )


def weights(folder: Path) -> dict[str, torch.Tensor]:
    model: dict[str, torch.Tensor] = load_checkpoint(folder / "checkpoint.pt")["model"]
    return model


def same_weights(one: RunResult, other: RunResult) -> bool:
    left, right = weights(one.folder), weights(other.folder)
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def interrupt_in_step(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ctrl-C would, once."""
    steps = 0
    step = TrainingStep.__call__

    def interrupted_step(self: TrainingStep, *arguments: object) -> object:
        nonlocal steps
        steps += 1
        if steps == number:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(TrainingStep, "__call__", interrupted_step)


def test_the_record_says_which_images_by_their_list(recipe: Recipe, options: RunOptions) -> None:
    record = train(replace(recipe, epochs=1), options).record
    data = record["data"]
    assert (data["training_images"], data["test_images"], data["class_counts"]) == (7, 3, [4, 2, 1])
    assert data["lists"] == {
        "train": {"file": "train.txt", "as_published": False},
        "test": {"file": "test.txt", "as_published": False},
    }
    assert len({data["subset_sha256"], data["training_images_sha256"], data["test_images_sha256"]}) == 3
    # the published channel statistics, not those of seven images
    assert record["normalisation"] == {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    assert "unreadable_images" not in record["sessions"][-1]


def test_interrupted_and_resumed_with_other_workers_it_ends_with_the_same_bits(
    recipe: Recipe, options: RunOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(recipe, replace(options, output=tmp_path / "whole"))
    interrupt_in_step(4, monkeypatch)
    with pytest.raises(Interrupted, match="epoch 2 after step 1 of 3"):
        train(recipe, replace(options, workers=2))
    resumed = train(recipe, replace(options, workers=1, resume=True))
    assert same_weights(whole, resumed)
    assert resumed.metrics[-1]["loss"] == whole.metrics[-1]["loss"]


def test_a_run_goes_on_only_with_the_list_it_began_with(recipe: Recipe, options: RunOptions) -> None:
    assert options.train_list is not None
    train(replace(recipe, epochs=1), options)
    options.train_list.write_text("\n".join(reversed(TRAIN)))
    with pytest.raises(CheckpointError, match="training_images_sha256: stored"):
        train(replace(recipe, epochs=1), replace(options, resume=True))


def test_a_checkpoint_evaluates_to_the_figures_of_the_record(recipe: Recipe, options: RunOptions) -> None:
    result = train(replace(recipe, epochs=1), options)
    found = evaluate_checkpoint(result.folder, options.data_dir, "cpu", lists=options.lists, workers=1)
    for name in ("top1", "many", "medium", "few", "simplex_deviation"):
        assert found[name] == result.record["last"][name]
    assert [row["class"] for row in found["per_class"]] == ["n01440764", "n01443537", "n01484850"]


def test_an_unreadable_image_ends_the_run_with_its_name_on_the_command_line(
    options: RunOptions, tmp_path: Path
) -> None:
    damaged = tmp_path / "imagenet" / TRAIN[2].split()[0]
    damaged.write_bytes(damaged.read_bytes()[:500])
    arguments = [f"--data-dir={options.data_dir}", f"--train-list={options.train_list}"]
    arguments += [f"--test-list={options.test_list}", f"--output={options.output}", "--image-size=32"]
    arguments += ["--backbone=resnet32", "--batch-size=3", "--workers=1", "--device=cpu", "--no-tensorboard"]
    with pytest.raises(SystemExit) as end:
        command.main(["imagenet-lt", *arguments])
    message = str(end.value.code)
    assert message.startswith(f"bcl_edu.train: cannot read the image {damaged}: ")
    assert "--unreadable-images replace" in message
    assert "Traceback" not in message
    assert (
        multiprocessing.active_children() == []
    )  # the worker was let go, though the error still holds the loader


def test_replaced_images_are_counted_in_the_record(
    recipe: Recipe, options: RunOptions, tmp_path: Path
) -> None:
    damaged = tmp_path / "imagenet" / TRAIN[2].split()[0]
    damaged.write_bytes(damaged.read_bytes()[:500])
    with pytest.raises(UnreadableImage):
        train(recipe, replace(options, output=tmp_path / "refused"))
    with pytest.warns(UnreadableImageWarning, match=str(damaged)) as told:
        train(replace(recipe, unreadable_images="replace"), options)
    assert len(told) == 1  # in two epochs
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    (reason,) = record["sessions"][-1]["unreadable_images"]
    assert str(damaged) in reason


def test_replaced_images_are_counted_also_in_an_epoch_that_was_interrupted(
    recipe: Recipe, options: RunOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "imagenet" / TRAIN[2].split()[0]
    damaged.write_bytes(damaged.read_bytes()[:500])
    interrupt_in_step(3, monkeypatch)
    with pytest.warns(UnreadableImageWarning), pytest.raises(Interrupted, match="after step 3 of 3"):
        train(replace(recipe, unreadable_images="replace"), options)
    (session,) = load_checkpoint(tmp_path / "run" / "checkpoint.pt")["sessions"]
    assert len(session["unreadable_images"]) == 1


def test_photographs_of_ones_own_of_any_size_can_be_brought_to_one(
    options: RunOptions, tmp_path: Path
) -> None:
    recipe = RECIPES["imagenet-lt"][1].change(dataset="folder", epochs=1, batch_size=3, **SMALL)  # type: ignore[arg-type]
    (tmp_path / "imagenet" / "val").rename(tmp_path / "imagenet" / "test")
    own = replace(options, train_list=None, test_list=None)
    assert train(recipe, own).record["data"]["class_counts"] == [4, 2, 1]
