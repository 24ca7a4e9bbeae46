"""The figures that show numbers: counts, accuracies, curves, cosines, images."""

import base64
import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from bcl_edu.course.figures import (
    accuracy_by_class_count,
    class_counts_bars,
    cosine_heatmap,
    image_columns,
    shot_group_bars,
    style,
    text_alternative,
    training_curves,
)

COUNTS = torch.tensor([5, 200, 50])
NAMES = ["owl", "cat", "dog"]
GROUPS = {"many": torch.tensor([1]), "medium": torch.tensor([2]), "few": torch.tensor([0])}


def run(top1: float, many: float | None, medium: float | None, few: float | None) -> dict[str, float | None]:
    return {"top1": top1, "many": many, "medium": medium, "few": few}


# ---- class counts


def test_bars_stand_from_head_to_tail_each_in_its_group() -> None:
    figure = class_counts_bars(COUNTS, GROUPS, NAMES)
    assert [(bar.name, bar.x, bar.y) for bar in figure.data] == [
        ("many-shot (1)", ("cat",), (200,)),
        ("medium-shot (1)", ("dog",), (50,)),
        ("few-shot (1)", ("owl",), (5,)),
    ]
    assert figure.layout.xaxis.categoryarray == ("cat", "dog", "owl")
    assert "the smallest 5 (40 : 1)" in style.caption(figure)


def test_groups_differ_by_hatching() -> None:
    shapes = [bar.marker.pattern.shape for bar in class_counts_bars(COUNTS, GROUPS).data]
    assert len(set(shapes)) == 3


def test_groups_that_miss_a_class_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\].* 0..2"):
        class_counts_bars(COUNTS, {"many": torch.tensor([1]), "few": torch.tensor([0])})


def test_long_names_of_columns_are_broken_and_small_enough_not_to_overlap() -> None:
    images = torch.zeros(2, 1, 2, 2, dtype=torch.uint8)
    short = image_columns(images, torch.tensor([0, 1]), ["owl", "cat"]).layout.xaxis
    long = image_columns(images, torch.tensor([0, 1]), ["Ankle boot", "automobile"]).layout.xaxis
    assert long.ticktext == ("Ankle <br>boot<br>1", "automobile<br>1")
    assert (short.tickfont.size, long.tickfont.size) == (14, 10)


def test_columns_show_the_images_of_each_class_and_leave_the_rest_clear() -> None:
    images = torch.stack([torch.full((1, 2, 2), value) for value in (10, 20, 21, 22)]).to(torch.uint8)
    labels = torch.tensor([0, 1, 1, 1])
    figure = image_columns(images, labels, ["owl", "cat"], most=2)
    encoded = base64.b64decode(figure.data[0].source.removeprefix("data:image/png;base64,"))
    sheet = np.asarray(Image.open(io.BytesIO(encoded)))
    assert sheet[0, 0].tolist() == [20, 20, 20, 255]  # the head class first
    assert sheet[3, 0].tolist() == [21, 21, 21, 255]
    assert sheet[0, 4].tolist() == [10, 10, 10, 255]
    assert sheet[3, 4].tolist() == [0, 0, 0, 0]  # the tail has no second image
    assert figure.layout.xaxis.ticktext == ("cat<br>3", "owl<br>1")
    assert "cat 2 of 3, owl 1 of 1" in text_alternative(figure)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("shape", "labels", "message"),
    [((2, 1, 4, 4), 3, "2 images but 3 labels"), ((2, 4, 4, 4), 2, "4 channels; expected 1")],
)
def test_images_that_cannot_be_shown_are_refused(shape: tuple[int, ...], labels: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        image_columns(torch.zeros(shape, dtype=torch.uint8), torch.zeros(labels, dtype=torch.long), ["one"])


# ---- accuracy


def test_accuracy_lines_run_from_head_to_tail() -> None:
    figure = accuracy_by_class_count({"ce": [10.0, 99.0, None]}, COUNTS, NAMES)
    line = figure.data[0]
    assert line.x == ("cat<br>(200)", "dog<br>(50)", "owl<br>(5)")
    assert line.y == (99.0, None, 10.0)
    assert "ce: 99.0, n/a, 10.0" in text_alternative(figure)


def test_accuracies_of_another_number_of_classes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"ce has 2 .*3 classes"):
        accuracy_by_class_count({"ce": [1.0, 2.0]}, COUNTS)


def test_shot_group_bars_are_means_with_every_seed_beside_them() -> None:
    figure = shot_group_bars({"bcl": [run(60, 90, 70, 20), run(70, 92, 72, 40)]})
    bars, seeds, numbers = figure.data
    assert bars.y == (65, 91, 71, 30)
    assert sorted(y for x, y in zip(seeds.x, seeds.y, strict=True) if x == "few-shot") == [20, 40]
    assert numbers.text == ("65.0", "91.0", "71.0", "30.0")
    assert numbers.y[3] > 40
    assert "2 seeds" in style.caption(figure)


