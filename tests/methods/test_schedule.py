from dataclasses import replace
from itertools import pairwise

import pytest

from bcl_edu.training import RECIPES
from bcl_edu.training.schedule import learning_rate, scaled_milestones, scaled_warmup

PAPER = RECIPES["cifar100-lt"][1]


def test_200_epochs_follow_the_paper() -> None:
    rates = {epoch: learning_rate(PAPER, epoch * 43, 43) for epoch in (0, 4, 5, 159, 160, 179, 180, 199)}
    assert rates[0] == pytest.approx(0.15 / (5 * 43))
    assert rates[4] < 0.15
    assert rates[5] == rates[159] == 0.15
    assert rates[160] == rates[179] == pytest.approx(0.015)
    assert rates[180] == rates[199] == pytest.approx(0.0015)


def test_warm_up_reaches_the_full_rate_with_its_last_step_in_equal_increments() -> None:
    rates = [learning_rate(PAPER, step, 10) for step in range(51)]
    assert rates[49] == rates[50] == 0.15
    assert {round(b - a, 12) for a, b in pairwise(rates[:50])} == {0.003}


@pytest.mark.parametrize(
    ("epochs", "warmup", "milestones"),
    [(400, 10, (320, 360)), (200, 5, (160, 180)), (30, 5, (24, 27)), (10, 2, (8, 9)), (1, 1, (1, 1))],
)
def test_other_lengths_scale(epochs: int, warmup: int, milestones: tuple[int, int]) -> None:
    recipe = replace(PAPER, epochs=epochs)
    assert scaled_warmup(recipe) == warmup
    assert scaled_milestones(recipe) == milestones


def test_cosine_falls_from_the_full_rate_to_nearly_nothing() -> None:
    recipe = replace(PAPER, schedule="cosine")
    rates = [learning_rate(recipe, step, 10) for step in range(50, 2000)]
    assert rates[0] == 0.15
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < 1e-6
    assert rates[975] == pytest.approx(0.075)


def test_a_step_outside_the_run_is_refused() -> None:
    with pytest.raises(ValueError, match="step 2000 is outside the run's 2000 steps"):
        learning_rate(PAPER, 2000, 10)
