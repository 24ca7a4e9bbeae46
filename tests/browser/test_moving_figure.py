"""The browser side of a figure that moves: it is brought to where the reader looks, and only from nearby."""

import pytest
from playwright.sync_api import Browser

from bcl_edu.course.widgets import LiveFigure

pytestmark = pytest.mark.browser

WINDOW = {"width": 1000, "height": 800}
MODEL = """
const traits = { drawing: { data: [], layout: { height: 500 } }, library: "library", moves: MOVES };
const plotly = "window.Plotly = { react() { window.drawn = true; }, purge() {}, Plots: { resize() {} } };";
const model = {
    get: name => traits[name], on() {}, off() {},
    widget_manager: { has_model: () => true, get_model: async () => ({ get: () => plotly }) },
};
figure.render({ model, el: document.getElementById("cell") });
"""


@pytest.mark.parametrize(
    ("above", "moves", "scrolls"), [(600, True, True), (600, False, False), (3000, True, False)]
)
def test_a_figure_that_moves_is_scrolled_into_view_if_it_is_near(
    browser: Browser, above: int, moves: bool, scrolls: bool
) -> None:
    page = browser.new_page(viewport=WINDOW)  # type: ignore[arg-type]
    module = LiveFigure._esm.replace("export default", "const figure =")
    model = MODEL.replace("MOVES", str(moves).lower())
    page.set_content(
        f'<div style="height: {above}px"></div><div id="cell"></div><div style="height: 3000px"></div>'
        f'<script type="module">{module}\n{model}</script>'
    )
    page.wait_for_function("window.drawn")
    page.wait_for_timeout(100)
    top, bottom = page.evaluate(
        "(({ top, bottom }) => [top, bottom])(document.querySelector('.live-figure').getBoundingClientRect())"
    )
    assert (page.evaluate("scrollY") > 0) == scrolls
    assert (top >= 0 and bottom <= WINDOW["height"]) == scrolls
    page.close()
