import pytest
import torch

from bcl_edu import geometry
from bcl_edu.course.figures import gradient_shares, style, text_alternative

COUNTS = torch.tensor([2, 40, 8])
SHARES = {"SCL": torch.tensor([0.0, 0.8, 0.2]), "averaged": torch.tensor([0.0, 0.5, 0.5])}


def test_bars_are_percent_from_head_to_tail_with_nothing_at_the_anchors_class() -> None:
    figure = gradient_shares(SHARES, COUNTS, ["a", "b", "c"], anchor_class=0)
    assert figure.layout.xaxis.ticktext == ("b<br>(40)", "c<br>(8)", "a<br>(2)")
    assert [(bar.name, bar.x, bar.y) for bar in figure.data] == [
        ("SCL", (0, 1, 2), (80, 20, 0)),
        ("averaged", (0, 1, 2), (50, 50, 0)),
    ]
    assert "class a (no bar)" in style.caption(figure)


def test_the_line_is_an_equal_say_of_all_other_classes() -> None:
    (line,) = gradient_shares(SHARES, COUNTS, anchor_class=0).layout.shapes
    assert line.y0 == line.y1 == 50
    assert "equal would be 50.0" in text_alternative(gradient_shares(SHARES, COUNTS, anchor_class=0))


def test_losses_differ_by_hatching() -> None:
    bars = gradient_shares(SHARES, COUNTS, anchor_class=0).data
    assert bars[0].marker.pattern.shape != bars[1].marker.pattern.shape


def test_it_draws_a_row_of_the_geometry_as_it_is() -> None:
    labels = torch.repeat_interleave(torch.arange(3), torch.tensor([8, 2, 2]))
    row = geometry.gradient_shares(geometry.regular_simplex(3)[labels], labels, loss="scl")[-1]
    figure = gradient_shares({"SCL": row}, labels.bincount(), anchor_class=2)
    assert figure.data[0].y == (80, 20, 0)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("shares", "anchor", "message"),
    [
        (torch.tensor([0.5, 0.5]), 0, r"SCL .*\(2,\) for 3 classes"),
        (torch.tensor([0.5, 0.2, 0.2]), 0, "sum to 0.9; expected 1"),
        (torch.tensor([torch.nan, 0.5, 0.5]), 0, "sum to nan; expected 1"),
        (SHARES["SCL"], 3, "anchor's class is 3; expected 0..2"),
    ],
)
def test_what_are_no_shares_is_refused(shares: torch.Tensor, anchor: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gradient_shares({"SCL": shares}, COUNTS, anchor_class=anchor)
