"""`check`: try a reader's function against the reference and say what kind of mistake it makes."""

from __future__ import annotations

from bcl_edu.course.exercises.all_exercises import exercise_named
from bcl_edu.course.exercises.diagnosis import general_hints, known_mistake, score
from bcl_edu.course.exercises.exercise import Exercise, Function
from bcl_edu.course.exercises.progress import remember
from bcl_edu.course.exercises.trial import Trial, try_function, why_not_callable
from bcl_edu.course.exercises.verdict import Verdict


def check(name: str, function: Function) -> Verdict:
    """Try a function on hidden cases, and hint at what kind of mistake it makes.

    The cases are random, but the same every time: the verdict depends on the function alone, also after the
    kernel was restarted. That an exercise was passed is remembered (see `progress`).

    Args:
        name: of the exercise, one of `EXERCISES`.
        function: written by the reader; called with the arguments that the exercise names, by position.

    Returns:
        Passed, or a hint. Neither holds a solution. Show it by ending the cell with the call.

    Raises:
        ValueError: there is no such exercise. Nothing that the function raises comes out.
    """
    exercise = exercise_named(name)
    complaint = why_not_callable(exercise, function)
    if complaint:
        return Verdict(name, "wrong", (complaint,))

    trials = [try_function(exercise, function, case) for case in exercise.cases]
    if all(trial.right for trial in trials):
        return Verdict(
            name,
            "passed",
            (
                f"Right in all {len(trials)} cases. One way to write it: `solutions/{name}.py`, beside the notebooks.",
                remember(name),
            ),
        )
    if all(trial.kind == "unwritten" for trial in trials):
        return Verdict(name, "open", (f"To write: {exercise.task}", "So far the function returns nothing."))
    return Verdict(name, "wrong", tuple(_lines(exercise, trials)))


def _lines(exercise: Exercise, trials: list[Trial]) -> list[str]:
    mistake = known_mistake(exercise, trials)
    if mistake is not None:
        return [mistake.hint, score(trials)]
    without_answer = [trial for trial in trials if trial.answer is None]
    if not without_answer:
        return [*general_hints(exercise, trials), score(trials)]

    first = without_answer[0]
    lines = [f"{first.problem} This is where {first.case.about}."]
    if all(trial.kind == "not finite" for trial in without_answer) and len(without_answer) < len(trials):
        lines.append(
            "A formula can be right and its numbers too large on the way: how large does an exponential get here?"
        )
    return [*lines, score(trials)]
