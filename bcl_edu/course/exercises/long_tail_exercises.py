"""Exercises on long tails: class counts, and the class prior in the loss (notebook 02)."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from bcl_edu.augment.draws import derive_seed
from bcl_edu.course.exercises.exercise import Case, Exercise, Mistake
from bcl_edu.data import exponential_profile
from bcl_edu.losses import logit_compensated_cross_entropy

# ---- class counts of the exponential profile


def _unrounded(n_max: int, num_classes: int, imbalance_factor: float) -> Tensor:
    k = torch.arange(num_classes, dtype=torch.float64)
    return n_max * imbalance_factor ** (-k / (num_classes - 1))


def _one_step_too_many(n_max: int, num_classes: int, imbalance_factor: float) -> Tensor:
    k = torch.arange(num_classes, dtype=torch.float64)
    return (n_max * imbalance_factor ** (-k / num_classes)).floor()


def _first_class_shrinks(n_max: int, num_classes: int, imbalance_factor: float) -> Tensor:
    k = torch.arange(1, num_classes + 1, dtype=torch.float64)
    return (n_max * imbalance_factor ** (-k / num_classes)).floor()


def _growing(n_max: int, num_classes: int, imbalance_factor: float) -> Tensor:
    k = torch.arange(num_classes, dtype=torch.float64)
    return (n_max * imbalance_factor ** (k / (num_classes - 1))).floor()


def _straight(n_max: int, num_classes: int, imbalance_factor: float) -> Tensor:
    return torch.linspace(n_max, n_max / imbalance_factor, num_classes, dtype=torch.float64).floor()


def _natural_exponential(n_max: int, num_classes: int, imbalance_factor: float) -> Tensor:
    k = torch.arange(num_classes, dtype=torch.float64)
    return (n_max * torch.exp(-imbalance_factor * k / (num_classes - 1))).floor()


CLASS_COUNTS = Exercise(
    name="class_counts",
    task="the number of training images that each class keeps in the exponential profile, the largest class first.",
    arguments=("n_max", "num_classes", "imbalance_factor"),
    returns="K whole numbers, shape (K,)",
    reference=exponential_profile,
    by_hand=Case("n_max is 100, K is 3 and the imbalance factor is 20", (100, 3, 20.0)),
    # no n_k is close to an integer before it is rounded down, except where it is one without any rounding: a reader
    # who computes in float32 gets the floor of the real number, too
    hidden=lambda: [
        Case("the classes are balanced", (37, 6, 1.0)),
        Case("n_max is 500, K is 100 and the imbalance factor is 90", (500, 100, 90.0)),
        Case("n_max is 5000, K is 10 and the imbalance factor is 128", (5000, 10, 128.0)),
        Case("the imbalance factor is 7.5", (901, 8, 7.5)),
        Case("there are two classes", (1000, 2, 12.0)),
    ],
    mistakes=(
        Mistake(
            "order reversed",
            "The numbers are right, but in reverse order. Which class comes first, the most frequent or the rarest?",
            lambda *arguments: exponential_profile(*arguments).flip(0),
        ),
        Mistake(
            "unrounded",
            "The curve is right, but there are no fractions of an image.",
            _unrounded,
        ),
        Mistake(
            "rounded to nearest",
            "Some counts are one too high. A class keeps whole images only: what happens to the last, partial one?",
            lambda *arguments: _unrounded(*arguments).round(),
        ),
        Mistake(
            "rounded up",
            "Counts that are no whole numbers come out one too high. What happens to the last, partial image?",
            lambda *arguments: _unrounded(*arguments).ceil(),
        ),
        Mistake(
            "K instead of K - 1",
            "The first class is right, but the last one keeps too many. Count the steps from the first class to the "
            "last: how many are there for three classes?",
            _one_step_too_many,
        ),
        Mistake(
            "k from 1",
            "The first class has already shrunk. What is k for the first class, and how many steps follow it?",
            _first_class_shrinks,
        ),
        Mistake(
            "exponent without its minus",
            "Your counts grow from the first class to the last.",
            _growing,
        ),
        Mistake(
            "linear",
            "Both ends are right, but the counts fall by equal differences. What stays the same from class to class "
            "in an exponential profile?",
            _straight,
        ),
        Mistake(
            "base e",
            "The counts fall exponentially, but much too fast. What is the base that the exponent belongs to?",
            _natural_exponential,
        ),
        Mistake(
            "proportions",
            "These are shares of the data set. Asked for are numbers of images.",
            lambda *arguments: exponential_profile(*arguments) / exponential_profile(*arguments).sum(),
        ),
    ),
)


# ---- logit compensation (Eq. 10)


def _shifted(logits: Tensor, labels: Tensor, shift: Tensor, reduction: str = "mean") -> Tensor:
    """Cross-entropy of logits with one shift a class."""
    return functional.cross_entropy(logits + shift, labels, reduction=reduction)


def _log_prior(class_counts: Tensor) -> Tensor:
    counts = class_counts.double()
    return (counts / counts.sum()).log()


def _only_the_true_class(logits: Tensor, labels: Tensor, class_counts: Tensor) -> Tensor:
    shift = functional.one_hot(labels, logits.shape[1]) * _log_prior(class_counts)
    return functional.cross_entropy(logits + shift, labels)


def _only_the_other_classes(logits: Tensor, labels: Tensor, class_counts: Tensor) -> Tensor:
    shift = (1 - functional.one_hot(labels, logits.shape[1])) * _log_prior(class_counts)
    return functional.cross_entropy(logits + shift, labels)


def _weighted(logits: Tensor, labels: Tensor, class_counts: Tensor, *, normalised: bool) -> Tensor:
    weight = class_counts.sum() / class_counts.double()
    losses = functional.cross_entropy(logits, labels, reduction="none") * weight[labels]
    return losses.sum() / weight[labels].sum() if normalised else losses.mean()


def _prior_of_the_batch(logits: Tensor, labels: Tensor, class_counts: Tensor) -> Tensor:
    counts = torch.bincount(labels, minlength=logits.shape[1]).double()
    return _shifted(logits, labels, (counts / counts.sum()).log())


def _multiplied(logits: Tensor, labels: Tensor, class_counts: Tensor) -> Tensor:
    return functional.cross_entropy(logits * class_counts / class_counts.sum(), labels)


def _batch(
    name: str, counts: list[int], labels: list[int], height: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Random logits for these labels; every class occurs among them, so that the batch has a prior of its own."""
    generator = torch.Generator().manual_seed(derive_seed("exercises", "logit_compensation", name))
    logits = height + 2 * torch.randn(len(labels), len(counts), generator=generator, dtype=torch.float64)
    return logits, torch.tensor(labels), torch.tensor(counts)


