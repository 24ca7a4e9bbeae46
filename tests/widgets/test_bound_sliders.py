import math

import ipywidgets
import plotly.graph_objects as go
import pytest

from bcl_edu.geometry import theorem_1
from bcl_edu.widgets import bound_sliders
from bcl_edu.widgets.bound_sliders import REACH, two_classes


def parts() -> tuple[list[ipywidgets.Widget], go.FigureWidget]:
    *sliders, figure = bound_sliders().children
    return sliders, figure


def points(figure: go.FigureWidget, name: str) -> list[tuple[float, float]]:
    """(bound, loss) of every anchor."""
    (trace,) = [trace for trace in figure.data if trace.name == name]
    return list(zip(trace.customdata, trace.y, strict=True))


def test_classes_stand_where_the_sliders_say() -> None:
    embeddings, labels = two_classes(3, 2, angle=90, spread=10)
    degrees = [math.degrees(math.atan2(float(y), float(x))) for x, y in embeddings]
    assert degrees == pytest.approx([-10, 0, 10, 80, 100])
    assert labels.tolist() == [0, 0, 0, 1, 1]


def test_collapsed_orthogonal_classes_refute_the_print_and_attain_the_theorem() -> None:
    (first, second, angle, spread), figure = parts()
    first.value, second.value, angle.value, spread.value = 10, 80, 90, 0
    loss = math.log(9 + 80 * math.exp(-1))
    assert points(figure, "Theorem 1")[0] == pytest.approx((loss, loss), abs=1e-3)
    assert points(figure, "Eq. 3 as printed")[0] == pytest.approx(
        (math.log(9) + 80 * math.exp(-1), loss), abs=1e-3
    )
    assert "Theorem 1: 0 of 90, Eq. 3 as printed: 90 of 90" in figure.layout.title.subtitle.text


@pytest.mark.parametrize("moved", range(4))
def test_every_slider_moves_the_points(moved: int) -> None:
    sliders, figure = parts()
    before = points(figure, "Theorem 1")
    sliders[moved].value = sliders[moved].max
    assert points(figure, "Theorem 1") != before


def test_the_axes_hold_the_largest_loss_that_sliders_can_make() -> None:
    (first, second, angle, spread), figure = parts()
    largest = 0.0
    for degrees, reach in [(0, 0), (0, 90), (180, 90), (90, 45)]:
        first.value, second.value, angle.value, spread.value = 80, 80, degrees, reach
        largest = max(largest, theorem_1(*two_classes(80, 80, degrees, reach)).loss.max().item())
    assert largest < REACH[1]
    assert figure.layout.xaxis.range == figure.layout.yaxis.range == REACH
