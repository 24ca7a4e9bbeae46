"""The notebook on Theorem 2 in JupyterLab: at every factor its film draws the shares of the gradient."""

import pytest

from tests.browser.jupyterlab import Visit
from tests.browser.pictures import drawn, film_to

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

NOTEBOOK = "05_theorem_2_class_averaging"

SCL, AVERAGED = 0, 1
"""The traces of `figures.gradient_shares` as the notebook names them."""


def test_its_film_draws_who_pushes(visit: Visit) -> None:
    visit.read_through(NOTEBOOK)

    film = visit.page.locator(".js-plotly-plot").filter(has=visit.page.locator(".slider-group")).first
    head = {}
    for share, factor in ((0.0, "1"), (1.0, "50"), (0.6, "10")):
        assert film_to(visit, film, share) == f"imbalance factor {factor}"
        for trace in (SCL, AVERAGED):
            assert sum(drawn(film, trace)["y"]) == pytest.approx(100, abs=0.1)
        head[factor] = drawn(film, SCL)["y"][0], drawn(film, AVERAGED)["y"][0]
    assert head["1"][0] == pytest.approx(100 / 9, abs=3)  # equal classes push about equally
    assert head["50"][0] > 2 * head["50"][1]  # a long tail under SCL; averaged, sizes do not matter
    assert head["1"][0] < head["10"][0] < head["50"][0]
    visit.all_is_well()
