"""A verdict follows from cases and failures, and from nothing else."""

import pytest

from bcl_edu.course.claims import Evidence, Verdict
from bcl_edu.course.claims.claim import evidence, evidence_under


def test_without_a_failure_a_statement_is_true() -> None:
    assert evidence([True, True], "").verdict is Verdict.TRUE


def test_with_a_failure_it_is_false() -> None:
    assert evidence([True, False, True], "").verdict is Verdict.FALSE


def test_runs_that_fail_do_not_make_a_statement_false() -> None:
    assert evidence([True, False], "", from_runs=True).verdict is Verdict.NOT_REPRODUCED
    assert evidence([True, True], "", from_runs=True).verdict is Verdict.TRUE


def test_failures_outside_a_condition_make_it_conditional() -> None:
    found = evidence_under("equal counts", [True, False, True], [True, False, False], "")
    assert found.verdict is Verdict.CONDITION
    assert (found.cases_within, found.failures_within) == (1, 0)


def test_a_failure_under_the_condition_makes_it_false() -> None:
    assert evidence_under("equal counts", [False, True], [True, True], "").verdict is Verdict.FALSE


def test_a_condition_that_no_case_meets_saves_nothing() -> None:
    assert evidence_under("equal counts", [False, True], [False, False], "").verdict is Verdict.FALSE


def test_without_cases_it_is_open() -> None:
    assert Evidence(0, 0, "", needs="a full training run").verdict is Verdict.OPEN


def test_no_cases_and_nothing_missing_is_no_evidence() -> None:
    with pytest.raises(ValueError, match="say in `needs`"):
        evidence([], "")


@pytest.mark.parametrize("numbers", [(1, 2, 0, 0), (3, 1, 4, 0), (3, 1, 1, 2), (3, 0, 1, 1), (-1, 0, 0, 0)])
def test_a_part_larger_than_its_whole_is_refused(numbers: tuple[int, int, int, int]) -> None:
    cases, failures, within, failed_within = numbers
    with pytest.raises(ValueError, match="larger than its whole"):
        Evidence(cases, failures, "", "condition", within, failed_within, needs="something")
