"""The figures of the compared methods: what they touch, what they gain, two or three of them, and all in one cloud."""

from typing import Any

import pytest
import torch

from bcl_edu.course.figures import (
    class_gains,
    means_and_accuracy,
    method_comparison,
    method_map,
    style,
    text_alternative,
)
from bcl_edu.course.figures.class_gains import GAIN, LOSS
from bcl_edu.course.figures.cosine_heatmap import CELL_INK
from bcl_edu.course.method_parts import MethodParts
from bcl_edu.course.method_runs import MeanAndDeviation

COUNTS = torch.tensor([5, 200])
PLAIN = MethodParts(False, (), 1, "same", (), False, ("main",), False)
HEADS = MethodParts(True, (), 3, "in training", ("projection", "prototypes"), False, ("main",), False)
EXPERTS = MethodParts(True, ("classes alike",), 1, "in prediction", ("backbone",), True, ("a", "b"), True)


def runs(*top1: float) -> list[dict[str, Any]]:
    rest = {"many": 90.0, "medium": 80.0, "few": 40.0}
    return [
        {
            "top1": value,
            **rest,
            "feature_simplex_deviation": 0.3,
            "processor_seconds": 2.0,
            "per_class": [value, 0.0],
        }
        for value in top1
    ]


# ---- the map


def test_what_is_used_in_prediction_is_a_diamond_and_the_rest_a_square() -> None:
    training, prediction = method_map({"heads": HEADS, "experts": EXPERTS}).data
    assert (training.marker.symbol, prediction.marker.symbol) == ("square", "diamond")
    assert set(zip(prediction.x, prediction.y, strict=True)) == {
        ("network", "experts"),
        ("prediction", "experts"),
    }
    assert ("network", "heads") in set(zip(training.x, training.y, strict=True))


def test_marks_tell_how_many_views_stages_and_other_parts() -> None:
    marks = {
        (x, y): text
        for trace in method_map({"heads": HEADS, "experts": EXPERTS}).data
        for x, y, text in zip(trace.x, trace.y, trace.text, strict=True)
    }
    assert marks["views", "heads"] == "3"
    assert marks["stages", "experts"] == "2"
    assert marks["network", "heads"] == "2"
    assert marks["loss", "heads"] == ""


def test_methods_that_touch_less_stand_above_and_one_that_touches_nothing_is_there() -> None:
    figure = method_map({"experts": EXPERTS, "heads": HEADS, "plain": PLAIN})
    assert figure.layout.yaxis.categoryarray == ("plain", "heads", "experts")
    assert "plain nothing" in text_alternative(figure)
    with pytest.raises(ValueError, match="no method to draw"):
        method_map({})


# ---- gains


def test_gains_stand_from_head_to_tail_and_the_largest_first() -> None:
    figure = class_gains({"a": [30.2, -4.0], "b": [50.0, 0.0]}, COUNTS, title="t", look_at="Look at it.")
    (cells,) = figure.data
    assert cells.x == ("1<br>(200)", "0<br>(5)")
    assert cells.y == ("b", "a")
    assert [list(row) for row in cells.text] == [["0", "+50"], ["-4", "+30"]]
    assert -cells.zmin == cells.zmax == 50
    assert "a -4, +30" in text_alternative(figure)


def test_gains_of_another_number_of_classes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a has 1 .*2 classes"):
        class_gains({"a": [1.0]}, COUNTS, title="t", look_at="l")


@pytest.mark.parametrize("ink", [CELL_INK, "#f0f0f0"], ids=["light", "the site's dark theme"])
def test_numbers_are_read_on_the_strongest_colours_of_either_theme(ink: str) -> None:
    assert min(style.contrast(colour, ink) for colour in (GAIN, LOSS)) >= 3


# ---- side by side


def test_bars_are_means_and_whiskers_standard_deviations_of_a_run() -> None:
    figure = method_comparison({"bcl": runs(60, 64), "ssp": runs(70, 70)})
    accuracy, means, seconds, by_class = figure.data[:4]
    assert accuracy.y == (62, 90, 80, 40)
    assert accuracy.error_y.array[0] == pytest.approx(8**0.5, abs=1e-3)
    assert (means.y, seconds.y) == ((0.3,), (2,))
    assert (by_class.x, by_class.y) == (("0", "1"), (62, 0))
    assert accuracy.marker.color == style.METHOD_COLOURS["bcl"]
    assert "bcl: all classes 62.0 ± 2.8 %" in text_alternative(figure)
    assert "2 seeds" in style.caption(figure)


def test_each_method_is_once_in_the_legend_and_each_panel_has_axes_of_its_own() -> None:
    figure = method_comparison({"bcl": runs(60, 64), "ssp": runs(70, 70), "ce": runs(1, 2)})
    assert [trace.name for trace in figure.data if trace.showlegend] == ["bcl", "ssp", "ce"]
    assert {trace.yaxis for trace in figure.data} == {"y", "y2", "y3", "y4"}


def test_no_bar_has_the_colour_of_its_whisker() -> None:
    for names in (("proco", "bcl"), ("ssp", "ldam", "tde")):
        figure = method_comparison({name: runs(60, 64) for name in names})
        colours = [trace.marker.color for trace in figure.data[::4]]
        assert len(set(colours)) == len(names)
        assert style.INK not in colours


def test_more_methods_than_can_be_told_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="4 methods are chosen"):
        method_comparison({name: runs(60, 64) for name in ("a", "b", "c", "d")})


# ---- the cloud


def test_named_methods_have_their_name_beside_them() -> None:
    of = {"a": MeanAndDeviation(0.3, 0.01), "b": MeanAndDeviation(0.2, 0.02)}
    accuracy = {"a": MeanAndDeviation(70, 3), "b": MeanAndDeviation(80, 2)}
    others, named = means_and_accuracy(of, accuracy, ("b",), title="t", look_at="l").data
    assert (others.mode, named.mode) == ("markers", "markers+text")
    assert (others.text, named.text) == (("a",), ("b",))
    assert (named.x, named.y, named.error_y.array) == ((0.2,), (80,), (2,))
    with pytest.raises(ValueError, match="c: expected"):
        means_and_accuracy(of, accuracy, ("c",), title="t", look_at="l")


def test_a_name_stands_below_its_point_if_another_point_is_just_above() -> None:
    places = {"hybrid": (0.37, 69), "neighbour": (0.365, 70), "alone": (0.25, 50), "top": (0.26, 90)}
    of = {name: MeanAndDeviation(x, 0.01) for name, (x, _) in places.items()}
    accuracy = {name: MeanAndDeviation(y, 2) for name, (_, y) in places.items()}
    _, named = means_and_accuracy(of, accuracy, ("hybrid", "alone"), title="t", look_at="l").data
    assert dict(zip(named.text, named.textposition, strict=True)) == {
        "hybrid": "bottom center",
        "alone": "top center",
    }
