import pytest

from bcl_edu.course.widgets import method_chooser
from bcl_edu.course.widgets.method_chooser import NONE
from tests.course.figures.test_method_figures import runs

RUNS = {"ce": runs(60, 62), "bcl": runs(70, 74), "ssp": runs(61, 62)}


def test_the_figure_shows_the_methods_that_are_chosen() -> None:
    box, _, _, shown = method_chooser(RUNS, "ce", "bcl").children
    first, _, third = box.children

    def drawn() -> list[str]:
        return [trace.name for trace in shown.figure.data if trace.showlegend]

    assert drawn() == ["ce", "bcl"]
    third.value = "ssp"
    assert drawn() == ["ce", "bcl", "ssp"]
    first.value, third.value = "ssp", NONE
    assert drawn() == ["ssp", "bcl"]


def test_a_method_that_is_chosen_twice_is_drawn_once() -> None:
    box, errors, words, shown = method_chooser(RUNS, "ce", "bcl").children
    box.children[1].value = "ce"
    assert [trace.name for trace in shown.figure.data if trace.showlegend] == ["ce"]
    assert words.value.count("minus") == 0
    assert errors.value == ""


def test_differences_are_told_with_their_standard_error() -> None:
    _, _, words, _ = method_chooser(RUNS, "bcl", "ce", "ssp").children
    assert "bcl minus ce: +11.0 ± 1.0 points" in words.value
    assert words.value.count("more than two") == 2  # 11 ± 1 and 10.5 ± 1.5
    assert "ce minus ssp: -0.5 ± 0.5" in words.value
    assert "within two" in words.value


def test_a_method_without_runs_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'proco'.* ce, bcl, ssp"):
        method_chooser(RUNS, "ce", "proco")
