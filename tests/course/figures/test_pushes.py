import plotly.graph_objects as go
import pytest
import torch
from torch import Tensor

from bcl_edu import geometry
from bcl_edu.course.figures import push_circles, text_alternative
from bcl_edu.course.figures.pushes import PITCH

SIMPLEX = geometry.regular_simplex(3)
COUNTS = torch.tensor([40, 8, 2])
PUSHES = torch.tensor([[0.0, 0.0], [0.0, 3.0], [4.0, 0.0]], dtype=torch.float64)


Point = tuple[float, float]


def arrows(figure: go.Figure, panel: int = 0) -> list[tuple[Point, Point, str]]:
    """Start and tip of each arrow, and the symbol at its tip; after the outline of its panel."""
    return [
        ((trace.x[0], trace.y[0]), (trace.x[1], trace.y[1]), trace.marker.symbol[1])
        for trace in figure.data[6 * panel + 1 : 6 * panel + 4]
    ]


def test_an_arrow_starts_at_the_mean_and_is_as_long_as_the_push_on_the_figures_scale() -> None:
    (_, one, two) = arrows(push_circles(SIMPLEX, {"SCL": PUSHES}, COUNTS))
    assert one[0] == pytest.approx(SIMPLEX[1].tolist(), abs=1e-4)
    assert one[1] == pytest.approx((SIMPLEX[1] + torch.tensor([0, 0.75])).tolist(), abs=1e-4)
    assert two[1] == pytest.approx((SIMPLEX[2] + torch.tensor([1.0, 0])).tolist(), abs=1e-4)  # the longest


def test_a_class_at_rest_has_a_ring_and_no_arrow() -> None:
    symbols = [symbol for _, _, symbol in arrows(push_circles(SIMPLEX, {"SCL": PUSHES}, COUNTS))]
    assert symbols == ["circle-open", "arrow", "arrow"]


def test_all_circles_of_a_figure_have_one_scale() -> None:
    figure = push_circles(SIMPLEX, {"small": PUSHES / 10, "large": PUSHES}, COUNTS)
    (start, tip, _) = arrows(figure)[2]
    assert tip[0] - start[0] == pytest.approx(0.1, abs=1e-3)
    (start, tip, _) = arrows(figure, panel=1)[2]
    assert tip[0] - start[0] == pytest.approx(1.0, abs=1e-3)
    assert start[0] == pytest.approx(PITCH + SIMPLEX[2, 0].item(), abs=1e-3)


def test_a_given_scale_makes_figures_comparable() -> None:
    (_, _, two) = arrows(push_circles(SIMPLEX, {"SCL": PUSHES}, COUNTS, longest=8.0))
    assert two[1][0] - two[0][0] == pytest.approx(0.5, abs=1e-3)


def test_nothing_that_moves_can_be_drawn() -> None:
    figure = push_circles(SIMPLEX, {"averaged": 0 * PUSHES}, COUNTS)
    assert {symbol for _, _, symbol in arrows(figure)} == {"circle-open"}


def test_the_words_have_the_strengths() -> None:
    words = text_alternative(push_circles(SIMPLEX, {"SCL": PUSHES}, COUNTS))
    assert "SCL: class 0 0, class 1 3, class 2 4" in words


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("means", "pushes", "message"),
    [
        (SIMPLEX[:2], {"SCL": PUSHES}, r"\(2, 2\) for 3 classes"),
        (2 * SIMPLEX, {"SCL": PUSHES}, "expected unit vectors"),
        (SIMPLEX, {}, "no pushes to draw"),
        (SIMPLEX, {"SCL": PUSHES[:2]}, r"SCL .*\(2, 2\)"),
    ],
)
def test_what_cannot_be_drawn_is_refused(means: Tensor, pushes: dict[str, Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        push_circles(means, pushes, COUNTS)
