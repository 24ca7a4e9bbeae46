"""The notebook on Theorem 1 in JupyterLab: it runs, its sliders move every anchor, and its films show each position."""

import math

import pytest
from playwright.sync_api import expect

from bcl_edu.geometry import theorem_1
from bcl_edu.widgets.bound_sliders import two_classes
from tests.browser.jupyterlab import Visit
from tests.browser.pictures import drag_slider, drawn, film_to, wait_until_drawn

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

NOTEBOOK = "04_theorem_1_attraction_and_repulsion"

THEOREM = 2
"""The trace of the theorem's bound in `figures.bound_versus_loss`, after the line and what it stands on."""


def losses_at(first: int, second: int, angle: float, spread: float) -> list[float]:
    """The loss of every anchor at a position of the sliders, temperature 1."""
    return theorem_1(*two_classes(first, second, angle, spread)).loss.tolist()


def test_it_runs_and_sliders_and_films_draw_what_they_say(visit: Visit) -> None:
    visit.run_through(NOTEBOOK)

    widget = visit.page.locator(".widget-vbox").filter(has_text="samples of class 0")
    visit.scroll_to(widget)
    sliders, figure = widget.locator(".widget-hslider"), widget.locator(".js-plotly-plot")
    legend = figure.locator(".legendtext")
    wait_until_drawn(visit, figure, THEOREM, losses_at(10, 10, 60, 30))

    # by keyboard: eleven samples of class 0, so one anchor more in the picture
    sliders.nth(0).locator("[role=slider]").focus()
    visit.page.keyboard.press("ArrowRight")
    wait_until_drawn(visit, figure, THEOREM, losses_at(11, 10, 60, 30))
    expect(legend.filter(has_text="Theorem 1")).to_have_text("Theorem 1 (0 of 21 in the grey)")

    # by mouse: without spread every anchor attains the theorem, and none the print
    drag_slider(visit, sliders.nth(3), 0.0)
    wait_until_drawn(visit, figure, THEOREM, losses_at(11, 10, 60, 0))
    collapsed = drawn(figure, THEOREM)
    assert collapsed["x"] == pytest.approx(collapsed["y"], abs=1e-3)
    assert collapsed["y"][0] == pytest.approx(math.log(10 + 10 * math.exp(-0.5)), abs=1e-3)
    expect(legend.filter(has_text="printed")).to_have_text("Eq. 3 as printed (21 of 21 in the grey)")

    films = visit.page.locator(".js-plotly-plot").filter(has=visit.page.locator(".slider-group"))
    assert film_to(visit, films.nth(0), 1.0) == "share of the way to a collapsed simplex 100 %"
    at_the_simplex = drawn(films.nth(0), THEOREM)
    assert at_the_simplex["x"] == pytest.approx(at_the_simplex["y"], abs=1e-3)
    assert film_to(visit, films.nth(1), 0.0) == "imbalance factor 1"
    visit.all_is_well()
