"""What a plotly figure on a page has drawn, and its sliders moved as a hand moves them."""

from collections.abc import Sequence
from typing import Any

import pytest
from playwright.sync_api import Locator

from tests.browser.jupyterlab import Visit


def drawn(figure: Locator, trace: int) -> dict[str, list[Any]]:
    """Coordinates of the points of one trace as plotly drew them, not as it was told to; -1 is the last trace."""
    return figure.evaluate(
        "(e, n) => ({ x: e.calcdata.at(n).map(p => p.x), y: e.calcdata.at(n).map(p => p.y) })", trace
    )


def wait_until_drawn(visit: Visit, figure: Locator, trace: int, heights: Sequence[float]) -> None:
    """Wait until the points of a trace are at these heights: a kernel answers the last of many moves late."""
    for _ in range(60):
        found = drawn(figure, trace)["y"]
        if found == pytest.approx(heights, abs=1e-3):
            return
        visit.page.wait_for_timeout(500)
    assert found == pytest.approx(heights, abs=1e-3)


def film_to(visit: Visit, figure: Locator, share: float) -> str:
    """Click the rail of a film's slider at a share of its length; what it says then."""
    rail = figure.locator(".slider-rail-touch-rect")
    visit.scroll_to(rail)
    box = rail.bounding_box()
    assert box
    # positions are spread over the rail less the grip's width, so both ends are a little inside
    visit.page.mouse.click(box["x"] + 12 + share * (box["width"] - 24), box["y"] + box["height"] / 2)
    visit.page.wait_for_timeout(700)
    return figure.locator(".slider-group > text.slider-label").text_content() or ""


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
