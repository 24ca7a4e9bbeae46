"""Every row of the tables starts as `python -m bcl_edu.train ROW` does, and takes a step, on data of the real
format. Of a row of photographs, every later stage takes a step, too.

The data are few and made up: of CIFAR, class folders with as many images as the imbalance factor asks for at
least, so that the rarest class has one; of ImageNet-LT and iNaturalist 2018, their trees with lists and
annotations of a few classes. What differs from the row's recipe: the batch size; of CIFAR the head count, of
photographs the image size.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bcl_edu.data import exponential_profile
from bcl_edu.data.cifar import CIFAR
from bcl_edu.recipe import flat
from bcl_edu.rows import ROWS
from bcl_edu.training import Recipe, RunOptions, train
from bcl_edu.training.data import prepare_data
from bcl_edu.training.distributed import Rank
from bcl_edu.training.run import run_folder
from bcl_edu.training.stage_run import build_seeded, set_up_stage
from tests.photographs import imagenet_tree, inaturalist_tree


class Stop(Exception):
    """Enough steps were taken; holds the loss."""


class FirstStep:
    """Told of every step, ends the run at the first."""

    def update(self, steps: int, epoch: int, loss: float) -> None:
        raise Stop(loss)

    def log(self, line: str) -> None: ...

    def close(self) -> None: ...


def first_loss(recipe: Recipe, options: RunOptions) -> float:
    try:
        train(recipe, options, on_steps=lambda total, done: FirstStep())
    except Stop as end:  # not pytest.raises, which would keep the frames, and with them the network, for long
        loss: float = end.args[0]
        return loss
    pytest.fail("the run took no step")


@pytest.fixture(scope="module")
def cifar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`cifar10` and `cifar100` as class folders: 110 training images of the first class, 11 of the last; 1 to
    test.

    Ten more than a tail of factor 100 needs, for a method that sets images aside before the tail is cut.
    """
    root = tmp_path_factory.mktemp("data")
    random = np.random.RandomState(0)
    for name, source in CIFAR.items():
        counts = (exponential_profile(100, len(source.class_names), 100.0) + 10).tolist()
        for split, numbers in (("train", counts), ("test", [1] * len(counts))):
            for class_name, number in zip(source.class_names, numbers, strict=True):
                folder = root / name / split / class_name
                folder.mkdir(parents=True)
                for i, pixels in enumerate(random.randint(0, 256, (number, 32, 32, 3), np.uint8)):
                    Image.fromarray(pixels).save(folder / f"{i:03}.bmp")
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


CIFAR_ROWS = [name for name, row in ROWS.items() if row.recipe.dataset in CIFAR]


