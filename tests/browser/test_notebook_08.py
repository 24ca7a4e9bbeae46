"""The notebook on the path of training in JupyterLab: it runs, and its film draws the cosines that the cell printed."""

import re

import pytest

from tests.browser.jupyterlab import Visit
from tests.browser.pictures import film_label, film_to, heatmap_cells

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

NOTEBOOK = "08_how_training_gets_there"


def test_it_runs_and_its_film_draws_the_cosines_of_each_epoch(visit: Visit) -> None:
    visit.run_through(NOTEBOOK)

    cell = visit.page.locator(".jp-Notebook .jp-CodeCell").filter(has_text="live = train_quietly(")
    printed = re.search(
        r"smallest cosine after epoch 1: (-?[\d.]+), after epoch 30: (-?[\d.]+)",
        cell.locator(".jp-OutputArea").inner_text(),
    )
    assert printed
    film = visit.page.locator(".jp-Notebook .jp-CodeCell").filter(has_text="Test images after epoch")
    film = film.locator(".js-plotly-plot")
    assert film_label(film).text_content() == "epoch 1"
    smallest = {1: min(heatmap_cells(film))}
    for share, epoch in ((0.5, 10), (1.0, 30)):
        assert film_to(visit, film, share) == f"epoch {epoch}"
        cells = heatmap_cells(film)
        assert len(cells) == 10 * 9
        written = film.locator(".heatmaplayer text").all_text_contents()
        assert sorted(float(text.replace("\u2212", "-")) for text in written) == pytest.approx(
            sorted(cells), abs=0.006
        )
        smallest[epoch] = min(cells)
    assert smallest[1] == pytest.approx(float(printed[1]), abs=0.006)
    assert smallest[30] == pytest.approx(float(printed[2]), abs=0.006)
    assert film_to(visit, film, 0.0) == "epoch 1"
    assert min(heatmap_cells(film)) == smallest[1] > max(smallest[10], smallest[30])
    visit.all_is_well()
