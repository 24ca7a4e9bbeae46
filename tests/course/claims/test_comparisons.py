"""Claims about the printed figures: against the rows that the project prints, and case by case."""

import pytest

from bcl_edu.course.claims import CLAIMS, Verdict, check
from bcl_edu.course.claims.about_comparisons import (
    BEST_OF_THE_OTHERS,
    BEST_OF_THE_OTHERS_BY_GROUP,
    QUOTED,
    RERUN,
)
from bcl_edu.rows import ROWS


def test_the_figures_of_bcl_are_those_of_the_rows() -> None:
    printed = {row.paper.top1 for row in ROWS.values() if row.paper is not None}
    for one in BEST_OF_THE_OTHERS:
        assert one.bcl in printed


def test_the_only_exception_over_all_classes_is_a_tie() -> None:
    checked = check(CLAIMS["consistently-better"])
    assert (checked.verdict, checked.evidence.failures) == (Verdict.FALSE, 1)
    (tie,) = [one for one in BEST_OF_THE_OTHERS if one.bcl <= one.other]
    assert (tie.bcl, tie.other, tie.method) == (91.12, 91.12, "Hybrid-SC")


def test_two_groups_are_better_under_other_methods() -> None:
    better = {one.method for one in BEST_OF_THE_OTHERS_BY_GROUP if one.other > one.bcl}
    assert better == {"RIDE", "PaCo"}
    assert check(CLAIMS["every-group"]).evidence.failures == 2


def test_the_stated_gains_are_differences_of_printed_figures() -> None:
    assert check(CLAIMS["gains"]).verdict is Verdict.TRUE


def test_three_of_the_figures_looked_up_are_not_those_of_their_source() -> None:
    assert sum(one.printed != one.original for one in QUOTED) == 3
    assert check(CLAIMS["quoted"]).evidence.failures == 3


def test_two_rows_marked_as_rerun_have_the_figures_of_earlier_tables() -> None:
    assert [one.method for one in RERUN if one.printed == one.earlier] == [
        "focal loss, 90 epochs",
        "Balanced Softmax, 90 epochs",
    ]


def test_two_methods_of_table_5_train_longer() -> None:
    checked = check(CLAIMS["epochs"])
    assert checked.evidence.failures == 2
    assert checked.evidence.found == "longer: SSP 300, KCL 200"


def test_the_paper_prints_one_figure_for_one_recipe() -> None:
    assert check(CLAIMS["consistent-tables"]).verdict is Verdict.TRUE


@pytest.mark.parametrize("one", BEST_OF_THE_OTHERS + BEST_OF_THE_OTHERS_BY_GROUP, ids=lambda one: one.where)
def test_figures_are_percentages(one: tuple) -> None:
    assert 0 < one.bcl < 100
    assert 0 < one.other < 100
