"""Exercises on certified optima: the loss as a function of cosines, and the duality gap (notebook 07)."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from bcl_edu.course.exercises.exercise import Case, Exercise, Mistake
from bcl_edu.course.exercises.points import at, unit_vectors
from bcl_edu.geometry import certified_optimum, collapsed_loss, regular_simplex


def _gram(points: Tensor) -> Tensor:
    return points @ points.T


# ---- BCL at collapse


def collapse_with(
    gram: Tensor,
    class_counts: Tensor,
    temperature: float,
    *,
    anchors: Literal["samples", "classes", "added"] = "samples",
    scaled: bool = True,
    attracted: bool = True,
    own: Literal["once", "twice", "never"] = "once",
    others: Literal["alike", "by size"] = "alike",
) -> Tensor:
    """BCL of collapsed classes, or a wrong variant of it for each choice that is not the first."""
    counts = class_counts.double()
    logits = (gram - (1.0 if attracted else 0.0)) / (temperature if scaled else 1.0)
    terms = logits.exp() * (counts if others == "by size" else torch.ones_like(counts))
    itself = torch.eye(len(counts), dtype=torch.bool)
    rivals = terms.sum(dim=1) if own == "twice" else terms.masked_fill(itself, 0).sum(dim=1)
    of_class = rivals.log() if own == "never" else rivals.log1p()
    weight = {
        "samples": counts / counts.sum(),
        "classes": torch.full_like(counts, 1 / len(counts)),
        "added": counts,
    }[anchors]
    return weight @ of_class


def _reference(gram: Tensor, class_counts: Tensor, temperature: float) -> float:
    return collapsed_loss(gram, class_counts, "bcl", temperature=temperature)


def _collapse(name: str, hint: str, **variant: Any) -> Mistake:
    return Mistake(name, hint, partial(collapse_with, **variant))


LOSS_AT_COLLAPSE = Exercise(
    name="loss_at_collapse",
    task="BCL (Eq. 9), mean over all samples, where every class and its prototype have collapsed to one point: a "
    "function of the cosines between the classes.",
    arguments=("gram", "class_counts", "temperature"),
    returns="one number",
    reference=_reference,
    by_hand=Case(
        "two classes of 3 and 1 samples are opposite to each other, and the temperature is 1",
        (_gram(at(0, 180)), torch.tensor([3, 1]), 1.0),
    ),
    hidden=lambda: [
        Case(
            "the classes are a regular simplex, equal in size",
            (_gram(regular_simplex(4)), torch.tensor([5, 5, 5, 5]), 1.0),
        ),
        Case(
            "two small classes are in one point",
            (_gram(at(0, 180, 180)), torch.tensor([200, 2, 2]), 1.0),
        ),
        Case(
            "the classes are anywhere and unequal",
            (_gram(unit_vectors("collapse", 5, 4)), torch.tensor([40, 20, 9, 4, 2]), 0.5),
        ),
        Case(
            "the temperature is that of the paper",
            (_gram(unit_vectors("collapse, 0.1", 4, 3)), torch.tensor([30, 10, 3, 1]), 0.1),
        ),
    ],
    mistakes=(
        _collapse(
            "averaged over classes",
            "Right where the classes are equal in size. You average over classes; the mean is over samples. How many "
            "of them are anchors of each class?",
            anchors="classes",
        ),
        _collapse(
            "added over samples",
            "This is the sum over all samples, not their mean.",
            anchors="added",
        ),
        _collapse(
            "temperature forgotten",
            "Right at temperature 1 only: the temperature has no effect on your answer.",
            scaled=False,
        ),
        _collapse(
            "attraction forgotten",
            "The other classes are in your denominator as they should be. What is the similarity of an anchor to its "
            "own class, and where does it go if you divide by it?",
            attracted=False,
        ),
        _collapse(
            "own class twice",
            "An anchor's own class is in your denominator twice.",
            own="twice",
        ),
        _collapse(
            "own class missing",
            "An anchor's own class is missing from your denominator: without it the loss can be negative.",
            own="never",
        ),
        _collapse(
            "others by their size",
            "A class of many samples weighs more in your denominator. What does class-averaging do?",
            others="by size",
        ),
    ),
)


# ---- the duality gap


def gap_with(
    gram: Tensor,
    gradient: Tensor,
    *,
    multiplier: Literal["minus (gG)_ii", "plus (gG)_ii", "none", "row sums"] = "minus (gG)_ii",
    eigenvalue: Literal["smallest", "largest", "all negative"] = "smallest",
    times: Literal["K", "1"] = "K",
) -> Tensor:
    """Duality gap of a Gram matrix, or a wrong variant of it for each choice that is not the first."""
    diagonal = (gradient @ gram).diagonal()
    lagrange = {
        "minus (gG)_ii": -diagonal,
        "plus (gG)_ii": diagonal,
        "none": torch.zeros_like(diagonal),
        "row sums": -gradient.sum(dim=1),
    }[multiplier]
    values = torch.linalg.eigvalsh(gradient + torch.diag(lagrange))
    outside = {
        "smallest": -values[0],
        "largest": -values[-1],
        "all negative": -values.clamp(max=0).sum(),
    }[eigenvalue]
    trace = len(gram) if times == "K" else 1
    return (gradient * gram).sum() + lagrange.sum() + trace * outside.clamp(min=0)


def gradient_at(gram: Tensor, class_counts: Tensor, temperature: float) -> Tensor:
    """Gradient of BCL at collapse with respect to the Gram matrix, symmetric, shape (K, K)."""
    variable = gram.clone().requires_grad_()
    (slope,) = torch.autograd.grad(collapse_with(variable, class_counts, temperature), variable)
    return (slope + slope.T) / 2


def _at(gram: Tensor, counts: list[int], temperature: float) -> tuple[Tensor, Tensor]:
    return gram, gradient_at(gram, torch.tensor(counts), temperature)


def _gap(name: str, hint: str, **variant: Any) -> Mistake:
    return Mistake(name, hint, partial(gap_with, **variant))


DUALITY_GAP = Exercise(
    name="duality_gap",
    task="how far above its minimum a convex loss of the Gram matrix can be at most, from the Gram matrix and the "
    "loss's gradient there.",
    arguments=("gram", "gradient"),
    returns="one number",
    reference=gap_with,
    by_hand=Case(
        "two classes are at right angles, and the gradient is 1 off the diagonal and 0 on it",
        (torch.eye(2, dtype=torch.float64), torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)),
    ),
    hidden=lambda: [
        Case(
            "the classes are at their optimum",
            _at(certified_optimum([40, 20, 9, 4, 2], "bcl", temperature=1.0).gram, [40, 20, 9, 4, 2], 1.0),
        ),
        Case(
            "equal classes are a regular simplex",
            _at(_gram(regular_simplex(4)), [5, 5, 5, 5], 0.5),
        ),
        Case(
            "unequal classes are a regular simplex",
            _at(_gram(regular_simplex(5)), [40, 20, 9, 4, 2], 1.0),
        ),
        Case(
            "the classes are anywhere",
            _at(_gram(unit_vectors("gap", 6, 4)), [9, 8, 4, 3, 2, 1], 0.5),
        ),
    ],
    mistakes=(
        _gap(
            "sign of the multipliers",
            "Your multipliers have the wrong sign: at the optimum the slack matrix times the Gram matrix is zero.",
            multiplier="plus (gG)_ii",
        ),
        _gap(
            "no multipliers",
            "Nothing in your answer knows that the diagonal is fixed. Which multipliers belong to it?",
            multiplier="none",
        ),
        _gap(
            "multipliers from the gradient alone",
            "Your multipliers come from the gradient alone. Do they know where the classes are?",
            multiplier="row sums",
        ),
        _gap(
            "largest eigenvalue",
            "You look at the wrong end of the spectrum: what spoils a lower bound is a direction that goes down.",
            eigenvalue="largest",
        ),
        _gap(
            "all negative eigenvalues",
            "You add up all directions that go down. The worst case puts the whole trace into one of them.",
            eigenvalue="all negative",
        ),
        _gap(
            "trace forgotten",
            "Too small by a factor that depends on the number of classes. What is the trace of a Gram matrix of unit "
            "vectors?",
            times="1",
        ),
    ),
)