def _logit_cases() -> list[Case]:
    mixed = [0, 1, 2, 2, 0, 0, 1, 2, 2]
    return [
        Case("the training set is balanced", _batch("balanced", [50, 50, 50], mixed)),
        Case("the training set has a long tail", _batch("long tail", [100, 10, 1], mixed)),
        Case("every sample is of the rarest class", _batch("tail only", [400, 40, 4], [2] * 5)),
        Case("the rarest class comes first", _batch("ascending", [3, 30, 300, 900], [0, 1, 2, 3, 0, 2])),
        Case("all logits are near 1000", _batch("large", [100, 10, 1], mixed, height=1000.0)),
    ]


def _mean_of(function: Any, logits: Tensor, labels: Tensor, class_counts: Tensor) -> Tensor:
    return function(logits, labels, _log_prior(class_counts))


LOGIT_COMPENSATION = Exercise(
    name="logit_compensation",
    task="the mean cross-entropy of a batch whose logits are compensated for the class prior (Eq. 10).",
    arguments=("logits", "labels", "class_counts"),
    returns="one number",
    reference=logit_compensated_cross_entropy,
    by_hand=Case(
        "both logits of one sample of the rarer class are 0 and the training set has 3 images of one class and 1 of "
        "the other",
        (torch.zeros(1, 2, dtype=torch.float64), torch.tensor([1]), torch.tensor([3, 1])),
    ),
    hidden=_logit_cases,
    mistakes=(
        Mistake(
            "no compensation",
            "This is plain cross-entropy: it is right only where the training set is balanced.",
            lambda logits, labels, counts: functional.cross_entropy(logits, labels),
        ),
        Mistake(
            "sign",
            "The compensation goes the wrong way. In training, which class should find it harder to win: a head class "
            "or a tail class?",
            partial(_mean_of, lambda logits, labels, prior: _shifted(logits, labels, -prior)),
        ),
        Mistake(
            "prior without logarithm",
            "A prior enters, but on the wrong scale: logits live where probabilities are exponentials.",
            partial(_mean_of, lambda logits, labels, prior: _shifted(logits, labels, prior.exp())),
        ),
        Mistake(
            "logarithm to base 10",
            "The compensation is too weak by a constant factor. To which base is the logarithm?",
            partial(_mean_of, lambda logits, labels, prior: _shifted(logits, labels, prior / math.log(10))),
        ),
        Mistake(
            "logarithm to base 2",
            "The compensation is too strong by a constant factor. To which base is the logarithm?",
            partial(_mean_of, lambda logits, labels, prior: _shifted(logits, labels, prior / math.log(2))),
        ),
        Mistake(
            "prior of the batch",
            "A prior enters, but the wrong one. Whose class frequencies will be absent in the test: those of this "
            "batch, or those of the whole training set?",
            _prior_of_the_batch,
        ),
        Mistake(
            "only the true class",
            "The true class is compensated, its rivals are not. Which logits does the sum of the softmax have?",
            _only_the_true_class,
        ),
        Mistake(
            "only the other classes",
            "The rivals are compensated, the true class is not. Which logits does the softmax have?",
            _only_the_other_classes,
        ),
        Mistake(
            "class weights",
            "This weights the samples of a class; Eq. 10 moves the logits and leaves every sample its weight.",
            partial(_weighted, normalised=False),
        ),
        Mistake(
            "normalised class weights",
            "This weights the samples of a class, as the `weight` of a loss function does; Eq. 10 moves the logits.",
            partial(_weighted, normalised=True),
        ),
        Mistake(
            "prior as a factor",
            "The prior multiplies the logits. What is multiplied among probabilities is something else among logits.",
            _multiplied,
        ),
        Mistake(
            "sum",
            "Each sample's loss is right. How are the samples of the batch brought together?",
            partial(_mean_of, lambda logits, labels, prior: _shifted(logits, labels, prior, "sum")),
        ),
    ),
)
