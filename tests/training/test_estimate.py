"""What a run will take: estimated without leaving a trace, and near to what it then takes where that is exact."""

from __future__ import annotations

import multiprocessing
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bcl_edu.training import RECIPES, Recipe, RunOptions, estimate, train
from bcl_edu.training.estimate import Cost, Estimate
from tests.data.small_imagenet import own_lists, small_imagenet


def quick(recipe: Recipe, options: RunOptions) -> Estimate:
    return estimate(recipe, options, seconds=0.01)


def test_it_leaves_no_file_and_no_trace_in_the_random_state(
    tiny: Recipe, options: RunOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = torch.get_rng_state()
    quick(tiny, options)
    assert torch.equal(torch.get_rng_state(), before)
    assert list(tmp_path.iterdir()) == []


def test_a_run_after_it_is_the_run_without_it(tiny: Recipe, options: RunOptions, tmp_path: Path) -> None:
    recipe = replace(tiny, epochs=1)
    first = train(recipe, options).metrics[-1]
    quick(recipe, options)
    second = train(recipe, replace(options, output=tmp_path / "again")).metrics[-1]
    assert {**first, "seconds": None} == {**second, "seconds": None}


def test_a_run_under_way_is_no_obstacle(tiny: Recipe, options: RunOptions) -> None:
    folder = train(replace(tiny, epochs=1), options).folder
    before = (folder / "checkpoint.pt").read_bytes()
    quick(tiny, options)
    assert (folder / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize("loss", ["bcl", "lc"])
def test_the_checkpoint_is_as_large_as_it_says(loss: str, tiny: Recipe, options: RunOptions) -> None:
    recipe = tiny.change(method=loss, epochs=1)
    predicted = quick(recipe, options).checkpoint_bytes
    actual = (train(recipe, options).folder / "checkpoint.pt").stat().st_size
    assert predicted == pytest.approx(actual, rel=0.15)


def test_epochs_and_the_run_are_made_of_their_parts(tiny: Recipe, options: RunOptions) -> None:
    found = quick(tiny, options)
    assert found.epoch.clock == pytest.approx(
        found.epoch_steps.clock + found.evaluation.clock + found.checkpoint.clock
    )
    assert found.run == pytest.approx(found.start.clock + tiny.epochs * found.epoch.clock)
    assert found.evaluations == tiny.epochs
    assert found.measured_steps >= 3
    assert found.workers_memory == 0


def test_later_stages_count_by_their_images(tiny: Recipe, options: RunOptions) -> None:
    found = estimate(
        tiny.change(method="dro-lt", feature_epochs=3, classifier_epochs=2), options, seconds=0.01
    )
    assert (found.first_epochs, found.later_epochs) == (tiny.epochs, 5)
    assert found.epochs_of_first > tiny.epochs + 5  # an epoch of theirs visits more images
    assert "5 of later stages" in found.table()
    after_epochs = found.evaluation.clock + found.checkpoint.clock
    assert found.run == pytest.approx(
        found.start.clock + found.epochs_of_first * found.epoch_steps.clock + (tiny.epochs + 5) * after_epochs
    )


@pytest.mark.parametrize("drop_last", [False, True])
def test_a_smaller_last_batch_counts_by_its_images(
    drop_last: bool, tiny: Recipe, options: RunOptions
) -> None:
    found = quick(replace(tiny, drop_last=drop_last), options)
    full, rest = divmod(
        train(replace(tiny, epochs=1), options).record["data"]["training_images"], tiny.batch_size
    )
    assert rest > 0
    assert found.steps == full + (not drop_last)
    in_batches = full + (0 if drop_last else rest / tiny.batch_size)
    assert found.epoch_steps.clock == pytest.approx(in_batches * found.step.clock)


def test_a_step_has_no_more_images_than_there_are(tiny: Recipe, options: RunOptions) -> None:
    recipe = replace(tiny, batch_size=4096, val_fraction=0.3)
    found = quick(recipe, options)
    images = train(replace(recipe, epochs=1), options).record["data"]["training_images"]
    assert (found.steps, found.step_images) == (1, images)
    assert f"{images} images, " in found.table()


def test_epochs_that_are_not_evaluated_take_no_evaluation(tiny: Recipe, options: RunOptions) -> None:
    found = quick(replace(tiny, epochs=40), replace(options, evaluate_every=10))
    assert found.evaluations < 40
    assert f"{found.evaluations} evaluations" in found.table()


def test_a_run_that_is_continued_is_not_estimated(tiny: Recipe, options: RunOptions) -> None:
    with pytest.raises(ValueError, match="leave out --resume"):
        quick(tiny, replace(options, resume=True))


def test_photographs_are_loaded_by_workers_whose_memory_counts(tmp_path: Path, options: RunOptions) -> None:
    root = small_imagenet(tmp_path)
    lists = own_lists(root)
    recipe = replace(
        RECIPES["cifar100-lt"][1],
        dataset="imagenet-lt",
        profile="as-found",
        views="sim-rand",
        image_size=32,
        batch_size=3,
        precision="float32",
    )
    place = replace(options, data_dir=root, train_list=lists["train"], test_list=lists["test"])
    found = quick(recipe, replace(place, workers=1))
    assert found.workers_memory > 10**6
    assert found.step.clock > 0
    assert multiprocessing.active_children() == []


def test_the_table_names_each_part_with_its_unit(tiny: Recipe, options: RunOptions) -> None:
    found = replace(
        quick(tiny, options),
        step=Cost(0.5, 0.5),
        memory=1_234_000_000,
        workers_memory=20_000_000,
        device_memory=10**6,
    )
    table = found.table()
    for name, value in (("step", "0.5 s"), ("memory", "1.2 GB"), ("", "20.0 MB"), ("", "1.0 MB")):
        assert re.search(rf"^  {name} +{re.escape(value)}  ", table, re.MULTILINE), table
    assert f"{tiny.epochs} epochs" in table


def test_several_processes_are_refused(
    tiny: Recipe, options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match=r"estimate .*without torchrun"):
        quick(tiny, options)
