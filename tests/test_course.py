"""The course: its file, the notebooks it names, and the tables that are made from it."""

from pathlib import Path

import nbformat
import pytest

from bcl_edu.course.exercises import Progress
from bcl_edu.course.outline import FILE_NAME, course_map, number_of, read_course, short_table
from tools.notebooks import NOTEBOOKS, from_twin, twin_of, twins

LESSONS = read_course(NOTEBOOKS)
START = "00_start_here"


def test_every_notebook_is_in_the_course_and_the_other_way_round() -> None:
    assert [START, *(lesson.name for lesson in LESSONS)] == [twin.stem for twin in twins()]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_notebook_says_at_its_top_how_long_it_takes_and_what_it_needs(lesson: object) -> None:
    first = from_twin(twin_of(NOTEBOOKS / f"{lesson.name}.ipynb")).cells[0].source  # type: ignore[attr-defined]
    assert "of computing" in first
    assert "of reading" in first
    for need in lesson.needs:  # type: ignore[attr-defined]
        assert f"notebook {number_of(need)}" in first or f"[{need}]" in first or f"({need}.ipynb)" in first


def test_a_lesson_is_a_row_with_a_link(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(
        '[01_one]\nquestion="Why?"\ncomputing=0.5\nreading=9\nyou_can="say why"\nneeds=[]\n'
        '[02_two]\nquestion="How?"\ncomputing=1\nreading=8\nyou_can="show how"\nneeds=["01_one"]\n'
    )
    one, two = read_course(tmp_path)
    assert course_map([one, two]).splitlines()[2:] == [
        "| [01_one](01_one.ipynb) | Why? | 0.5 + 9 | say why | – |",
        "| [02_two](02_two.ipynb) | How? | 1 + 8 | show how | 01 |",
    ]
    assert short_table([two]).splitlines()[2] == "| [02_two](notebooks/02_two.ipynb) | show how |"


def test_a_lesson_cannot_need_what_comes_later(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(
        '[01_one]\nquestion="Why?"\ncomputing=1\nreading=9\nyou_can="say why"\nneeds=["02_two"]\n'
    )
    with pytest.raises(ValueError, match="01_one needs 02_two"):
        read_course(tmp_path)


def test_an_incomplete_entry_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('[01_one]\nquestion="Why?"\nneeds=[]\n')
    with pytest.raises(ValueError, match="01_one has missing or unknown"):
        read_course(tmp_path)


def test_the_stored_map_has_every_notebook_and_every_exercise() -> None:
    stored = nbformat.read(NOTEBOOKS / f"{START}.ipynb", as_version=4)
    texts = [
        text
        for cell in stored.cells
        for output in cell.get("outputs", ())
        for text in output.get("data", {}).values()
    ]
    assert course_map(LESSONS) in texts
    assert str(Progress(frozenset())) in texts


def test_the_readme_has_the_table_of_this_course() -> None:
    readme = (NOTEBOOKS.parent / "README.md").read_text("utf-8")
    assert short_table(LESSONS) in readme
