"""The answers to questions that no check decides still hold."""

import math
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bcl_edu.rows import METHODS

SOLUTIONS = Path(__file__).resolve().parents[3] / "notebooks" / "solutions"


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


def test_the_print_of_equation_3_is_right_only_where_the_theorem_is_far_from_the_loss() -> None:
    holds = answers("04")["when_the_print_is_right"](60)
    assert holds[0.1] > 0.15
    assert holds[1.0] == 0


def test_no_loss_reaches_the_bound_from_above() -> None:
    assert max(answers("04")["how_close_to_the_upper_bound"](60).values()) < 1


def test_a_near_class_needs_no_numbers_to_push_under_averaging() -> None:
    assert answers("05")["near_or_many"](0.1) == pytest.approx(0.1 * math.log(8))


def test_collapsed_classes_lose_only_across_classes() -> None:
    second, third = answers("05")["only_the_second_step"]()
    assert second == pytest.approx(0.436, abs=0.001)
    assert third < 1e-3


def test_without_the_reduced_mask_a_class_of_two_is_below_the_bound_for_every_number_of_classes() -> None:
    result = answers("05")["how_bad_is_the_mistake"]()
    assert all(slip < bound for slip, bound in result.values())
    assert result[3][0] == pytest.approx(math.log(0.5 + 2 * math.exp(-1.5)))


def test_two_tail_classes_merge_from_a_head_of_34_on() -> None:
    assert answers("06")["smallest_head_that_merges"]() == (34, pytest.approx(33.985, abs=0.001))


def test_only_equal_weights_leave_the_simplex_at_rest() -> None:
    half_a_correction = answers("06")["half_a_correction"]
    assert half_a_correction(0.0) == pytest.approx((0, 0), abs=1e-6)
    half, none = half_a_correction(0.5), half_a_correction(1.0)
    assert 0.03 < half[0] < 0.5 * none[0]
    assert 0.2 < half[1] < none[1]


def test_the_optimum_of_bcl_loses_a_dimension_before_its_smallest_classes_meet() -> None:
    factor, angle = answers("07")["first_lost_dimension"]()
    assert factor == 27
    assert angle == pytest.approx(8.9, abs=0.1)


def test_the_square_root_of_the_class_sizes_leaves_less_than_half_of_the_deviation() -> None:
    weight_between = answers("07")["a_weight_between"]
    assert weight_between(0.0) < 1e-6
    assert weight_between(0.5) / weight_between(1.0) == pytest.approx(0.43, abs=0.01)


def test_bcl_is_nearer_in_batches_of_half_the_data_and_no_longer_in_whole_ones() -> None:
    ahead = answers("08")["where_scl_catches_up"](0.3, (64, 120))
    assert ahead[64] > 0.01
    assert ahead[120] < -0.005


def test_equal_classes_leave_the_cone_alike_under_scl_and_bcl() -> None:
    equal, unequal = answers("08")["equal_classes_in_a_cone"]()
    assert equal < 0.05
    assert unequal > 0.1


def test_random_batches_would_have_believed_theorem_3() -> None:
    found = answers("09")["theorem_3_on_random_batches"]()
    assert (found.cases, found.failures) == (150, 0)


def test_theorem_2_is_attained_at_collapsed_simplices_and_not_by_scattered_samples() -> None:
    found = answers("09")["theorem_2_is_attained"]()
    assert found.cases > 50
    assert found.failures == 0


def test_the_tables_would_take_this_machine_more_than_a_week() -> None:
    assert answers("09")["days_of_training"]() > 7


@pytest.fixture
def registered_methods_are_forgotten() -> Iterator[None]:
    before = dict(METHODS)
    yield
    METHODS.clear()
    METHODS.update(before)


@pytest.mark.usefixtures("registered_methods_are_forgotten")
def test_bcl_trains_with_margins_on_its_classifier_branch() -> None:
    of_bcl, with_margins = answers("14")["with_and_without_margins"]((0,), epochs=1).values()
    assert of_bcl[0].keys() == with_margins[0].keys()
    assert with_margins[0]["top1"] > 10


def test_the_two_that_take_the_mean_inside_are_ahead_of_bcl_by_more_than_two_standard_errors() -> None:
    leads = answers("14")["leads_over_bcl"]()
    assert {name for name, lead in leads.items() if lead > 2} == {"bcl-in-log", "bcl-in-log-prior"}
