"""Backbones, losses and methods of a user's own: as docs/own_method.md shows them, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from bcl_edu import evaluate, train
from bcl_edu.models import build_backbone
from bcl_edu.models.backbones import _BUILDERS
from bcl_edu.plugins import load_plugins, register_backbone, register_loss, register_method
from bcl_edu.report import find_runs
from bcl_edu.rows import METHODS
from bcl_edu.training import RECIPES, RunOptions
from bcl_edu.training import train as train_recipe
from tests.documents import python_of, run_commands


@pytest.fixture(autouse=True)
def _registered_names_are_forgotten() -> Iterator[None]:
    methods, builders = dict(METHODS), dict(_BUILDERS)
    yield
    for registry, before in ((METHODS, methods), (_BUILDERS, builders)):
        registry.clear()
        registry.update(before)  # type: ignore[arg-type]


@pytest.fixture
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_works_as_it_is_written(in_tmp: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("my_methods.py").write_text(python_of("own_method.md", 0))
    assert len(run_commands("own_method.md")) == 7
    record = json.loads((in_tmp / "kept" / "run.json").read_text())
    assert record["recipe"]["method"] == {"name": "my-margin", "margin": 0.3}
    assert record["recipe"]["backbone"] == "tiny"
    assert record["sessions"][0]["plugins"][0]["file"] == "my_methods.py"
    runs, unreadable = find_runs(["runs", "kept"])
    assert sorted(run.recipe.method.name for run in runs) == ["my-margin", "poly-1", "towards-prototypes"]
    assert not unreadable
    capsys.readouterr()
    with pytest.raises(SystemExit):
        train.main(["digits-lt", "--plugin", "my_methods.py", "--method", "my-margin", "--help"])
    assert "--margin" in capsys.readouterr().out


def test_a_run_of_an_unknown_method_is_answered_with_what_makes_it_known(in_tmp: Path) -> None:
    Path("mine.py").write_text(
        "from bcl_edu.plugins import register_loss\n"
        "@register_loss('mine')\n"
        "def mine(logits, labels, class_counts):\n"
        "    return logits.square().mean()\n"
    )
    train.main(
        [
            *("digits-lt", "--plugin=mine.py", "--method", "mine", "--epochs", "1", "--head-count", "60"),
            *("--device", "cpu", "--no-tensorboard", "--output", "run"),
        ]
    )
    del METHODS["mine"]
    with pytest.raises(SystemExit, match=r"no method 'mine'.*--plugin FILE"):
        evaluate.main(["run", "--device", "cpu"])


def test_what_a_notebook_registers_trains_and_may_be_registered_again(in_tmp: Path) -> None:
    for factor in (1.0, 2.0):

        @register_loss("scaled")
        def scaled(
            logits: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor, factor: float = factor
        ) -> torch.Tensor:
            return factor * nn.functional.cross_entropy(logits, labels)

    recipe = RECIPES["digits-lt"][1].change(method="scaled", epochs=1, head_count=60)
    result = train_recipe(recipe, RunOptions(output=in_tmp / "run", progress=False, tensorboard=False))
    assert result.metrics[0]["loss"] > 3  # twice log 10, and less as it learns


@pytest.mark.parametrize("register", [register_loss, register_method])
def test_a_name_of_the_package_cannot_be_taken(register: object) -> None:
    with pytest.raises(ValueError, match="'bcl'"):
        register("bcl")(lambda: None)  # type: ignore[operator]
    with pytest.raises(ValueError, match="'resnet32'"):
        register_backbone("resnet32")(lambda channels: nn.Identity())


def test_a_backbone_that_does_not_say_its_length_is_refused_by_name() -> None:
    register_backbone("flat")(lambda channels: nn.Flatten())
    with pytest.raises(ValueError, match=r"'flat' says no feature_dim"):
        build_backbone("flat", 1)


def test_a_plugin_that_is_not_there_is_one_message(in_tmp: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.py"):
        load_plugins(["nowhere.py"])
    with pytest.raises(SystemExit, match=r"nowhere\.py"):
        train.main(["digits-lt", "--plugin", "nowhere.py"])
    with pytest.raises(SystemExit, match="--plugin needs a file"):
        train.main(["digits-lt", "--plugin"])
