"""All exercises by name."""

from __future__ import annotations

import difflib

from bcl_edu.exercises.contrastive import (
    CLASS_AVERAGED_DENOMINATOR,
    CLASS_COMPLEMENT,
    SUPERVISED_CONTRASTIVE_LOSS,
)
from bcl_edu.exercises.exercise import Exercise
from bcl_edu.exercises.long_tails import CLASS_COUNTS, LOGIT_COMPENSATION
from bcl_edu.exercises.optima import DUALITY_GAP, LOSS_AT_COLLAPSE
from bcl_edu.exercises.paths import CHANCE_TO_BE_MISSING, PAIR_PUSHES
from bcl_edu.exercises.simplex import IS_REGULAR_SIMPLEX, REGULAR_SIMPLEX, SIMPLEX_DEVIATION
from bcl_edu.exercises.theorems import ATTRACTION_AND_REPULSION, THEOREM_3_BOUND

_ALL = (
    CLASS_COUNTS,
    LOGIT_COMPENSATION,
    REGULAR_SIMPLEX,
    IS_REGULAR_SIMPLEX,
    SIMPLEX_DEVIATION,
    SUPERVISED_CONTRASTIVE_LOSS,
    ATTRACTION_AND_REPULSION,
    CLASS_AVERAGED_DENOMINATOR,
    CLASS_COMPLEMENT,
    THEOREM_3_BOUND,
    LOSS_AT_COLLAPSE,
    DUALITY_GAP,
    PAIR_PUSHES,
    CHANCE_TO_BE_MISSING,
)

EXERCISES: dict[str, Exercise] = {exercise.name: exercise for exercise in _ALL}
"""Every exercise by its name, in the order of the notebooks."""


def exercise_named(name: str) -> Exercise:
    """The exercise of that name.

    Raises:
        ValueError: there is none; the message has the nearest name and all of them.
    """
    if name in EXERCISES:
        return EXERCISES[name]
    near = difflib.get_close_matches(str(name), EXERCISES, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"there is no exercise {name!r}{guess} There are: {', '.join(EXERCISES)}")
