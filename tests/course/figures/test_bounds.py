import math

import plotly.graph_objects as go
import pytest
import torch
from torch import Tensor

from bcl_edu.course.figures import bound_versus_loss, proof_ladder, text_alternative

LOSS = torch.tensor([1.0, 2.0, 3.0, math.nan])
TRUE = torch.tensor([0.5, 2.0, 2.5, math.nan])
FALSE = torch.tensor([1.5, 1.0, 30.0, math.nan])


def points(figure: go.Figure, name: str) -> tuple[list[tuple[float, float]], go.Scatter]:
    (trace,) = [trace for trace in figure.data if (trace.name or "").split(" (")[0] == name]
    return list(zip(trace.x, trace.y, strict=True)), trace


# ---- bound versus loss


def test_a_point_is_an_anchor_with_its_bound_to_the_right_and_its_loss_upwards() -> None:
    drawn, _ = points(bound_versus_loss(LOSS, {"true": TRUE}), "true")
    assert drawn == [(0.5, 1.0), (2.0, 2.0), (2.5, 3.0)]  # the anchor without a loss is left out


def test_what_is_below_its_bound_is_counted_in_legend_and_words() -> None:
    figure = bound_versus_loss(LOSS, {"true": TRUE, "false": FALSE})
    assert [trace.name for trace in figure.data[2:]] == [
        "true (0 of 3 in the grey)",
        "false (2 of 3 in the grey)",
    ]
    assert "2 of 3 anchors; loss minus bound from -27 to 1" in text_alternative(figure)


def test_equality_is_no_violation_even_with_rounding() -> None:
    loss = torch.ones(2, dtype=torch.float64)
    assert bound_versus_loss(loss, {"same": loss + 1e-12}).data[-1].name.startswith("same (0 of 2")


def test_both_axes_share_a_range_so_that_the_line_is_the_diagonal() -> None:
    figure = bound_versus_loss(LOSS, {"false": FALSE}, reach=(0.0, 4.0))
    assert figure.layout.xaxis.range == figure.layout.yaxis.range == (0, 4)
    (line,) = [trace for trace in figure.data if trace.name == "loss = bound"]
    assert line.x == line.y == (0, 4)


def test_a_bound_past_the_axis_is_drawn_at_its_edge_and_told_as_it_is() -> None:
    drawn, trace = points(bound_versus_loss(LOSS, {"false": FALSE}, reach=(0.0, 4.0)), "false")
    assert drawn[2] == (4.0, 3.0)
    assert trace.customdata[2] == 30


def test_nothing_is_drawn_past_the_edge_where_it_would_be_hidden() -> None:
    figure = bound_versus_loss(LOSS / 3, {"false": FALSE})
    low, high = figure.layout.xaxis.range
    assert all(low <= x <= high for x, _ in points(figure, "false")[0])
    assert points(figure, "false")[0][2][0] == high


def test_without_a_reach_every_loss_and_every_true_bound_is_inside() -> None:
    low, high = bound_versus_loss(LOSS, {"true": TRUE}).layout.xaxis.range
    assert low < 0.5
    assert high > 3


def test_claims_differ_in_symbol() -> None:
    figure = bound_versus_loss(LOSS, {"one": TRUE, "two": FALSE})
    assert points(figure, "one")[1].marker.symbol != points(figure, "two")[1].marker.symbol


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("loss", "bounds", "message"),
    [
        (LOSS, {}, "no bound to compare"),
        (LOSS, {"short": TRUE[:2]}, r"shape \(4,\) and bound 'short' \(2,\)"),
        (LOSS[3:], {"alone": TRUE[3:]}, "no anchor has both"),
    ],
)
def test_nothing_to_compare_is_refused(loss: Tensor, bounds: dict[str, Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bound_versus_loss(loss, bounds)


# ---- the lines of a proof

LABELS = torch.tensor([1, 0, 0, 2])
LINES = {
    "loss": torch.tensor([3.0, 1.0, 2.0, math.nan]),
    "after one step": torch.tensor([2.5, 0.9, 2.0, math.nan]),
    "bound": torch.tensor([1.0, 0.8, 1.75, math.nan]),
}


def test_anchors_stand_from_head_to_tail() -> None:
    figure = proof_ladder(LINES, LABELS)
    assert figure.layout.xaxis.ticktext == ("0", "0", "1")
    assert points(figure, "loss")[0] == [(0, 1), (1, 2), (2, 3)]
    assert points(figure, "bound")[0] == [(0, 0.8), (1, 1.75), (2, 1)]


def test_each_ladder_runs_from_the_first_line_to_the_last() -> None:
    rail = proof_ladder(LINES, LABELS).data[0]
    assert rail.x == (0, 0, None, 1, 1, None, 2, 2, None)
    assert rail.y == (1, 0.8, None, 2, 1.75, None, 3, 1, None)


def test_the_words_say_how_far_each_step_goes_down() -> None:
    words = text_alternative(proof_ladder(LINES, LABELS))
    assert "after one step: down by 0.000 to 0.500" in words
    assert "to bound: down by 0.100 to 1.500" in words


@pytest.mark.parametrize(
    ("lines", "labels", "message"),
    [
        ({"loss": LOSS}, LABELS, "no step to show"),
        ({"loss": LOSS, "bound": TRUE[:2]}, LABELS, "line 'bound'"),
        ({"loss": LOSS[3:], "bound": TRUE[3:]}, LABELS[3:], "no anchor"),
    ],
)
def test_what_is_no_proof_is_refused(lines: dict[str, Tensor], labels: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        proof_ladder(lines, labels)
