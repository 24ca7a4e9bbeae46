"""A run starts from weights of a finished one with the same network and, where it matters, on the same images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bcl_edu.run_options import RunOptions
from bcl_edu.training.data import prepare_data
from bcl_edu.training.loop import train
from bcl_edu.training.stage_run import build_seeded
from bcl_edu.training.start import names_taken_over, read_start, stages_from, take_over
from bcl_edu.training.weights import load_trained
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


def test_a_start_run_on_other_images_is_refused_where_only_later_stages_are_trained(finished: Path) -> None:
    recipe = digits("crt", imbalance_factor=5.0)
    data = prepare_data(recipe, RunOptions())
    with pytest.raises(ValueError, match=rf"{len(data.train)} of 10.*the method crt"):
        stages_from(build_seeded(recipe, data), read_start(finished, recipe, data))


def test_a_run_of_the_same_method_goes_on_with_all_its_weights(finished: Path, tmp_path: Path) -> None:
    recipe = digits("ce", epochs=1, seed=1, learning_rate=1e-30, weight_decay=0.0)
    result = train(recipe, options(tmp_path / "on", init_from=finished))
    start = load_trained(finished).method
    for name, parameter in result.method.named_parameters():
        assert torch.equal(parameter, start.get_parameter(name)), name
    assert result.record["start"]["sha256"] == result.record["recipe"]["start_from"]
    assert result.record["start"]["weights"] == "all"


def test_a_run_on_other_images_gives_its_backbone_to_a_method_that_trains_all_its_stages(
    finished: Path,
) -> None:
    recipe = digits("ce", imbalance_factor=5.0, seed=1)
    data = prepare_data(recipe, RunOptions())
    start, method = read_start(finished, recipe, data), build_seeded(recipe, data)
    assert names_taken_over(method, start) == ("backbone.",)
    before = method.classifier.weight.clone()
    assert stages_from(method, start) == method.stages()
    take_over(method, start)
    assert torch.equal(
        method.state_dict()["backbone.layers.0.weight"], start.weights["backbone.layers.0.weight"]
    )
    assert torch.equal(method.classifier.weight, before)
