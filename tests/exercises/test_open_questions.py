"""The answers to questions that no check decides still hold."""

import runpy
from pathlib import Path
from typing import Any

import pytest

SOLUTIONS = Path(__file__).resolve().parents[2] / "notebooks" / "solutions"


def answers(notebook: str) -> dict[str, Any]:
    return runpy.run_path(str(SOLUTIONS / f"{notebook}_open_questions.py"))


def test_features_must_be_twice_as_good_to_outweigh_a_prior() -> None:
    assert answers("02")["better_features"](100.0) == pytest.approx(4.196, abs=0.001)


@pytest.mark.slow
def test_with_a_step_profile_most_of_the_loss_is_habit() -> None:
    plain, compensated = answers("02")["another_shape"]((0,))
    assert compensated > plain + 30


def test_the_simplex_bends_from_the_beginning() -> None:
    deviation = answers("03")["how_it_bends"]((1.05, 2.0, 100.0))
    assert deviation[1.05] > 1e-3
    assert deviation[1.05] < deviation[2.0] < deviation[100.0]