@pytest.mark.parametrize("name", CIFAR_ROWS)
def test_a_row_of_cifar_takes_a_step(
    name: str, cifar: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BCL_EDU_CACHE", str(cache))
    recipe = ROWS[name].recipe
    reduced = replace(recipe, head_count=int(recipe.imbalance_factor), batch_size=4)
    options = RunOptions(
        data_dir=cifar / recipe.dataset,
        output=tmp_path,
        device="cpu",
        workers=0,
        tensorboard=False,
        progress=False,
    )
    assert math.isfinite(first_loss(reduced, options))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`imagenet-lt` and `inaturalist2018`: five classes, one picture each behind all of their files."""
    root = tmp_path_factory.mktemp("photographs")
    pictures = []
    for label, pixels in enumerate(np.random.RandomState(0).randint(0, 256, (5, 48, 64, 3), np.uint8)):
        picture = root / "pictures" / f"n0000000{label}" / "picture.JPEG"
        picture.parent.mkdir(parents=True)
        Image.fromarray(pixels).save(picture)
        pictures.append(picture)
    imagenet_tree(root / "imagenet-lt", pictures)
    inaturalist_tree(root / "inaturalist2018", pictures, classes=5)
    return root


SIZES = {"pretext_batch_size", "second_batch_size", "linear_batch_size", "router_batch_size"}
"""Options that say how many images a batch of another stage has."""


def reduced_photographs(
    name: str, photographs: Path, output: Path, **values: Any
) -> tuple[Recipe, RunOptions]:
    """A row's recipe for two small images a step, and where its images are."""
    recipe = ROWS[name].recipe
    folder = photographs / recipe.dataset
    ending = "txt" if recipe.dataset == "imagenet-lt" else "json"
    options = RunOptions(
        data_dir=folder,
        train_list=folder / f"my_train.{ending}",
        test_list=folder / ("my_test.txt" if ending == "txt" else "my_val.json"),
        output=output,
        device="cpu",
        workers=0,
        tensorboard=False,
        progress=False,
        **values,
    )
    known = flat(recipe).keys()
    smaller: dict[str, Any] = {size: 2 for size in SIZES & known}
    if "router_top" in known:
        smaller["router_top"] = 5  # as many logits as there are classes here
    return replace(recipe, batch_size=2, image_size=32).change(**smaller), options


PHOTOGRAPH_ROWS = [name for name in ROWS if name not in CIFAR_ROWS]
LATER_STAGES = {"second_epochs", "linear_epochs", "router_epochs"}
ROWS_WITH_LATER_STAGES = {
    (row.recipe.method.name, row.recipe.dataset): name
    for name, row in ROWS.items()
    if name in PHOTOGRAPH_ROWS and LATER_STAGES & flat(row.recipe).keys()
}
"""One of each method and data set: with another backbone the later stages are the same."""


@pytest.mark.parametrize("name", PHOTOGRAPH_ROWS)
def test_a_row_of_photographs_takes_a_step(
    name: str, photographs: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BCL_EDU_CACHE", str(cache))
    assert math.isfinite(first_loss(*reduced_photographs(name, photographs, tmp_path)))


@pytest.mark.parametrize("name", ROWS_WITH_LATER_STAGES.values())
def test_every_later_stage_of_a_row_of_photographs_takes_a_step(
    name: str, photographs: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BCL_EDU_CACHE", str(cache))
    recipe, options = reduced_photographs(name, photographs, tmp_path)
    recipe = replace(recipe, precision="float32")
    data, device = prepare_data(recipe, options), torch.device("cpu")
    method = build_seeded(recipe, data)
    later = method.stages()[1:]
    assert later
    for stage in later:
        stage_run = set_up_stage(stage, recipe, data, method, device, Rank(), options)
        method.begin(stage)
        stage_run.step.train_mode()
        loader = stage_run.loader(recipe, data, device, workers=0)
        clock = stage.clock(recipe.seed, 0, 0, stage_run.batches.steps)
        losses = stage_run.step(next(iter(loader.epoch(0))), clock)
        loader.close()
        assert math.isfinite(losses["loss"].item()), stage.name


@pytest.fixture(scope="module")
def finished(photographs: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of cross-entropy with ResNet-50 on ImageNet-LT's tree."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BCL_EDU_CACHE", str(cache))
        folder = tmp_path_factory.mktemp("start") / "ce"
        recipe, options = reduced_photographs("imagenet-lt-resnet50-ce", photographs, folder)
        return train(replace(recipe, epochs=1, batch_size=11).change(classifier="linear"), options).folder


@pytest.mark.parametrize("method", ["crt", "lws"])
def test_the_last_stage_of_a_row_of_photographs_starts_from_a_finished_run(
    method: str,
    finished: Path,
    photographs: Path,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BCL_EDU_CACHE", str(cache))
    name = f"imagenet-lt-resnet50-{method}"
    recipe, options = reduced_photographs(name, photographs, tmp_path, init_from=finished)
    assert math.isfinite(first_loss(recipe, options))


def test_experts_for_photographs_learn_from_a_teacher(
    finished: Path, photographs: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BCL_EDU_CACHE", str(cache))
    recipe, options = reduced_photographs("imagenet-lt-resnet50-ride", photographs, tmp_path)
    assert math.isfinite(first_loss(recipe.change(teacher=str(finished)), options))


def test_the_folder_of_a_row_says_its_loss_once() -> None:
    assert run_folder(ROWS["table2-bcl"].recipe, RunOptions()) == Path("runs/table2-bcl-seed0")
    assert run_folder(ROWS["table1-l2"].recipe, RunOptions()) == Path("runs/table1-l2-bcl-inside-seed0")
    changed = ROWS["table2-bcl"].recipe.change(method="lc", seed=2)
    assert run_folder(changed, RunOptions()) == Path("runs/table2-bcl-lc-seed2")
