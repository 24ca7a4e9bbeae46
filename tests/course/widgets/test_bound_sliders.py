import math

import ipywidgets
import pytest

from bcl_edu.course.widgets import LiveFigure, bound_sliders
from bcl_edu.course.widgets.bound_sliders import reach, two_classes


def parts() -> tuple[list[ipywidgets.Widget], LiveFigure]:
    *sliders, _, live = bound_sliders().children
    return sliders, live


def points(live: LiveFigure, name: str) -> list[tuple[float, float]]:
    """(bound, loss) of every anchor."""
    (trace,) = [trace for trace in live.figure.data if (trace.name or "").startswith(name)]
    return list(zip(trace.customdata, trace.y, strict=True))


def test_classes_stand_where_the_sliders_say() -> None:
    embeddings, labels = two_classes(3, 2, angle=90, spread=10)
    degrees = [math.degrees(math.atan2(float(y), float(x))) for x, y in embeddings]
    assert degrees == pytest.approx([-10, 0, 10, 80, 100])
    assert labels.tolist() == [0, 0, 0, 1, 1]


def test_collapsed_orthogonal_classes_refute_the_print_and_attain_the_theorem() -> None:
    (first, second, angle, spread, _), live = parts()
    first.value, second.value, angle.value, spread.value = 10, 80, 90, 0
    loss = math.log(9 + 80 * math.exp(-1))
    assert points(live, "Theorem 1")[0] == pytest.approx((loss, loss), abs=1e-3)
    assert points(live, "Eq. 3 as printed")[0] == pytest.approx(
        (math.log(9) + 80 * math.exp(-1), loss), abs=1e-3
    )
    assert [trace.name for trace in live.figure.data[2:]] == [
        "Theorem 1 (0 of 90 in the grey)",
        "Eq. 3 as printed (90 of 90 in the grey)",
    ]


def test_a_low_temperature_lets_the_print_hold_by_accident() -> None:
    (first, second, angle, spread, temperature), live = parts()
    first.value, second.value, angle.value, spread.value, temperature.value = 2, 2, 90, 15, 0.1
    assert all(bound < loss for bound, loss in points(live, "Eq. 3 as printed"))


@pytest.mark.parametrize("moved", range(5))
def test_every_slider_moves_the_points(moved: int) -> None:
    sliders, live = parts()
    before = points(live, "Theorem 1")
    slider = sliders[moved]
    slider.value = slider.max if slider.value < slider.max else slider.min
    assert points(live, "Theorem 1") != before


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_both_axes_hold_every_loss(temperature: float) -> None:
    sliders, live = parts()
    sliders[3].value, sliders[4].value = 90, temperature
    low, high = live.figure.layout.xaxis.range
    assert live.figure.layout.yaxis.range == (low, high)
    assert all(low <= loss <= high for _, loss in points(live, "Theorem 1"))


def test_axes_end_at_powers_of_two_with_some_room() -> None:
    assert [reach(loss) for loss in (0.3, 3.0, 3.9)] == [(0, 0.5), (0, 4), (0, 8)]
