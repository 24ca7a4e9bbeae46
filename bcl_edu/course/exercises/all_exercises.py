"""All exercises by name."""

from __future__ import annotations

import difflib

from bcl_edu.course.exercises.combination_exercises import MARGIN_LOSS
from bcl_edu.course.exercises.exercise import Exercise
from bcl_edu.course.exercises.long_tail_exercises import CLASS_COUNTS, LOGIT_COMPENSATION
from bcl_edu.course.exercises.loss_exercises import (
    CLASS_AVERAGED_DENOMINATOR,
    CLASS_COMPLEMENT,
    SUPERVISED_CONTRASTIVE_LOSS,
)
from bcl_edu.course.exercises.method_exercises import POSITIVES
from bcl_edu.course.exercises.optimum_exercises import DUALITY_GAP, LOSS_AT_COLLAPSE
from bcl_edu.course.exercises.path_exercises import CHANCE_TO_BE_MISSING, PAIR_PUSHES
from bcl_edu.course.exercises.run_exercises import (
    AHEAD_FROM,
    COSINE_SCHEDULE,
    COUNT_FAILURES,
    PAIRED_DIFFERENCE,
    SHARE_OF_ABSENT,
    SHOT_ACCURACY,
)
from bcl_edu.course.exercises.simplex_exercises import (
    CLASS_MEAN_COSINES,
    IS_REGULAR_SIMPLEX,
    REGULAR_SIMPLEX,
    SIMPLEX_DEVIATION,
)
from bcl_edu.course.exercises.theorem_exercises import ATTRACTION_AND_REPULSION, THEOREM_3_BOUND

_IN_NOTEBOOKS = {
    "01_first_look": (CLASS_MEAN_COSINES,),
    "01b_the_method_on_the_page": (POSITIVES,),
    "02_long_tails": (CLASS_COUNTS, LOGIT_COMPENSATION),
    "03_regular_simplex": (IS_REGULAR_SIMPLEX, REGULAR_SIMPLEX, SIMPLEX_DEVIATION),
    "04_theorem_1_attraction_and_repulsion": (ATTRACTION_AND_REPULSION, SUPERVISED_CONTRASTIVE_LOSS),
    "05_theorem_2_class_averaging": (CLASS_AVERAGED_DENOMINATOR,),
    "06_theorem_3_class_complement": (THEOREM_3_BOUND, CLASS_COMPLEMENT),
    "07_simplex_distortion": (LOSS_AT_COLLAPSE, DUALITY_GAP),
    "08_how_training_gets_there": (PAIR_PUSHES, CHANCE_TO_BE_MISSING),
    "08b_trained_networks": (AHEAD_FROM,),
    "09_claims_of_the_paper": (COUNT_FAILURES,),
    "10_cifar_lt": (SHOT_ACCURACY,),
    "11_imagenet_lt": (COSINE_SCHEDULE,),
    "12_inaturalist": (SHARE_OF_ABSENT,),
    "13_ablations": (PAIRED_DIFFERENCE,),
    "14_what_each_method_changes": (MARGIN_LOSS,),
}

EXERCISES: dict[str, Exercise] = {
    exercise.name: exercise for exercises in _IN_NOTEBOOKS.values() for exercise in exercises
}
"""Every exercise by its name, in the order of the notebooks."""

OF_NOTEBOOK: dict[str, list[str]] = {
    notebook: [exercise.name for exercise in exercises] for notebook, exercises in _IN_NOTEBOOKS.items()
}
"""The names of each notebook's exercises, as they come in it."""


def exercise_named(name: str) -> Exercise:
    """The exercise of that name.

    Raises:
        ValueError: there is none; the message has the nearest name and all of them.
    """
    if name in EXERCISES:
        return EXERCISES[name]
    near = difflib.get_close_matches(str(name), EXERCISES, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else "."
    raise ValueError(f"there is no exercise {name!r}{guess} There are: {', '.join(EXERCISES)}.")
