"""Under the common protocol every method is trained as BCL is, and keeps what is its own."""

from __future__ import annotations

import json

import pytest

from bcl_edu.recipe import recipe_as_dict
from bcl_edu.rows import METHODS, RECIPES, ROWS
from bcl_edu.rows.common import COMMON, ON_DIGITS
from bcl_edu.run_options import RunOptions
from bcl_edu.stored_forms import recipe_from_dict
from bcl_edu.train import parse
from bcl_edu.training.run import run_folder

DIGITS = RECIPES["digits-lt"][1]


@pytest.mark.parametrize("name", ROWS)
def test_a_row_gets_the_values_of_the_row_of_bcl_on_its_images_and_keeps_its_method(name: str) -> None:
    own = ROWS[name].recipe
    found = own.change(protocol="common")
    of_bcl = [
        row.recipe
        for row in ROWS.values()
        if row.recipe.method.name == "bcl"
        and (row.recipe.dataset, row.recipe.epochs) == (own.dataset, found.epochs)
    ]
    assert any(all(getattr(found, value) == getattr(bcl, value) for value in COMMON) for bcl in of_bcl)
    assert found.method.name == own.method.name
    kept = ("name", "dataset", "imbalance_factor", "head_count", "backbone", "precision")
    assert [getattr(found, value) for value in kept] == [getattr(own, value) for value in kept]


def test_a_row_of_many_epochs_is_compared_with_bcl_of_as_many() -> None:
    assert ROWS["cifar100-lt-if100-400-epochs-paco"].recipe.change(protocol="common").milestones == (360, 380)
    assert ROWS["imagenet-lt-resnet50-kcl"].recipe.change(protocol="common").epochs == 90


@pytest.mark.parametrize("method", METHODS)
def test_on_the_digits_it_is_the_recipe_of_bcl_with_options_that_fit(method: str) -> None:
    found = DIGITS.change(method=method, protocol="common")
    assert [getattr(found, value) for value in COMMON] == [getattr(DIGITS, value) for value in COMMON]
    fitting = {name: value for name, value in ON_DIGITS.items() if hasattr(found.method, name)}
    assert {name: getattr(found.method, name) for name in fitting} == fitting


def test_a_method_has_its_own_options_and_not_those_of_the_recipe_it_takes_the_place_of() -> None:
    assert DIGITS.change(method="dro-lt").method.temperature == 0.1  # type: ignore[attr-defined]
    assert DIGITS.change(method="dro-lt", protocol="common").method.temperature == 1.0  # type: ignore[attr-defined]
    photographs = RECIPES["imagenet-lt"][1].change(method="proco", protocol="common")
    assert photographs.method == ROWS["imagenet-lt-resnet50-proco"].recipe.method


def test_batches_of_later_stages_have_the_common_size() -> None:
    found = ROWS["imagenet-lt-resnet50-crt"].recipe.change(protocol="common")
    assert (found.method.second_batch_size, found.batch_size) == (None, 256)  # type: ignore[attr-defined]
    router = ROWS["imagenet-lt-resnet50-ride"].recipe.change(protocol="common").method
    assert router.router_batch_size == 256  # type: ignore[attr-defined]


def test_values_that_are_given_count_and_the_schedule_scales_with_them() -> None:
    command = parse(["cifar100-lt-if100-ldam-drw", "--protocol=common", "--epochs", "20", "--scale", "10"])
    found = command.recipe
    assert (found.protocol, found.epochs, found.views, found.batch_size) == ("common", 20, "cifar", 256)
    assert found.method.scale == 10.0  # type: ignore[attr-defined]
    assert found.change(seed=3).epochs == 20


def test_it_is_recorded_and_has_a_folder_of_its_own() -> None:
    found = DIGITS.change(method="kcl", protocol="common")
    assert recipe_from_dict(json.loads(json.dumps(recipe_as_dict(found)))) == found
    assert str(run_folder(found, RunOptions())) == "runs/digits-lt-kcl-common-seed0"


@pytest.mark.parametrize("words", [["--protocol", "comon"], ["--protocol"]])
def test_another_word_is_refused_with_the_two_there_are(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"faithful.*common"):
        parse(["digits-lt", *words])


def test_there_is_no_way_back_and_none_for_images_without_a_recipe_of_bcl() -> None:
    with pytest.raises(ValueError, match="'faithful'"):
        DIGITS.change(protocol="common").change(protocol="faithful")
    with pytest.raises(ValueError, match="'nowhere'"):
        DIGITS.change(name="own", dataset="nowhere").change(protocol="common")
