"""The notebook on Theorem 1 in JupyterLab: its sliders move every anchor, and its films show each position."""

import math

import pytest
from playwright.sync_api import expect

from bcl_edu.course.widgets.bound_sliders import two_classes
from bcl_edu.data import exponential_profile
from bcl_edu.geometry import theorem_1
from tests.browser.jupyterlab import Visit
from tests.browser.pictures import drag_slider, drawn, film_to, wait_until_drawn

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

NOTEBOOK = "04_theorem_1_attraction_and_repulsion"

THEOREM = 2
"""The trace of the theorem's bound in `figures.bound_versus_loss`, after the line and what it stands on."""

ARROWS = (1, 2, 3)
"""The traces of the three pushes in `figures.push_circles`, after the circle."""


def arrows_at(factor: float) -> list[float]:
    """How long the pushes on the classes of a simplex on the circle are drawn, at 1 / 0.7 of their length.

    An anchor's own class pushes straight outwards, with (n_y - 1) e; the others 120 degrees to either side, with
    n_j e^(-1/2), so that along the circle the difference of the two is left, times sin 120 degrees.
    """
    counts = exponential_profile(200, 3, factor).tolist()
    lengths = []
    for y, own in enumerate(counts):
        one, other = (count * math.exp(-0.5) for j, count in enumerate(counts) if j != y)
        lengths.append(math.sin(math.tau / 3) * abs(one - other) / ((own - 1) * math.e + one + other) / 0.7)
    return lengths


def losses_at(first: int, second: int, angle: float, spread: float) -> list[float]:
    """The loss of every anchor at a position of the sliders, temperature 1."""
    return theorem_1(*two_classes(first, second, angle, spread)).loss.tolist()


def test_sliders_and_films_draw_what_they_say(visit: Visit) -> None:
    visit.read_through(NOTEBOOK)
    widget = visit.run_widget(
        visit.page.locator(".widget-vbox").filter(has_text="samples of class 0"),
        "import torch",
        "widgets.bound_sliders()",
    )
    sliders, figure = widget.locator(".widget-hslider"), widget.locator(".js-plotly-plot")
    legend = figure.locator(".legendtext")
    wait_until_drawn(figure, THEOREM, losses_at(10, 10, 60, 30))
    assert visit.cut_off() == []
    assert visit.overlaps() == []

    # by keyboard: eleven samples of class 0, so one anchor more in the picture
    sliders.nth(0).locator("[role=slider]").focus()
    visit.page.keyboard.press("ArrowRight")
    wait_until_drawn(figure, THEOREM, losses_at(11, 10, 60, 30))
    expect(legend.filter(has_text="Theorem 1")).to_have_text("Theorem 1 (0 of 21 in the grey)")

    # by mouse: without spread every anchor attains the theorem, and none the print
    drag_slider(visit, sliders.nth(3), 0.0)
    wait_until_drawn(figure, THEOREM, losses_at(11, 10, 60, 0))
    collapsed = drawn(figure, THEOREM)
    assert collapsed["x"] == pytest.approx(collapsed["y"], abs=1e-3)
    assert collapsed["y"][0] == pytest.approx(math.log(10 + 10 * math.exp(-0.5)), abs=1e-3)
    expect(legend.filter(has_text="printed")).to_have_text("Eq. 3 as printed (21 of 21 in the grey)")

    films = visit.page.locator(".js-plotly-plot").filter(has=visit.page.locator(".slider-group"))
    assert film_to(visit, films.nth(0), 1.0).endswith(" 100 %")
    at_the_simplex = drawn(films.nth(0), THEOREM)
    assert at_the_simplex["x"] == pytest.approx(at_the_simplex["y"], abs=1e-3)
    for share, factor in ((0.0, 1), (0.5, 10), (1.0, 100)):
        assert film_to(visit, films.nth(1), share) == f"imbalance factor {factor}"
        arrows = [drawn(films.nth(1), trace) for trace in ARROWS]
        lengths = [math.dist(*zip(arrow["x"], arrow["y"], strict=True)) for arrow in arrows]
        assert lengths == pytest.approx(arrows_at(factor), abs=1e-3)
    visit.all_is_well()
