import json
from pathlib import Path

import pytest

from bcl_edu.recipe import flat, recipe_as_dict, recipe_differences
from bcl_edu.rows import METHODS, RECIPES
from bcl_edu.rows.bcl_rows import BCL
from bcl_edu.stored_forms import recipe_from_dict

PAPER = RECIPES["cifar100-lt"][1]


def test_every_recipe_survives_json_unchanged() -> None:
    for _, recipe in RECIPES.values():
        assert recipe_from_dict(json.loads(json.dumps(recipe_as_dict(recipe)))) == recipe


def test_the_cifar_recipe_states_what_section_4_2_of_the_paper_states() -> None:
    options = PAPER.method
    assert isinstance(options, BCL)
    stated = (
        options.lambda_,
        options.mu,
        options.temperature,
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
    assert (options.head_hidden, options.head_dim, PAPER.backbone) == (512, 128, "resnet32")


def test_differences_name_the_field_and_both_values() -> None:
    assert recipe_differences(PAPER, PAPER) == []
    lines = recipe_differences(PAPER, PAPER.change(epochs=10, method="lc"))
    assert "epochs: stored 200, asked 10" in lines
    assert "method: stored 'bcl', asked 'lc'" in lines
    assert "mu: stored 0.6, asked 'none'" in lines


def test_a_flat_record_from_before_methods_had_options_means_what_the_run_did() -> None:
    flat_form = flat(PAPER.change(method="lc")) | {
        "mu": 0.6,
        "temperature": 0.1,
        "head_hidden": 512,
        "head_dim": 128,
    }
    del flat_form["nesterov"], flat_form["start_from"], flat_form["image_size"]
    flat_form["loss"] = flat_form.pop("method")
    assert recipe_from_dict(flat_form) == PAPER.change(method="lc")
    records = (Path(__file__).parents[1] / "results").glob("cifar100-lt-10-epochs/*/run.json")
    stored = [recipe_from_dict(json.loads(path.read_text())["recipe"]) for path in records]
    assert {recipe.method.name for recipe in stored} == {"bcl", "lc"}


def test_a_flat_record_that_contrasted_within_micro_batches_is_refused() -> None:
    with pytest.raises(ValueError, match="'part'"):
        recipe_from_dict({"loss": "bcl", "contrast": "part"})


def test_changing_the_method_keeps_the_options_that_both_have() -> None:
    changed = PAPER.change(lambda_=1.5, classifier="cosine").change(method="lc")
    assert (changed.method.name, flat(changed)["lambda_"], flat(changed)["classifier"]) == (
        "lc",
        1.5,
        "cosine",
    )
    back = changed.change(method="bcl", epochs=7, temperature=0.5)
    assert (back.method.name, back.epochs, flat(back)["temperature"]) == ("bcl", 7, 0.5)


@pytest.mark.parametrize(
    "values", [{"mu": 1.0, "method": "ce"}, {"no_such_value": 1}, {"method": "no-such-method"}]
)
def test_a_value_or_method_that_is_not_there_is_named(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"'mu'|'no_such_value'|'no-such-method'"):
        PAPER.change(**values)


@pytest.mark.parametrize("name", METHODS)
def test_a_recipe_with_any_methods_default_options_survives_json(name: str) -> None:
    recipe = PAPER.change(method=name)
    assert recipe_from_dict(json.loads(json.dumps(recipe_as_dict(recipe)))) == recipe


def test_a_recipe_of_another_version_is_refused() -> None:
    values = recipe_as_dict(PAPER)
    del values["blur"]
    with pytest.raises(ValueError, match=r"missing \['blur'\], unknown \['nu'\]"):
        recipe_from_dict(values | {"nu": 1.0})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("imbalance_factor", 0.5, "imbalance_factor is 0.5, .*at least 1"),
        ("imbalance_factor", float("nan"), "imbalance_factor is nan"),
        ("temperature", 0.0, "temperature is 0.0, .*above 0"),
        ("epochs", 0, "epochs is 0, .*at least 1"),
        ("lambda_", -1.0, "lambda is -1.0, .*at least 0"),
        ("crop_scale", (0.5, 0.2), "crop_scale is"),
        ("contrastive", "bce", "contrastive is 'bce'"),
        ("momentum", 1.0, "momentum is 1.0, .*below 1"),
        ("seed", -1, "^seed is -1, .*at least 0"),
        ("subset_seed", -1, "subset_seed is -1, .*0 to 4294967295"),
        ("subset_seed", 2**32, "subset_seed is 4294967296, .*0 to 4294967295"),
        ("head_count", 0, "head_count is 0, .*at least 1"),
        ("milestones", (180, 160), r"milestones is \(180, 160\)"),
        ("milestones", (-5,), r"milestones is \(-5,\), .*from 0"),
    ],
)
def test_values_out_of_range_are_named(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PAPER.change(**{field: value})


def test_table_2_has_its_five_rows_and_table_1_its_three() -> None:
    assert {"lc", "scl", "scl-complement", "scl-averaging", "bcl"} <= set(METHODS)
    assert {"bcl", "bcl-inside", "bcl-prototypes"} <= set(METHODS)


@pytest.mark.parametrize(("name", "value"), [("class_balanced_beta", 1.0), ("focal_gamma", -0.5)])
def test_a_focal_option_out_of_range_is_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        PAPER.change(method="cb-focal", **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", "two"),
        ("batch_size", 1.5),
        ("blur", 1),
        ("seed", True),
        ("crop_scale", [0.2]),
        ("crop_scale", "ab"),
        ("milestones", ["a"]),
        ("dataset", 5),
        ("method", 3),
        ("method", {"mu": 0.6}),
        ("method", {"name": "bcl", "mu": "much"}),
    ],
)
def test_a_stored_value_of_another_type_is_named(name: str, value: object) -> None:
    if isinstance(value, dict) and "mu" in value and "name" in value:
        with pytest.raises(ValueError, match="its mu is 'much'"):
            recipe_from_dict(recipe_as_dict(PAPER) | {name: value})
        return
    with pytest.raises(ValueError, match=f"its {name} is .*no recipe"):
        recipe_from_dict(recipe_as_dict(PAPER) | {name: value})
