import json
from dataclasses import replace
from pathlib import Path

import pytest

from bcl_edu.methods import OBJECTIVES
from bcl_edu.recipe import WITHOUT_THE_FIELD, recipe_as_dict, recipe_differences, recipe_from_dict
from bcl_edu.training import RECIPES

PAPER = RECIPES["cifar100-lt"][1]


def test_every_recipe_survives_json_unchanged() -> None:
    for _, recipe in RECIPES.values():
        assert recipe_from_dict(json.loads(json.dumps(recipe_as_dict(recipe)))) == recipe


def test_the_cifar_recipe_states_what_section_4_2_of_the_paper_states() -> None:
    stated = (
        PAPER.lambda_,
        PAPER.mu,
        PAPER.temperature,
        PAPER.batch_size,
        PAPER.momentum,
        PAPER.weight_decay,
    )
    assert stated == (2.0, 0.6, 0.1, 256, 0.9, 5e-4)
    assert (PAPER.learning_rate, PAPER.warmup_epochs, PAPER.milestones, PAPER.epochs) == (
        0.15,
        5,
        (160, 180),
        200,
    )
    assert (PAPER.head_hidden, PAPER.head_dim, PAPER.backbone) == (512, 128, "resnet32")


def test_differences_name_the_field_and_both_values() -> None:
    assert recipe_differences(PAPER, PAPER) == []
    lines = recipe_differences(PAPER, PAPER.change(epochs=10, method="lc"))
    assert lines == ["loss: stored 'bcl', asked 'lc'", "epochs: stored 200, asked 10"]


def test_a_record_from_before_a_field_means_what_the_run_did() -> None:
    values = recipe_as_dict(PAPER.change(method="lc"))
    for name in WITHOUT_THE_FIELD:
        del values[name]
    assert recipe_from_dict(values) == PAPER.change(method="lc")
    records = (Path(__file__).parents[2] / "results").glob("cifar100-lt-10-epochs/*/run.json")
    stored = [recipe_from_dict(json.loads(path.read_text())["recipe"]) for path in records]
    assert {recipe.loss for recipe in stored} == {"bcl", "lc"}


def test_a_recipe_of_another_version_is_refused() -> None:
    values = recipe_as_dict(PAPER)
    del values["mu"]
    with pytest.raises(ValueError, match=r"missing \['mu'\], unknown \['nu'\]"):
        recipe_from_dict(values | {"nu": 1.0})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("imbalance_factor", 0.5, "imbalance_factor is 0.5, but must be at least 1"),
        ("imbalance_factor", float("nan"), "imbalance_factor is nan"),
        ("temperature", 0.0, "temperature is 0.0, but must be above 0"),
        ("epochs", 0, "epochs is 0, but must be at least 1"),
        ("lambda_", -1.0, "lambda is -1.0, but must be at least 0"),
        ("crop_scale", (0.5, 0.2), "crop_scale is"),
        ("loss", "bce", "loss 'bce' is not known; choose one of ce, lc"),
        ("class_balanced_beta", 1.0, "class_balanced_beta is 1.0, but must be at least 0 and below 1"),
        ("focal_gamma", -0.5, "focal_gamma is -0.5, but must be at least 0"),
        ("momentum", 1.0, "momentum is 1.0, but must be below 1"),
        ("seed", -1, "^seed is -1, but must be at least 0"),
        ("subset_seed", -1, "subset_seed is -1, but must be from 0 to 4294967295"),
        ("subset_seed", 2**32, "subset_seed is 4294967296, but must be from 0 to 4294967295"),
        ("head_count", 0, "head_count is 0, but must be at least 1"),
        ("milestones", (180, 160), r"milestones is \(180, 160\), but must be epochs from 0 on, each later"),
        ("milestones", (-5,), r"milestones is \(-5,\), but must be epochs from 0 on"),
    ],
)
def test_values_out_of_range_are_named(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(PAPER, **{field: value})


def test_table_2_has_its_five_rows_and_table_1_its_three() -> None:
    assert {"lc", "scl", "scl-complement", "scl-averaging", "bcl"} <= set(OBJECTIVES)
    assert {"bcl", "bcl-inside", "bcl-prototypes"} <= set(OBJECTIVES)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", "two"),
        ("batch_size", 1.5),
        ("temperature", None),
        ("blur", 1),
        ("seed", True),
        ("crop_scale", [0.2]),
        ("crop_scale", "ab"),
        ("milestones", ["a"]),
        ("dataset", 5),
        ("loss", 3),
    ],
)
def test_a_stored_value_of_another_type_is_named(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"its {name} is .*, which no recipe can have"):
        recipe_from_dict(recipe_as_dict(PAPER) | {name: value})
