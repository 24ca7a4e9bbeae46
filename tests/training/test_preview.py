"""What is shown before training is what training would see."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bcl_edu.augment import view_policy
from bcl_edu.data.fake_trees import write_practice_tree
from bcl_edu.recipe import Recipe
from bcl_edu.training import RECIPES, RunOptions
from bcl_edu.training.batches import EpochBatches
from bcl_edu.training.data import TrainingData, prepare_data
from bcl_edu.training.loading import BatchLoader
from bcl_edu.training.preview import one_of_each, preview_views


@pytest.fixture
def digits() -> tuple[Recipe, TrainingData]:
    recipe = RECIPES["digits-lt"][1]
    return recipe, prepare_data(recipe, RunOptions())


@pytest.fixture
def files(tmp_path: Path) -> tuple[Recipe, TrainingData]:
    tree = write_practice_tree("imagenet-lt", tmp_path, max_per_class=12, imbalance_factor=6)
    recipe = replace(RECIPES["imagenet-lt"][1], image_size=32)
    options = RunOptions(data_dir=tree.folder, train_list=tree.train_list, test_list=tree.test_list)
    return recipe, prepare_data(recipe, options)


@pytest.mark.parametrize("kind", ["digits", "files"])
def test_the_views_are_those_of_the_first_epoch(kind: str, request: pytest.FixtureRequest) -> None:
    recipe, data = request.getfixturevalue(kind)
    batches = EpochBatches(data.train.labels, 4, recipe.seed)
    policy = view_policy(
        recipe.views, image_size=data.train.image_shape[1], crop_scale=recipe.crop_scale, blur=recipe.blur
    )
    loader = BatchLoader(data.train, policy, batches, torch.device("cpu"), workers=0)
    loaded = next(loader.epoch(0))
    preview = preview_views(recipe, data, loaded.indices.tolist())
    assert torch.equal(preview.views.transpose(0, 1), loaded.views)
    assert preview.names == tuple(data.train.class_names[k] for k in loaded.labels.tolist())
    assert preview.images.shape == (4, *data.train.image_shape)


def test_classes_are_chosen_from_head_to_tail(digits: tuple[Recipe, TrainingData]) -> None:
    _, data = digits
    positions = one_of_each(data, classes=4)
    assert data.train.labels[positions].tolist() == [0, 3, 6, 9]


def test_a_file_that_cannot_be_read_is_named(files: tuple[Recipe, TrainingData]) -> None:
    recipe, data = files
    broken = data.train.file(0)  # type: ignore[union-attr]
    broken.write_bytes(b"no image")
    with pytest.raises(ValueError, match=broken.name):
        preview_views(recipe, data, [0])
