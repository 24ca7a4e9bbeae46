"""What a plotly figure on a page has drawn, and its sliders moved as a hand moves them."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from playwright.sync_api import Locator, TimeoutError, expect
from torch import Tensor
from torch.nn.functional import normalize

from bcl_edu.course.figures.bending_simplex import HEAD_COUNT
from bcl_edu.data import exponential_profile
from bcl_edu.geometry import certified_optimum
from tests.browser.jupyterlab import Visit

INTERRUPTION_IS_NO_ERROR = """() => addEventListener("unhandledrejection", event => {
    if (event.reason === undefined) event.preventDefault();
})"""
"""A film that is paused makes plotly reject, without a reason, a promise that nobody has."""


def drawn(figure: Locator, trace: int) -> dict[str, list[Any]]:
    """Coordinates of the points of one trace as plotly drew them, not as it was told to; -1 is the last trace."""
    return figure.evaluate(
        "(e, n) => ({ x: e.calcdata.at(n).map(p => p.x), y: e.calcdata.at(n).map(p => p.y) })", trace
    )


def drawn_in_space(figure: Locator, trace: int) -> Tensor:
    """Points of one trace of a 3-D scene as WebGL got them, shape (n, 3), in units of the data."""
    points = figure.evaluate(
        """(e, n) => {
            const { traces, dataScale } = e._fullLayout.scene._scene;
            const points = traces[e._fullData.at(n).uid].dataPoints;
            return points.map(point => [...point].map((value, axis) => value / dataScale[axis]));
        }""",
        trace,
    )
    return torch.tensor(points, dtype=torch.float64)


def bending_optimum(factor: float) -> Tensor:
    """Cosines of the class means of `figures.bending_simplex` at an imbalance factor, solved anew, shape (4, 4)."""
    views = 2 * exponential_profile(HEAD_COUNT, 4, factor)
    return certified_optimum(views, "scl", temperature=0.5).gram


def bar_heights(figure: Locator) -> list[float]:
    """Heights of all bars as plotly drew them, from the left where a figure has them from head to tail."""
    return figure.evaluate(
        "e => (e.calcdata ?? []).flat().map(bar => bar.s).filter(height => typeof height === 'number')"
    )


def heatmap_cells(figure: Locator) -> list[float]:
    """Values of a heatmap's cells as plotly drew them, row after row, without those that are left empty."""
    return figure.evaluate("e => e.calcdata[0][0].z.flatMap(row => [...row]).filter(Number.isFinite)")


def wait_until_drawn(figure: Locator, trace: int, heights: Sequence[float]) -> None:
    """Wait until the points of a trace are at these heights."""
    _wait_until(figure, lambda: drawn(figure, trace)["y"], heights)


def wait_until_bars(figure: Locator, heights: Sequence[float]) -> None:
    """Wait until the bars are this high."""
    _wait_until(figure, lambda: bar_heights(figure), heights)


def wait_until_angles(figure: Locator, trace: int, cosines: Tensor) -> None:
    """Wait until the points of a trace of a 3-D scene have these cosines, seen from its centre."""

    def look() -> list[float]:
        points = normalize(drawn_in_space(figure, trace), dim=1)
        return (points @ points.T).flatten().tolist()

    _wait_until(figure, look, cosines.flatten().tolist(), near=5e-3)  # a film stores three digits


def _wait_until(
    figure: Locator, look: Callable[[], list[float]], expected: Sequence[float], near: float = 1e-3
) -> None:
    """Look until it is so: a kernel answers the last of many moves late."""
    for _ in range(120):
        if look() == pytest.approx(expected, abs=near):
            return
        figure.page.wait_for_timeout(500)
    assert look() == pytest.approx(expected, abs=near)


def film_label(film: Locator) -> Locator:
    """Where a film says which position it shows."""
    return film.locator(".slider-group > text.slider-label")


MOVED_TO = """
([film, share]) => {
    const slider = film._fullLayout.sliders[0];
    return film.moved || slider.active === Math.round(share * (slider.steps.length - 1));
}
"""
"""Whether a film has moved since it was asked to, or stood there already, where plotly has nothing to do."""


def film_to(visit: Visit, film: Locator, share: float) -> str:
    """Click the rail of a film's slider at a share of its length; what it says then.

    The click is repeated where it missed, because something above was still being drawn and moved the rail.
    """
    rail = film.locator(".slider-rail-touch-rect")
    film.evaluate("e => { e.moved = false; e.once('plotly_animated', () => { e.moved = true; }); }")
    for _ in range(10):
        visit.scroll_to(rail)
        box = rail.bounding_box()
        assert box
        # positions are spread over the rail less the grip's width, so both ends are a little inside
        visit.page.mouse.click(box["x"] + 12 + share * (box["width"] - 24), box["y"] + box["height"] / 2)
        try:
            visit.page.wait_for_function(MOVED_TO, arg=[film.element_handle(), share], timeout=6_000)
        except TimeoutError:
            continue
        return film_label(film).text_content() or ""
    raise AssertionError(f"ten clicks at {share} of the film's rail did not move it")


def play(visit: Visit, film: Locator) -> str:
    """Press a film's play button, and pause when it shows another position than before; what it says then.

    A film that is over before the pause is pressed, on a slow machine, is played again.
    """
    label, button = film_label(film), film.locator(".updatemenu-button")
    before = label.text_content() or ""
    visit.scroll_to(button.first)
    visit.page.evaluate(INTERRUPTION_IS_NO_ERROR)
    for _ in range(5):
        button.filter(has_text="play").click()
        expect(label).not_to_have_text(before)
        button.filter(has_text="pause").click()
        if (now := label.text_content() or "") != before:
            return now
    raise AssertionError(f"the film was played five times, and never stopped but at {before!r}")


def drag_slider(visit: Visit, slider: Locator, share: float) -> None:
    """Drag the handle of an ipywidgets slider to a share of its length, and let go."""
    handle, rail = (
        slider.locator("[role=slider]").bounding_box(),
        slider.locator(".noUi-target").bounding_box(),
    )
    assert handle
    assert rail
    visit.page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    visit.page.mouse.down()
    visit.page.mouse.move(rail["x"] + share * rail["width"], rail["y"] + rail["height"] / 2, steps=8)
    visit.page.mouse.up()


def drag_range(visit: Visit, slider: Locator, share: float) -> None:
    """Drag the thumb of a browser's own slider to a share of its length, and let go."""
    visit.scroll_to(slider)
    box = slider.bounding_box()
    assert box
    here = slider.evaluate("e => (e.value - e.min) / (e.max - e.min)")
    thumb = 16  # pixels in Chromium; at both ends the thumb's edge is at the slider's
    left, length, middle = box["x"] + thumb / 2, box["width"] - thumb, box["y"] + box["height"] / 2
    visit.page.mouse.move(left + here * length, middle)
    visit.page.mouse.down()
    visit.page.mouse.move(left + share * length, middle, steps=8)
    visit.page.mouse.up()
