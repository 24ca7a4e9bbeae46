"""The notebook on trained networks in JupyterLab: its film draws class means that meet and then part."""

import pytest

from tests.browser.jupyterlab import Visit
from tests.browser.pictures import film_label, film_to, heatmap_cells

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

NOTEBOOK = "08b_trained_networks"


def test_its_film_draws_the_cosines_of_each_epoch(visit: Visit) -> None:
    visit.read_through(NOTEBOOK)

    film = visit.page.locator(".jp-Notebook .jp-CodeCell").filter(has_text="Training images after epoch")
    film = film.locator(".js-plotly-plot")
    assert film_label(film).text_content() == "epoch 30"
    mean = {30: sum(heatmap_cells(film)) / 90}
    for share, epoch in ((0.0, 0), (0.25, 1)):
        assert film_to(visit, film, share) == f"epoch {epoch}"
        cells = heatmap_cells(film)
        assert len(cells) == 10 * 9
        written = film.locator(".heatmaplayer text").all_text_contents()
        assert sorted(float(text.replace("\u2212", "-")) for text in written) == pytest.approx(
            sorted(cells), abs=0.006
        )
        mean[epoch] = sum(cells) / 90
    assert mean[30] < mean[0] < mean[1]  # together in the first epoch, then apart
    visit.all_is_well()
