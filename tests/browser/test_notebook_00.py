"""The start of the course in JupyterLab: its film, played and moved, shows certified optima."""

import pytest
from torch import Tensor

from tests.browser.jupyterlab import Visit
from tests.browser.pictures import bending_optimum, film_label, film_to, play, wait_until_angles

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

NOTEBOOK = "00_start_here"

MEANS = -1
"""The last trace of `figures.class_mean_film` is that of the class means."""


def optimum_at(label: str) -> Tensor:
    """The cosines that should be drawn where the film says "imbalance factor 5"."""
    return bending_optimum(float(label.removeprefix("imbalance factor ")))


def test_its_film_plays_certified_optima(visit: Visit) -> None:
    visit.read_through(NOTEBOOK)

    film = visit.page.locator(".js-plotly-plot").filter(has=visit.page.locator(".slider-group"))
    shown = film_label(film).text_content() or ""
    wait_until_angles(film, MEANS, optimum_at(shown))
    assert (optimum_at("imbalance factor 1000") - optimum_at("imbalance factor 1")).abs().max() > 0.1

    played = play(visit, film)
    wait_until_angles(film, MEANS, optimum_at(played))
    for share, factor in ((0.45, "20"), (1.0, "1000"), (0.0, "1")):
        assert film_to(visit, film, share) == f"imbalance factor {factor}"
        wait_until_angles(film, MEANS, optimum_at(f"imbalance factor {factor}"))
    visit.all_is_well()
