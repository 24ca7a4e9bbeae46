"""Notebooks are held to the minutes that they state."""

from tools.notebooks import NOTEBOOKS
from tools.stated_minutes import MINUTES, excess


def test_every_notebook_states_its_minutes() -> None:
    assert set(MINUTES) == {path.stem for path in NOTEBOOKS.glob("*.ipynb")}


def test_a_minute_is_sixty_seconds_on_each_of_two_cores() -> None:
    assert MINUTES["03_regular_simplex"] == 1
    assert excess("03_regular_simplex", 120) is None
    found = excess("03_regular_simplex", 121)
    assert found is not None
    assert "121 s" in found
