"""Exercises on the path of training: what pushes in the beginning, and which classes a batch misses (notebook 08)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from bcl_edu.course.exercises.exercise import Case, Exercise, Mistake

# ---- the push between two classes where all embeddings are at one point


def pair_pushes_with(
    class_counts: Sequence[int],
    temperature: float,
    *,
    shares: Literal["K", "K - 1", "samples"] = "K",
    anchors: Literal["samples", "classes", "summed"] = "samples",
    sides: Literal["both", "one", "mean of both"] = "both",
    scaled: bool = True,
    diagonal: bool = False,
) -> Tensor:
    """(p_i + p_j) / (K tau) for i != j, or a wrong variant of it for each choice that is not the first."""
    counts = torch.tensor(class_counts, dtype=torch.float64)
    classes = len(counts)
    weight = {
        "samples": counts / counts.sum(),
        "classes": torch.full_like(counts, 1 / classes),
        "summed": counts,
    }[anchors]
    share = {
        "K": torch.full_like(counts, 1 / classes),
        "K - 1": torch.full_like(counts, 1 / (classes - 1)),
        "samples": counts / (counts.sum() - 1),
    }[shares]
    push = weight[:, None] * share[None, :] / (temperature if scaled else 1.0)
    if sides != "one":
        push = (push + push.T) / (2 if sides == "mean of both" else 1)
    return push if diagonal else push.fill_diagonal_(0)


def _pushes(name: str, hint: str, **variant: Any) -> Mistake:
    return Mistake(name, hint, partial(pair_pushes_with, **variant))


PAIR_PUSHES = Exercise(
    name="pair_pushes",
    task="how hard BCL pushes each two classes apart while all embeddings and prototypes are still at one point: the "
    "derivative of the mean loss of the full batch with respect to the cosine between their class means, and 0 on the "
    "diagonal.",
    arguments=("class_counts", "temperature"),
    returns="a symmetric matrix of shape (K, K)",
    reference=pair_pushes_with,
    by_hand=Case("the classes have 2, 1 and 1 samples and the temperature is 1", ([2, 1, 1], 1.0)),
    hidden=lambda: [
        Case("all classes are equally large", ([5, 5, 5, 5], 0.5)),
        Case("the largest class has a hundred samples and the smallest one", ([100, 10, 1], 1.0)),
        Case("the temperature is 0.1", ([50, 29, 17, 10, 6, 3, 2], 0.1)),
    ],
    mistakes=(
        _pushes(
            "as in SCL",
            "In your answer a class pushes an anchor as often as it has samples. How often does it, after averaging?",
            shares="samples",
        ),
        _pushes(
            "one side only",
            "Your matrix is not symmetric. In the losses of whose anchors does the cosine of two classes occur?",
            sides="one",
        ),
        _pushes(
            "mean of both sides",
            "Every push is half as hard as it should be. The cosine of two classes occurs in the losses of both: "
            "how do two terms of a sum add up?",
            sides="mean of both",
        ),
        _pushes(
            "temperature forgotten",
            "Right at temperature 1 only: the temperature has no effect on your answer.",
            scaled=False,
        ),
        _pushes(
            "own class left out",
            "The weight of a class is too large. How many terms does the denominator of an anchor have, where all "
            "cosines are equal?",
            shares="K - 1",
        ),
        _pushes(
            "anchors averaged per class",
            "Your pushes do not depend on the class counts, which is so if anchors are averaged per class. In BCL as "
            "printed, how often is a class the anchor's?",
            anchors="classes",
        ),
        _pushes(
            "summed over samples",
            "This is the derivative of a sum over all samples. The loss is their mean.",
            anchors="summed",
        ),
        _pushes(
            "diagonal",
            "All pairs of different classes are right. Can a class be pushed away from itself?",
            diagonal=True,
        ),
    ),
)


# ---- how often a batch has no sample of a class


def _missing(class_counts: Sequence[int], batch_size: int) -> Tensor:
    """C(N - n, B) / C(N, B) of each class: all B images are of other classes, drawn without replacement."""
    total = sum(class_counts)
    return torch.tensor(
        [math.comb(total - n, batch_size) / math.comb(total, batch_size) for n in class_counts],
        dtype=torch.float64,
    )


def _shares(class_counts: Sequence[int]) -> Tensor:
    counts = torch.tensor(class_counts, dtype=torch.float64)
    return counts / counts.sum()


CHANCE_TO_BE_MISSING = Exercise(
    name="chance_to_be_missing",
    task="how likely it is, for each class, that a mini-batch has no image of it; the batch is drawn from the training "
    "set without replacement, as in a shuffled epoch.",
    arguments=("class_counts", "batch_size"),
    returns="K probabilities, shape (K,)",
    reference=_missing,
    by_hand=Case("the classes have 3 images and 1 image, and a batch has 2", ([3, 1], 2)),
    hidden=lambda: [
        Case("a batch is one image", ([6, 3, 1], 1)),
        Case("a batch is the whole training set", ([6, 3, 1], 10)),
        Case("there are ten classes and a batch has 8 images", ([50, 29, 17, 10, 6, 3, 2, 1, 1, 1], 8)),
        Case("a batch has half of the images", ([20, 12, 6, 2], 20)),
    ],
    mistakes=(
        Mistake(
            "with replacement",
            "This is right for draws with replacement. In a shuffled epoch, can one image be in a batch twice?",
            lambda class_counts, batch_size: (1 - _shares(class_counts)) ** batch_size,
        ),
        Mistake(
            "present",
            "These are the chances that a class is in the batch, not that it is missing.",
            lambda class_counts, batch_size: 1 - _missing(class_counts, batch_size),
        ),
        Mistake(
            "one draw",
            "Right where a batch is a single image: the batch size has no effect on your answer.",
            lambda class_counts, batch_size: 1 - _shares(class_counts),
        ),
        Mistake(
            "expected number",
            "This is how many images of a class a batch has on average. How often does it have none?",
            lambda class_counts, batch_size: batch_size * _shares(class_counts),
        ),
        Mistake(
            "views counted as images",
            "Your batch is twice as large as it is. Two views of an image come together or not at all.",
            lambda class_counts, batch_size: _missing(class_counts, min(2 * batch_size, sum(class_counts))),
        ),
    ),
)
