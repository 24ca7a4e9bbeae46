"""From what a function answered to a hint about what kind of mistake it makes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bcl_edu.course.exercises.answers import Unusable, given_answer, same
from bcl_edu.course.exercises.exercise import Exercise, Mistake
from bcl_edu.course.exercises.trial import Trial

MOST_NUMBERS = 12
"""Answers with more numbers are not written out."""


def known_mistake(exercise: Exercise, trials: Sequence[Trial]) -> Mistake | None:
    """The first known mistake that gives all the answers given, if any of them is wrong."""
    answered = [trial for trial in trials if trial.answer is not None]
    if all(trial.right for trial in answered):
        return None
    return next(
        (m for m in exercise.mistakes if all(_explains(exercise, m, trial) for trial in answered)), None
    )


def general_hints(exercise: Exercise, trials: Sequence[Trial]) -> list[str]:
    """Hints on answers that no known mistake explains, the most telling first."""
    wrong = [trial for trial in trials if trial.answer is not None and not trial.right]
    hints = [
        _remark(exercise, wrong),
        _pattern(wrong) if exercise.one_right_answer else "",
        _right_and_wrong(trials),
    ]
    first = trials[0]
    if first.answer is not None and not first.right and first.expected.numel() <= MOST_NUMBERS:
        which = "the answer" if exercise.one_right_answer else "one right answer"
        hints.append(
            f"With pencil and paper: where {first.case.about}, {which} is {_written(first.expected)}; "
            f"yours is {_written(first.answer)}."
        )
    return [hint for hint in hints if hint]


def score(trials: Sequence[Trial]) -> str:
    """In how many cases the function is right."""
    return f"Right in {sum(trial.right for trial in trials)} of {len(trials)} cases."


def _explains(exercise: Exercise, mistake: Mistake, trial: Trial) -> bool:
    try:
        theirs = given_answer(exercise, mistake.answer, trial.case)
    except Unusable:
        return False
    assert trial.answer is not None, "only answered trials are explained"
    return same(exercise.compared(theirs), exercise.compared(trial.answer))


def _remark(exercise: Exercise, wrong: Sequence[Trial]) -> str:
    """The exercise's own remark on the first wrong answer that it has one for; empty without one."""
    for trial in wrong:
        remark = exercise.remark(trial.answer) if trial.answer is not None else ""
        if remark:
            return f"{remark} This is where {trial.case.about}."
    return ""


def _pattern(wrong: Sequence[Trial]) -> str:
    """A simple relation that holds between answers and expectations in every wrong case."""
    pairs = [(trial.answer, trial.expected) for trial in wrong if trial.answer is not None]
    if not pairs:
        return ""
    if all(same(ours, -theirs) for ours, theirs in pairs):
        return "The size is right, the sign is not."
    if pairs[0][1].ndim and all(same(ours, theirs.flip(-1)) for ours, theirs in pairs):
        return "The numbers are right, but in reverse order."
    if pairs[0][1].ndim and all(same(ours.sort().values, theirs.sort().values) for ours, theirs in pairs):
        return "The numbers are right, but not at their places."
    factors = torch.cat([(ours / theirs).flatten() for ours, theirs in pairs])
    if _constant(factors):
        return f"Every wrong answer is {float(factors[0]):.3g} times what it should be."
    offsets = torch.cat([(ours - theirs).flatten() for ours, theirs in pairs])
    if _constant(offsets):
        return f"Every wrong answer is {float(offsets[0]):+.3g} off."
    return ""


def _constant(values: Tensor) -> bool:
    """True if several numbers are one and the same, and finite."""
    return len(values) > 1 and bool(values.isfinite().all()) and same(values, values[:1].expand_as(values))


def _right_and_wrong(trials: Sequence[Trial]) -> str:
    """The right cases, where only some are right: what they have in common is the hint."""
    right = [trial.case.about for trial in trials if trial.right]
    wrong = [trial.case.about for trial in trials if not trial.right]
    if not right or not wrong:
        return ""
    return f"Right where {'; where '.join(right)}. Wrong where {'; where '.join(wrong)}."


def _written(answer: Tensor) -> str:
    if answer.ndim == 0:
        return f"{float(answer):.5g}"
    return "[" + ", ".join(_written(row) for row in answer) + "]"
