"""Exercises on the lower bounds: Theorem 1's two forces, and Theorem 3 as it is true (notebooks 04 and 06)."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from bcl_edu.course.exercises.exercise import Case, Exercise, Mistake
from bcl_edu.course.exercises.loss_exercises import batch
from bcl_edu.course.exercises.points import at
from bcl_edu.geometry import simplex_value, theorem_1

# ---- Theorem 1: attraction and repulsion


def forces_with(
    embeddings: Tensor,
    labels: Tensor,
    *,
    attraction: Literal["others", "with itself", "itself in the divisor", "summed"] = "others",
    repulsion: Literal["other classes", "class means", "all others", "all", "summed"] = "other classes",
    swapped: bool = False,
    negated: bool = False,
) -> tuple[Tensor, Tensor]:
    """Both terms of Theorem 1 for every anchor, or a wrong variant of them for each choice that is not the first."""
    similarity = embeddings @ embeddings.T
    same = labels[:, None] == labels[None, :]
    itself = torch.eye(len(labels), dtype=torch.bool)

    own = same if attraction == "with itself" else same & ~itself
    divisor = {"summed": torch.ones(len(labels)), "itself in the divisor": same.sum(dim=1)}.get(
        attraction, own.sum(dim=1)
    )
    attracts = similarity.masked_fill(~own, 0).sum(dim=1) / divisor

    if repulsion == "class means":
        classes = labels.unique()
        to_class = torch.stack([similarity[:, labels == k].mean(dim=1) for k in classes], dim=1)
        of_own = labels[:, None] == classes[None, :]
        repels = to_class.masked_fill(of_own, 0).sum(dim=1) / (~of_own).sum(dim=1)
    else:
        against = {"all others": ~itself, "all": torch.ones_like(same)}.get(repulsion, ~same)
        number = torch.ones(len(labels)) if repulsion == "summed" else against.sum(dim=1)
        repels = similarity.masked_fill(~against, 0).sum(dim=1) / number

    if negated:
        repels = -repels
    return (repels, attracts) if swapped else (attracts, repels)


def _two_terms(embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    bound = theorem_1(embeddings, labels)
    return bound.attraction, bound.repulsion


def _forces(name: str, hint: str, **variant: Any) -> Mistake:
    return Mistake(name, hint, partial(forces_with, **variant))


ATTRACTION_AND_REPULSION = Exercise(
    name="attraction_and_repulsion",
    task="the two terms in the exponent of Theorem 1, for every anchor: its mean similarity to the other samples of "
    "its class, and to the samples of other classes (no temperature).",
    arguments=("embeddings", "labels"),
    returns="two tensors of shape (n,)",
    parts=("attraction", "repulsion"),
    reference=_two_terms,
    by_hand=Case(
        "two samples of class 0 are at 0° and 60°, one of class 1 at 180° and another at 240°",
        (at(0, 60, 180, 240), torch.tensor([0, 0, 1, 1])),
    ),
    hidden=lambda: [
        Case("classes are equal in size", batch("forces, equal", [3, 3, 3])),
        Case("one class is larger than the others", batch("forces, unequal", [7, 3, 2])),
        Case("not every class is in the batch", batch("forces, absent", [4, 0, 2, 5])),
        Case("there are two classes", batch("forces, two", [2, 6])),
    ],
    mistakes=(
        _forces(
            "swapped",
            "Both terms are right, in the wrong order.",
            swapped=True,
        ),
        _forces(
            "negated repulsion",
            "The attraction is right. The repulsion has the wrong sign: it is a mean similarity like the other.",
            negated=True,
        ),
        _forces(
            "attracted by itself",
            "The repulsion is right. The anchor attracts itself: who are the positives of an anchor?",
            attraction="with itself",
        ),
        _forces(
            "divided by |B_y|",
            "The repulsion is right. The attraction sums the right samples, but how many are they?",
            attraction="itself in the divisor",
        ),
        _forces(
            "attraction summed",
            "The repulsion is right. The attraction is a sum; the theorem has a mean.",
            attraction="summed",
        ),
        _forces(
            "averaged by class",
            "The attraction is right. In your repulsion every class has the same weight: that is Theorem 2. What has "
            "the same weight in Theorem 1?",
            repulsion="class means",
        ),
        _forces(
            "repelled by its own class",
            "The attraction is right. In your repulsion the anchor is also repelled by its own class.",
            repulsion="all others",
        ),
        _forces(
            "repelled by everything",
            "The attraction is right. In your repulsion the anchor is also repelled by its own class, even by itself.",
            repulsion="all",
        ),
        _forces(
            "repulsion summed",
            "The attraction is right. The repulsion is a sum; the theorem has a mean.",
            repulsion="summed",
        ),
        _forces(
            "both summed",
            "Both terms are sums; the theorem has means.",
            attraction="summed",
            repulsion="summed",
        ),
    ),
)


# ---- Theorem 3 with class-averaged anchors: one number, since the bound knows K and tau only


def theorem_3_with(
    num_classes: int,
    temperature: float,
    *,
    scaled: bool = True,
    others: Literal["K - 1", "K"] = "K - 1",
    exponent: Literal["-K / (K - 1)", "K / (K - 1)", "-(K - 1) / K", "-1 / (K - 1)", "-1"] = "-K / (K - 1)",
    one_plus: bool = True,
    over_classes: Literal["averaged", "added"] = "averaged",
) -> float:
    """log(1 + (K - 1) exp(-K / ((K - 1) tau))), or a wrong variant for each choice that is not the first."""
    k = num_classes
    power = {
        "-K / (K - 1)": -k / (k - 1),
        "K / (K - 1)": k / (k - 1),
        "-(K - 1) / K": -(k - 1) / k,
        "-1 / (K - 1)": -1 / (k - 1),
        "-1": -1.0,
    }[exponent] / (temperature if scaled else 1.0)
    rivals = (k - 1 if others == "K - 1" else k) * math.exp(power)
    bound = math.log1p(rivals) if one_plus else math.log(rivals)
    return k * bound if over_classes == "added" else bound


def _bound(name: str, hint: str, **variant: Any) -> Mistake:
    return Mistake(name, hint, partial(theorem_3_with, **variant))


THEOREM_3_BOUND = Exercise(
    name="theorem_3_bound",
    task="the least value that the class-averaged loss can have when its anchors are averaged within each class first, "
    "and then over the K classes.",
    arguments=("num_classes", "temperature"),
    returns="one number",
    reference=simplex_value,
    by_hand=Case("there are two classes, and the temperature is 1", (2, 1.0)),
    hidden=lambda: [
        Case("there are three classes, and the temperature is 1", (3, 1.0)),
        Case("there are ten classes, and the temperature is 0.5", (10, 0.5)),
        Case("there are 100 classes, and the temperature is 0.3", (100, 0.3)),
        Case("there are five classes, and the temperature is 2", (5, 2.0)),
    ],
    mistakes=(
        _bound(
            "classes added up",
            "This is the sum over all classes. How are they brought together here?",
            over_classes="added",
        ),
        _bound(
            "temperature forgotten",
            "Right at temperature 1 only: the temperature has no effect on your answer.",
            scaled=False,
        ),
        _bound(
            "K rivals",
            "The anchor's own class is counted twice. How many other classes repel an anchor?",
            others="K",
        ),
        _bound(
            "sign of the exponent",
            "Your bound is larger than the loss of a perfect simplex. Is repulsion minus attraction positive or "
            "negative there?",
            exponent="K / (K - 1)",
        ),
        _bound(
            "fraction upside down",
            "The exponent is repulsion minus attraction at the regular simplex. Is your fraction the right way up?",
            exponent="-(K - 1) / K",
        ),
        _bound(
            "repulsion only",
            "The exponent has the cosine of the simplex. What about the attraction of collapsed classes?",
            exponent="-1 / (K - 1)",
        ),
        _bound(
            "attraction only",
            "The exponent has the attraction of collapsed classes. What about the cosine between them?",
            exponent="-1",
        ),
        _bound(
            "own class missing",
            "In your bound the denominator has only the other classes. Which term belongs to the anchor's own class?",
            one_plus=False,
        ),
    ),
)
