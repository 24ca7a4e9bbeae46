"""What a reader has passed is remembered, and shown without a word about what the answer was."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bcl_edu.course.exercises import EXERCISES, check, progress
from bcl_edu.course.exercises.all_exercises import OF_NOTEBOOK
from bcl_edu.course.exercises.progress import REMEMBERED_IN
from tools.notebooks import twins


def passes(name: str) -> str:
    verdict = check(name, EXERCISES[name].reference)
    assert verdict.passed
    return verdict.lines[-1]


def test_a_notebook_has_the_exercises_that_it_checks() -> None:
    for path in twins():
        checked = re.findall(r'^check(?:_exercise)?\("(\w+)"', path.read_text(), flags=re.MULTILINE)
        assert checked == OF_NOTEBOOK.get(path.stem, [])


def test_the_verdict_says_how_far_the_notebook_is() -> None:
    assert re.match("1 of the 3 .* `is_regular_simplex`, `simplex_deviation`", passes("regular_simplex"))
    assert passes("simplex_deviation").startswith("2 of the 3")
    assert passes("simplex_deviation").startswith("2 of the 3")  # twice passed is passed once
    assert passes("is_regular_simplex").startswith("3 of the 3")
    assert passes("class_averaged_denominator").startswith("1 of the 1")
    assert progress().passed == {*OF_NOTEBOOK["03_regular_simplex"], "class_averaged_denominator"}


def test_an_answer_that_is_wrong_later_takes_nothing_back() -> None:
    passes("class_counts")
    assert not check("class_counts", lambda n_max, num_classes, imbalance_factor: 0).passed
    assert progress().passed == {"class_counts"}


def test_nothing_is_written_before_something_is_passed(folder: Path) -> None:
    check("class_counts", lambda n_max, num_classes, imbalance_factor: None)
    assert progress().passed == frozenset()
    assert list(folder.iterdir()) == []


def test_it_is_shown_by_notebook_as_text_and_as_a_table() -> None:
    passes("duality_gap")
    shown = str(progress())
    assert shown.startswith(f"1 of {len(EXERCISES)} checked exercises passed\n")
    assert "07_simplex_distortion                  ○ loss_at_collapse  ✓ duality_gap" in shown
    html = progress()._repr_html_()
    assert "✓&nbsp;<code>duality_gap</code>" in html
    assert "07_simplex_distortion" in html


@pytest.mark.parametrize("content", ["{", "[]", '{"passed": 3}', '{"done": []}'])
def test_a_damaged_file_is_named_and_left_alone(content: str) -> None:
    REMEMBERED_IN.write_text(content)
    with pytest.raises(ValueError, match=r"exercises_passed\.json .* delete it"):
        progress()
    assert passes("class_counts").startswith("This could not")
    assert REMEMBERED_IN.read_text() == content


def test_what_cannot_be_written_is_said_and_the_exercise_passes(folder: Path) -> None:
    (folder / f".{REMEMBERED_IN}.writing").mkdir()  # where the file would be written first
    assert passes("class_counts").startswith("This could not")
