"""The notebook on the path of training in JupyterLab: it runs, its film moves, and it is readable in both themes."""

import pytest

from tests.browser.jupyterlab import Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

NOTEBOOK = "08_how_training_gets_there"


def test_it_runs_and_its_film_moves(visit: Visit) -> None:
    visit.run_through(NOTEBOOK)

    film = visit.page.locator(".js-plotly-plot", has=visit.page.locator(".slider-group")).first
    visit.scroll_to(film)
    cells = film.locator(".heatmaplayer text, .annotation-text")
    before = cells.all_text_contents()
    film.locator(".slider-grip-rect").focus()
    box = film.locator(".slider-rail-touch-rect").bounding_box()
    assert box
    visit.page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    visit.page.wait_for_function(
        "([film, before]) => JSON.stringify([...film.querySelectorAll('.heatmaplayer text, .annotation-text')]"
        ".map(text => text.textContent)) !== JSON.stringify(before)",
        arg=[film.element_handle(), before],
    )

    visit.all_is_well()
