"""The exercises that a reader has passed, kept in a small file beside the notebooks through every kernel restart."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from pathlib import Path

from bcl_edu.course.exercises.all_exercises import EXERCISES, OF_NOTEBOOK
from bcl_edu.course.outline import number_of
from bcl_edu.files import explain_error, write_atomically

REMEMBERED_IN = Path("exercises_passed.json")
"""In the folder where the kernel runs, which is that of the notebook. Delete the file to start afresh."""


@dataclass(frozen=True)
class Progress:
    """The exercises that were passed at least once; shown as a list by notebook when it ends a cell."""

    passed: frozenset[str]

    def of_notebook(self, exercise: str) -> str:
        """One sentence about the notebook to which an exercise belongs."""
        notebook, names = next(
            (notebook, names) for notebook, names in OF_NOTEBOOK.items() if exercise in names
        )
        done = [name for name in names if name in self.passed]
        left = [f"`{name}`" for name in names if name not in self.passed]
        still = f"; still open: {', '.join(left)}" if left else ""
        return f"{len(done)} of the {len(names)} checked exercises of notebook {number_of(notebook)} passed{still}."

    def __str__(self) -> str:
        lines = [f"{len(self.passed)} of {len(EXERCISES)} checked exercises passed"]
        width = max(map(len, OF_NOTEBOOK))
        for notebook, names in OF_NOTEBOOK.items():
            lines.append(
                f"  {notebook:<{width}}  " + "  ".join(f"{self._mark(name)} {name}" for name in names)
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        cell = '<td style="text-align: left">'
        rows = [
            f"<tr>{cell}{notebook}</td>{cell}"
            + " &nbsp; ".join(f"{self._mark(name)}&nbsp;<code>{html.escape(name)}</code>" for name in names)
            + "</td></tr>"
            for notebook, names in OF_NOTEBOOK.items()
        ]
        return (
            f"<p>{len(self.passed)} of {len(EXERCISES)} checked exercises passed (✓ passed, ○ open)</p>"
            f"<table><tbody>{''.join(rows)}</tbody></table>"
        )

    def _mark(self, name: str) -> str:
        return "✓" if name in self.passed else "○"


def progress() -> Progress:
    """The exercises passed so far in the notebooks of this folder.

    Raises:
        ValueError: the file that remembers it is damaged; it is left alone.
    """
    try:
        passed = json.loads(REMEMBERED_IN.read_text(encoding="utf-8"))["passed"]
        return Progress(frozenset(passed) & frozenset(EXERCISES))
    except FileNotFoundError:
        return Progress(frozenset())
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{REMEMBERED_IN.resolve()} does not list passed exercises ({error}); delete it to start afresh"
        ) from error


def remember(exercise: str) -> str:
    """Add an exercise to those passed, and say how far the reader has come in its notebook.

    Keeping it may fail, in a folder that cannot be written for example; the answer then says so, and nothing is raised:
    the exercise is passed all the same.
    """
    try:
        now = Progress(progress().passed | {exercise})
        content = json.dumps({"passed": [name for name in EXERCISES if name in now.passed]}, indent=2)
        write_atomically(REMEMBERED_IN, content.encode() + b"\n")
    except (OSError, ValueError) as error:
        return f"This could not be remembered: {explain_error(error)}"
    return now.of_notebook(exercise)
