"""The recipes of the tables: what the paper states stands in them, and the figures are the paper's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bcl_edu.methods.stage import scaled_warmup, schedule_of
from bcl_edu.recipe import flat, unused
from bcl_edu.rows import RECIPES, ROWS, PaperFigure
from bcl_edu.rows.headings import BACKBONES, DATA_SETS
from bcl_edu.rows.listing import description, list_methods, list_recipes
from bcl_edu.rows.paper import printed_figures
from bcl_edu.rows.registry import not_trained_here
from bcl_edu.rows.row import Row, provenance


def test_every_row_is_a_recipe_of_its_own_name() -> None:
    for name, row in ROWS.items():
        assert RECIPES[name] == (row.title, row.recipe)
        assert row.recipe.name == name


def test_table_1_differs_in_the_loss_alone() -> None:
    rows = [ROWS[f"table1-l{number}"] for number in (1, 2, 3)]
    assert [row.recipe.method.name for row in rows] == ["bcl", "bcl-inside", "bcl-prototypes"]
    assert [row.paper for row in rows] == [PaperFigure(51.9), PaperFigure(50.2), PaperFigure(51.0)]
    assert len({row.recipe.change(name="", method="bcl") for row in rows}) == 1
    assert rows[0].recipe.epochs == 200


def test_table_2_is_of_400_epochs_with_the_milestones_of_400_epochs() -> None:
    losses = ["lc", "scl", "scl-complement", "scl-averaging", "bcl"]
    rows = [ROWS[f"table2-{loss}"] for loss in losses]
    assert [row.recipe.method.name for row in rows] == losses
    assert [row.paper.top1 for row in rows if row.paper] == [50.8, 52.4, 52.3, 52.0, 53.9]
    for row in rows:
        assert scaled_warmup(row.recipe) == 10
        assert schedule_of(row.recipe).milestones == (360, 380)


def test_400_epochs_asked_of_the_short_recipe_are_not_table_2() -> None:
    assert schedule_of(replace(RECIPES["cifar100-lt"][1], epochs=400)).milestones == (320, 360)


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
@pytest.mark.parametrize("factor", [100, 50, 10])
def test_each_imbalance_factor_has_its_baselines_and_bcl(dataset: str, factor: int) -> None:
    for loss in ("ce", "focal", "cb-focal", "lc", "scl", "bcl"):
        row = ROWS[f"{dataset}-lt-if{factor}-{loss}"]
        assert (row.recipe.dataset, row.recipe.imbalance_factor, row.recipe.method.name) == (
            dataset,
            factor,
            loss,
        )
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
        if row.recipe.dataset in ("imagenet-lt", "inaturalist2018") and name.endswith("-bcl") and row.paper
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
    values = flat(recipe)
    assert (recipe.batch_size, recipe.profile, recipe.image_size) == (256, "as-found", 224)
    assert (values["lambda_"], values["classifier"]) == (1.0, "cosine")


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
    assert set(RECIPES) <= set(lines)
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
    assert "published code" in ours


def test_stated_and_unused_values_are_values_of_some_recipe() -> None:
    everything = set().union(*(flat(row.recipe) for row in ROWS.values()))
    for row in ROWS.values():
        assert row.stated <= everything
        assert unused(row.recipe) <= everything


def test_every_printed_line_of_the_papers_tables_has_a_row_with_its_figure_on_its_images_and_backbone() -> (
    None
):
    printed = printed_figures()
    assert len(printed) == 109
    assert not_trained_here() == []
    for one in printed:
        of_line = (DATA_SETS[one.data_set], one.imbalance_factor, BACKBONES[one.backbone])
        assert any(
            (row.recipe.dataset, imbalance_factor(row), row.recipe.backbone) == of_line
            and abs(row.paper.top1 - one.figure.top1) < 0.051  # of two tables the more precise figure
            and one.figure.many in (None, row.paper.many)
            for row in ROWS.values()
            if row.paper is not None
        ), one


def imbalance_factor(row: Row) -> float | None:
    return row.recipe.imbalance_factor if row.recipe.dataset.startswith("cifar") else None


@pytest.mark.parametrize("width", [80, 200])
def test_the_list_keeps_to_the_width_of_the_terminal(width: int) -> None:
    assert max(map(len, list_recipes(width).splitlines())) <= width
    assert max(map(len, list_methods(width).splitlines())) <= width
