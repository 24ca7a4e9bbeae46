"""The notebooks as a course: which question each answers, how long it takes, and what it builds on."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FILE_NAME = "course.toml"


@dataclass(frozen=True)
class Lesson:
    """One notebook.

    Attributes:
        name: of its file, without .ipynb.
        question: what it answers.
        computing: minutes to run it whole on two CPU cores.
        reading: minutes to read it.
        you_can: what a reader can do afterwards.
        needs: names of earlier notebooks that it builds on.
    """

    name: str
    question: str
    computing: float
    reading: int
    you_can: str
    needs: tuple[str, ...]

    @property
    def number(self) -> str:
        """Number in front of its name: two digits, and a letter for a second part."""
        return number_of(self.name)


def number_of(name: str) -> str:
    """The number of a notebook of that name: 08 of 08_how_training_gets_there, 08b of 08b_trained_networks."""
    return name.split("_", 1)[0]


def read_course(folder: Path | str = ".") -> list[Lesson]:
    """The lessons that `course.toml` in the notebooks' folder describes, in its order.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: an entry is incomplete, or builds on a notebook that does not come before it.
    """
    path = Path(folder) / FILE_NAME
    lessons: list[Lesson] = []
    for name, entry in tomllib.loads(path.read_text("utf-8")).items():
        try:
            lesson = Lesson(name, **entry | {"needs": tuple(entry["needs"])})
        except (TypeError, KeyError) as error:
            raise ValueError(f"{path}: the entry {name} has missing or unknown keys ({error})") from None
        unknown = set(lesson.needs) - {earlier.name for earlier in lessons}
        if unknown:
            raise ValueError(f"{path}: {name} needs {', '.join(sorted(unknown))}, which does not come before")
        lessons.append(lesson)
    return lessons


def course_map(lessons: Sequence[Lesson]) -> str:
    """The course as a table in Markdown, with links that work beside the notebooks."""
    rows = [
        f"| [{lesson.name}]({lesson.name}.ipynb) | {lesson.question} | {lesson.computing:g} + {lesson.reading} "
        f"| {lesson.you_can} | {', '.join(number_of(need) for need in lesson.needs) or '–'} |"
        for lesson in lessons
    ]
    head = "| notebook | question | minutes: computing + reading | afterwards you can | needs |"
    return "\n".join([head, "|---|---|---|---|---|", *rows])


def short_table(lessons: Sequence[Lesson], folder: str = "notebooks") -> str:
    """The table of a README: notebook, and what a reader can do afterwards."""
    rows = [f"| [{lesson.name}]({folder}/{lesson.name}.ipynb) | {lesson.you_can} |" for lesson in lessons]
    return "\n".join(["| notebook | what you can do afterwards |", "|---|---|", *rows])