def test_an_empty_group_is_written_and_not_drawn_as_zero() -> None:
    figure = shot_group_bars({"bcl": [run(60, 90, None, 20)]})
    bars, numbers = figure.data
    assert bars.y[2] is None
    assert numbers.text[2] == "n/a"
    assert "medium-shot n/a" in text_alternative(figure)


def test_methods_differ_by_hatching() -> None:
    figure = shot_group_bars({name: [run(1, 1, 1, 1)] for name in ("ce", "scl", "bcl")})
    assert len({trace.marker.pattern.shape for trace in figure.data if trace.type == "bar"}) == 3


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({}, "at least one run"),
        ({"bcl": []}, "at least one run"),
        ({"bcl": [run(1, 1, None, 1), run(1, 1, 1, 1)]}, "'medium' "),
    ],
)
def test_results_without_a_mean_are_refused(
    results: dict[str, list[dict[str, float | None]]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        shot_group_bars(results)


def test_numbers_of_many_methods_stand_in_their_bars() -> None:
    figure = shot_group_bars({f"method {k}": [run(50.0 + k, 60.0, None, 20.0)] for k in range(5)})
    assert len(figure.data) == 5  # bars only, no text above them
    assert figure.data[1].text == ("<b>51.0</b>", "<b>60.0</b>", "<b>n/a</b>", "<b>20.0</b>")


# ---- curves


def test_curves_skip_epochs_without_the_value() -> None:
    metrics = [{"epoch": 1, "few": None}, {"epoch": 2, "few": 12.0}, {"epoch": 3, "few": 15.0}]
    figure = training_curves({"bcl": metrics}, "few")
    assert (figure.data[0].x, figure.data[0].y) == ((2, 3), (12.0, 15.0))
    assert "bcl from 12 to 15" in text_alternative(figure)
    assert figure.layout.yaxis.title.text == "few-shot accuracy, %"


def test_a_quantity_that_no_epoch_has_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"'ce' .*'loss_contrastive'.* epoch, loss"):
        training_curves({"ce": [{"epoch": 1, "loss": 2.0}]}, "loss_contrastive")


# ---- cosines


def test_above_long_class_names_title_and_caption_begin_at_the_left_edge() -> None:
    """There long names push the square to the right, and a caption that begins with it would be cut off."""
    short, long = (cosine_heatmap(torch.eye(3), COUNTS, [name] * 3) for name in ("cat", "automobile of 1997"))
    assert (short.layout.title.xref, long.layout.title.xref) == ("paper", "container")
    assert long.layout.title.pad.t == short.layout.title.pad.t


def test_the_heatmap_is_sorted_and_centred_at_the_simplex() -> None:
    cosines = torch.tensor([[1.0, 0.1, 0.2], [0.1, 1.0, -0.6], [0.2, -0.6, 1.0]])
    figure = cosine_heatmap(cosines, COUNTS, NAMES)
    heat, colours = figure.data[0], figure.layout.coloraxis
    assert heat.x == heat.y == ("cat (200)", "dog (50)", "owl (5)")
    assert heat.z[0][1] == pytest.approx(-0.6)  # cat and dog
    assert heat.z[0][2] == pytest.approx(0.1)  # cat and owl
    assert (colours.cmin + colours.cmax) / 2 == pytest.approx(-1 / 2)
    assert colours.cmax - colours.cmin == pytest.approx(2 * 0.7)  # the furthest entry, 0.2, is 0.7 away


def test_matrices_side_by_side_are_named_square_and_of_one_scale() -> None:
    figure = cosine_heatmap({"SCL": torch.eye(3), "BCL": 0.9 * torch.eye(3) - 0.4}, COUNTS)
    assert [title.text for title in figure.layout.annotations] == ["SCL", "BCL"]
    assert [heat.coloraxis for heat in figure.data] == ["coloraxis", "coloraxis"]
    assert (figure.layout.yaxis.scaleanchor, figure.layout.yaxis2.scaleanchor) == ("x", "x2")
    assert figure.layout.coloraxis.cmax == pytest.approx(0)  # SCL's cosines of 0, 1/2 above the simplex
    assert "BCL: from -0.40 to -0.40" in text_alternative(figure)


def test_the_diagonal_is_left_out() -> None:
    heat = cosine_heatmap(torch.eye(3), COUNTS).data[0]
    assert all(math.isnan(heat.z[k][k]) for k in range(3))


def test_numbers_are_readable_on_every_cell() -> None:
    from bcl_edu.course.figures.cosine_heatmap import CELL_INK, SCALE

    assert min(style.contrast(CELL_INK, colour) for _, colour in SCALE) >= 4.5


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("cosines", "message"),
    [
        (torch.eye(2), r"shape \(2, 2\) for 3 classes"),
        (2 * torch.eye(3), r"\[-1, 1\].* 2"),
    ],
)
def test_what_is_no_cosine_matrix_is_refused(cosines: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cosine_heatmap(cosines, COUNTS)
