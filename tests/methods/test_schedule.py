from itertools import pairwise

import pytest

from bcl_edu.methods.stage import Schedule, scaled_warmup, schedule_of
from bcl_edu.rows import RECIPES

PAPER = RECIPES["cifar100-lt"][1]


def test_200_epochs_follow_the_paper() -> None:
    schedule = schedule_of(PAPER)
    rates = {epoch: schedule.rate(epoch * 43, 43) for epoch in (0, 4, 5, 159, 160, 179, 180, 199)}
    assert rates[0] == pytest.approx(0.15 / (5 * 43))
    assert rates[4] < 0.15
    assert rates[5] == rates[159] == 0.15
    assert rates[160] == rates[179] == pytest.approx(0.015)
    assert rates[180] == rates[199] == pytest.approx(0.0015)


def test_warm_up_reaches_the_full_rate_with_its_last_step_in_equal_increments() -> None:
    rates = [schedule_of(PAPER).rate(step, 10) for step in range(51)]
    assert rates[49] == rates[50] == 0.15
    assert {round(b - a, 12) for a, b in pairwise(rates[:50])} == {0.003}


@pytest.mark.parametrize(
    ("epochs", "warmup", "milestones"),
    [(400, 10, (320, 360)), (200, 5, (160, 180)), (30, 5, (24, 27)), (10, 2, (8, 9)), (1, 1, (1, 1))],
)
def test_other_lengths_scale(epochs: int, warmup: int, milestones: tuple[int, int]) -> None:
    recipe = PAPER.change(epochs=epochs)
    assert scaled_warmup(recipe) == warmup
    assert schedule_of(recipe).milestones == milestones


def test_cosine_falls_from_the_full_rate_to_nearly_nothing() -> None:
    schedule = schedule_of(PAPER.change(schedule="cosine"))
    rates = [schedule.rate(step, 10) for step in range(50, 2000)]
    assert rates[0] == 0.15
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < 1e-6
    assert rates[975] == pytest.approx(0.075)


def test_a_rate_per_epoch_changes_between_epochs_only() -> None:
    schedule = Schedule(
        learning_rate=0.1, epochs=200, warmup_epochs=5, milestones=(160, 180), decay=0.01, per_epoch=True
    )
    assert [schedule.rate(epoch * 7, 7) for epoch in range(6)] == pytest.approx(
        [0.02, 0.04, 0.06, 0.08, 0.1, 0.1]
    )
    assert schedule.rate(3 * 7 + 6, 7) == schedule.rate(3 * 7, 7)
    assert schedule.rate(160 * 7, 7) == pytest.approx(1e-3)
    # as with a scheduler that steps before each epoch: lr/2 (1 + cos(pi e/T)), e from 0
    cosine = Schedule(learning_rate=0.2, epochs=5, cosine=True, per_epoch=True)
    expected = [0.2, 0.1809016994, 0.1309016994, 0.0690983006, 0.0190983006]
    assert [cosine.rate(epoch * 3, 3) for epoch in range(5)] == pytest.approx(expected, abs=1e-10)


def test_a_step_outside_the_stage_is_refused() -> None:
    with pytest.raises(ValueError, match="2000"):
        schedule_of(PAPER).rate(2000, 10)
