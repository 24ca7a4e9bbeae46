"""Exercises of the notebooks: `check(name, function)` tries what a reader wrote and hints at what is wrong with it;
`progress()` shows which ones were passed."""

from bcl_edu.course.exercises.all_exercises import EXERCISES
from bcl_edu.course.exercises.checker import check
from bcl_edu.course.exercises.exercise import Case, Exercise, Mistake
from bcl_edu.course.exercises.progress import Progress, progress
from bcl_edu.course.exercises.verdict import Verdict

__all__ = ["EXERCISES", "Case", "Exercise", "Mistake", "Progress", "Verdict", "check", "progress"]
