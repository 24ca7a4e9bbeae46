"""The recipes of the tables: what the paper states stands in them, and the figures are the paper's."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from bcl_edu.rows import (
    ROWS,
    PaperFigure,
    description,
    idle_fields,
    list_recipes,
    provenance,
)
from bcl_edu.training import RECIPES, Recipe
from bcl_edu.training.schedule import scaled_milestones, scaled_warmup


def test_every_row_is_a_recipe_of_its_own_name() -> None:
    for name, row in ROWS.items():
        assert RECIPES[name] == (row.title, row.recipe)
        assert row.recipe.name == name


def test_table_1_differs_in_the_loss_alone() -> None:
    rows = [ROWS[f"table1-l{number}"] for number in (1, 2, 3)]
    assert [row.recipe.loss for row in rows] == ["bcl", "bcl-inside", "bcl-prototypes"]
    assert [row.paper for row in rows] == [PaperFigure(51.9), PaperFigure(50.2), PaperFigure(51.0)]
    assert len({row.recipe.change(name="", method="bcl") for row in rows}) == 1
    assert rows[0].recipe.epochs == 200


def test_table_2_is_of_400_epochs_with_the_milestones_of_400_epochs() -> None:
    losses = ["lc", "scl", "scl-complement", "scl-averaging", "bcl"]
    rows = [ROWS[f"table2-{loss}"] for loss in losses]
    assert [row.recipe.loss for row in rows] == losses
    assert [row.paper.top1 for row in rows if row.paper] == [50.8, 52.4, 52.3, 52.0, 53.9]
    for row in rows:
        assert scaled_warmup(row.recipe) == 10
        assert scaled_milestones(row.recipe) == (360, 380)


def test_400_epochs_asked_of_the_short_recipe_are_not_table_2() -> None:
    assert scaled_milestones(replace(RECIPES["cifar100-lt"][1], epochs=400)) == (320, 360)


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
@pytest.mark.parametrize("factor", [100, 50, 10])
def test_each_imbalance_factor_has_its_baselines_and_bcl(dataset: str, factor: int) -> None:
    for loss in ("ce", "focal", "cb-focal", "lc", "scl", "bcl"):
        row = ROWS[f"{dataset}-lt-if{factor}-{loss}"]
        assert (row.recipe.dataset, row.recipe.imbalance_factor, row.recipe.loss) == (dataset, factor, loss)
        assert (row.paper is None) == (loss != "bcl")


def test_the_large_data_sets_have_the_papers_figures() -> None:
    figures = {
        "imagenet-lt-resnet50-bcl": 56.0,
        "imagenet-lt-resnext50-bcl": 56.7,
        "imagenet-lt-resnext50-180-epochs-bcl": 57.1,
        "inaturalist2018-resnet50-bcl": 71.8,
    }
    found = {
        name: row.paper.top1
        for name, row in ROWS.items()
        if row.recipe.dataset in ("imagenet-lt", "inaturalist2018") and row.paper
    }
    assert found == figures


@pytest.mark.parametrize(
    ("name", "backbone", "epochs", "learning_rate", "weight_decay"),
    [
        ("imagenet-lt-resnet50-bcl", "resnet50", 90, 0.1, 5e-4),
        ("imagenet-lt-resnext50-180-epochs-bcl", "resnext50", 180, 0.1, 5e-4),
        ("inaturalist2018-resnet50-ce", "resnet50", 100, 0.2, 1e-4),
    ],
)
def test_the_large_recipes_state_what_the_paper_states(
    name: str, backbone: str, epochs: int, learning_rate: float, weight_decay: float
) -> None:
    recipe = ROWS[name].recipe
    assert (recipe.backbone, recipe.epochs, recipe.schedule_epochs) == (backbone, epochs, epochs)
    assert (recipe.learning_rate, recipe.weight_decay, recipe.schedule) == (
        learning_rate,
        weight_decay,
        "cosine",
    )
    assert (recipe.lambda_, recipe.mu, recipe.batch_size, recipe.head_dim) == (1.0, 0.35, 256, 1024)
    assert (recipe.classifier, recipe.profile, recipe.image_size) == ("cosine", "as-found", 224)


@pytest.mark.parametrize(
    ("short_name", "row_name"),
    [
        ("cifar10-lt", "cifar10-lt-if100-bcl"),
        ("cifar100-lt", "cifar100-lt-if100-bcl"),
        ("imagenet-lt", "imagenet-lt-resnet50-bcl"),
        ("inaturalist2018", "inaturalist2018-resnet50-bcl"),
    ],
)
def test_a_short_name_is_a_row(short_name: str, row_name: str) -> None:
    short, row = RECIPES[short_name][1], ROWS[row_name].recipe
    assert replace(short, name=row.name) == row
    assert provenance(ROWS[row.name]) in description(short.name)


def test_figures_print_with_the_papers_decimals() -> None:
    assert str(PaperFigure(51.0)) == "51.0"
    assert str(PaperFigure(51.93)) == "51.93"
    assert str(PaperFigure(53.9, 69.7, 53.8, 35.5)) == "53.9 (69.7 / 53.8 / 35.5)"


def test_the_list_shows_each_recipe_and_a_dash_where_no_figure_is_known() -> None:
    lines = {line.split()[0]: line for line in list_recipes().splitlines() if line.startswith("  ")}
    assert set(lines) == set(RECIPES)
    assert lines["table2-bcl"].endswith(" 53.9")
    assert lines["cifar100-lt-if100-ce"].endswith(" -")


def test_the_description_says_what_is_stated_and_what_is_ours() -> None:
    stated, ours = provenance(ROWS["table2-bcl"]).split("\n\n")
    assert "lambda 2, mu 0.6, temperature 0.1" in stated
    assert "milestones 360 and 380" in stated
    for choice in ("classifier linear", "crop scale 0.2 and 1", "blur on", "drop last off"):
        assert choice in ours
    assert "focal" not in stated + ours  # idle
    assert "focal gamma 2" in provenance(ROWS["cifar10-lt-if10-focal"]).split("\n\n")[1]


def test_what_comes_from_the_authors_code_is_not_called_the_papers() -> None:
    stated, ours = provenance(ROWS["imagenet-lt-resnet50-bcl"]).split("\n\n")
    assert "classifier cosine" in stated
    assert "temperature 0.07" in ours
    assert "those of the authors' published code" in ours


def test_stated_and_idle_fields_are_fields() -> None:
    names = {field.name for field in fields(Recipe)}
    for row in ROWS.values():
        assert row.stated <= names
        assert idle_fields(row.recipe) <= names
