"""A plan trains the benchmark where it can, and says so where it cannot."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bcl_edu.recipe import flat
from bcl_edu.training import RECIPES, train
from bcl_edu.training.scale import plan_run

CIFAR = replace(RECIPES["cifar100-lt"][1], dataset="cifar10", name="cifar10-lt-if100-bcl", head_count=5000)


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No data set of this machine is found, and no cache is touched."""
    monkeypatch.setenv("BCL_EDU_DATA", str(tmp_path / "nothing"))
    monkeypatch.setenv("BCL_EDU_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def cifar10(tmp_path: Path) -> Path:
    """Class folders of noise."""
    generator = np.random.default_rng(0)
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    for part, images in (("train", 40), ("test", 2)):
        for name in names:
            folder = tmp_path / "cifar10" / part / name
            folder.mkdir(parents=True)
            for number in range(images):
                pixels = generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "cifar10"


def test_without_the_data_digits_are_trained_with_the_recipes_loss_and_it_is_said() -> None:
    plan = plan_run(CIFAR.change(method="scl", temperature=0.2, seed=3))
    assert not plan.whole
    assert plan.note.startswith("Not cifar10: digits")
    assert "download" in plan.missing
    assert (plan.recipe.dataset, plan.recipe.method.name) == ("digits", "scl")
    assert (flat(plan.recipe)["temperature"], plan.recipe.seed) == (0.2, 3)
    assert train(plan.recipe, plan.options).metrics[-1]["top1"] > 50


def test_on_a_cpu_with_the_data_a_part_of_them_is_trained(
    cifar10: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    plan = plan_run(CIFAR, data_dir=cifar10)
    assert not plan.whole
    assert "at most 30 images" in plan.note
    assert plan.recipe == replace(
        CIFAR, name="cifar10-lt-if100-bcl-reduced", head_count=30, imbalance_factor=30.0, epochs=3
    )
    assert plan.options.data_dir == cifar10
    assert plan.missing == ""


@pytest.mark.parametrize("gpu", [True, False])
def test_the_whole_recipe_is_planned_on_a_gpu_or_when_asked_for(
    gpu: bool, cifar10: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    plan = plan_run(CIFAR, "kept", data_dir=cifar10, whole=None if gpu else True)
    assert plan.whole
    assert plan.recipe == CIFAR
    assert plan.options.output == Path("kept/cifar10-lt-if100-bcl-seed0")
    assert "200 epochs" in plan.note


def test_the_whole_recipe_without_its_data_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="download"):
        plan_run(CIFAR, whole=True)


def test_a_folder_that_was_named_and_cannot_be_opened_is_refused_and_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no folder .*typo; .*cifar10"):
        plan_run(CIFAR, data_dir=tmp_path / "typo")


def test_a_reduced_run_leaves_nothing_behind() -> None:
    plan = plan_run(replace(CIFAR, epochs=1))
    train(plan.recipe, plan.options)
    folder = plan.options.output
    assert folder is not None
    assert folder.is_dir()
    del plan
    gc.collect()
    assert not folder.exists()


@pytest.mark.parametrize("name", ["imagenet-lt", "inaturalist2018"])
def test_without_its_photographs_digits_in_the_format_of_the_set_are_trained(name: str) -> None:
    plan = plan_run(RECIPES[name][1])
    assert plan.note.startswith(f"Not {name}: digits in its format")
    assert (plan.recipe.views, plan.recipe.profile) == ("sim-sim", "as-found")
    assert (flat(plan.recipe)["mu"], flat(plan.recipe)["head_dim"]) == (0.35, 32)
    result = train(replace(plan.recipe, epochs=1), plan.options)
    assert result.record["data"]["class_counts"][0] == 60
