"""A run starts from the weights of a finished one only if both have the same network and the same images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bcl_edu.run_options import RunOptions
from bcl_edu.training.data import prepare_data
from bcl_edu.training.loop import train
from bcl_edu.training.start import read_start
from tests.methods.harness import digits, options


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of cross-entropy on the digits."""
    return train(digits("ce", epochs=1), options(tmp_path_factory.mktemp("start") / "ce")).folder


def test_a_start_run_is_known_by_the_hash_of_its_weights(finished: Path) -> None:
    recipe = digits("crt")
    data = prepare_data(recipe, RunOptions())
    sha256 = read_start(finished, recipe, data).facts["sha256"]
    assert read_start(finished, replace(recipe, start_from=sha256), data).facts["method"] == "ce"
    with pytest.raises(ValueError, match=f"{sha256[:12]}.*000000000000"):
        read_start(finished, replace(recipe, start_from="0" * 64), data)


def test_a_start_run_of_another_backbone_or_size_of_images_is_refused(finished: Path) -> None:
    recipe = digits("crt")
    data = prepare_data(recipe, RunOptions())
    with pytest.raises(ValueError, match=r"resnet32"):
        read_start(finished, replace(recipe, backbone="resnet32"), data)
    larger = replace(data.train, images=torch.zeros(len(data.train), 1, 16, 16, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"\(1, 8, 8\).*\(1, 16, 16\)"):
        read_start(finished, recipe, replace(data, train=larger))


def test_a_start_run_on_other_images_is_refused(finished: Path) -> None:
    recipe = digits("crt", imbalance_factor=5.0)
    data = prepare_data(recipe, RunOptions())
    with pytest.raises(ValueError, match=f"{len(data.train)} of 10"):
        read_start(finished, recipe, data)
