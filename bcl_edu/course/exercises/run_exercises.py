"""Exercises on what a run reports and on what decides a claim (notebooks 08b to 13)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from bcl_edu.course.exercises.exercise import Case, Exercise, Mistake
from bcl_edu.course.exercises.points import at, unit_vectors

# ---- from which epoch on one loss is ahead in every seed (notebook 08b)


def ahead_with(
    first: Tensor,
    second: Tensor,
    *,
    seeds: Literal["each", "their mean", "any", "apart"] = "each",
    moment: Literal["from on", "at first"] = "from on",
    counted_from: Literal[0, 1] = 1,
    smaller: bool = True,
) -> int:
    """The epoch from which on `first` is below `second`, or a wrong variant for each choice that is not the first."""
    difference = first - second if smaller else second - first
    ahead = {
        "each": (difference < 0).all(dim=0),
        "their mean": difference.mean(dim=0) < 0,
        "any": (difference < 0).any(dim=0),
        "apart": first.max(dim=0).values < second.min(dim=0).values,
    }[seeds].tolist()
    for epoch in range(len(ahead)):
        if ahead[epoch] and (moment == "at first" or all(ahead[epoch:])):
            return epoch + counted_from
    return 0


def _ahead_cases() -> list[Case]:
    generator = torch.Generator().manual_seed(2)
    of_seed = 0.5 * torch.rand(
        5, 1, generator=generator, dtype=torch.float64
    )  # some seeds are far away under both
    second = of_seed + torch.linspace(1.0, 0.5, 8, dtype=torch.float64)
    mixed = torch.tensor([[1, -1, 1, 1, -1, -1, -1, -1], [1, -1, -1, 1, 1, -1, -1, -1]], dtype=torch.float64)
    on_average = torch.tensor([[1, -3, -3, -3, -3], [1, 1, 1, 1, -1]], dtype=torch.float64)
    return [
        Case("one row is ahead, falls back, and gets ahead again", (second[:2] + 0.02 * mixed, second[:2])),
        Case("one seed is slower than the others", (second[:2, :5] + 0.02 * on_average, second[:2, :5])),
        Case("seeds differ more than the rows do", (second - 0.01, second)),
        Case("the first row is never ahead", (second + 0.01, second)),
        Case(
            "the last epoch goes to the second row",
            (second - 0.01 * torch.tensor([1.0] * 7 + [-1.0]), second),
        ),
    ]


def _ahead(name: str, hint: str, **variant: Any) -> Mistake:
    return Mistake(name, hint, partial(ahead_with, **variant))


AHEAD_FROM = Exercise(
    name="ahead_from",
    task="the epoch, counted from 1, from which on the first row is smaller than the second in every seed, until the "
    "end; 0 if there is none. Rows have shape (seeds, epochs), and both have the same seeds.",
    arguments=("first", "second"),
    returns="one whole number",
    reference=ahead_with,
    by_hand=Case(
        "there are two seeds and three epochs, and the first row is ahead in one seed after epoch 2 and in both after "
        "epoch 3",
        (
            torch.tensor([[1.0, 0.7, 0.4], [1.0, 0.9, 0.5]], dtype=torch.float64),
            torch.tensor([[1.0, 0.8, 0.6], [0.9, 0.8, 0.7]], dtype=torch.float64),
        ),
    ),
    hidden=_ahead_cases,
    mistakes=(
        _ahead(
            "seeds averaged",
            "Your answer is right for the mean over the seeds. Can a mean be ahead where one of its seeds is not?",
            seeds="their mean",
        ),
        _ahead(
            "any seed",
            "You found where some seed is ahead. In how many of them should the first row be?",
            seeds="any",
        ),
        _ahead(
            "ranges apart",
            "You ask every seed of the first row to be below every seed of the second. Which two runs share a seed?",
            seeds="apart",
        ),
        _ahead(
            "first time ahead",
            "This is the first epoch in which the first row is ahead. Does it stay ahead?",
            moment="at first",
        ),
        _ahead(
            "counted from 0",
            "Your epochs are counted from 0. What should the answer be if the first row is ahead from the start?",
            counted_from=0,
        ),
        _ahead(
            "larger",
            "Your answer is the epoch from which on the first row is the larger one. Is a large distance from the "
            "simplex good?",
            smaller=False,
        ),
    ),
)


# ---- cases and failures of a bound (notebook 09)


def failures_with(
    losses: Tensor,
    bounds: Tensor,
    rounding: float,
    *,
    cases: Literal["with a loss", "all"] = "with a loss",
    below: Literal["by more", "at all", "either side", "above"] = "by more",
) -> tuple[Tensor, Tensor]:
    """Number of cases and of failures, or a wrong variant for each choice that is not the first."""
    counted = ~losses.isnan() if cases == "with a loss" else torch.ones_like(losses, dtype=torch.bool)
    gap = losses - bounds
    failed = {
        "by more": gap < -rounding,
        "at all": gap < 0,
        "either side": gap.abs() > rounding,
        "above": gap > rounding,
    }[below]
    return counted.sum(), (failed & counted).sum()


def _failure_cases() -> list[Case]:
    generator = torch.Generator().manual_seed(0)
    bounds = torch.rand(40, generator=generator, dtype=torch.float64)
    above = bounds + torch.rand(40, generator=generator, dtype=torch.float64)
    tight = bounds + 1e-15 * torch.randn(40, generator=generator, dtype=torch.float64)
    mixed = torch.where(torch.arange(40) % 3 == 0, bounds - 0.1, above)
    alone = mixed.masked_fill(torch.arange(40) % 5 == 0, torch.nan)
    return [
        Case("every loss is above its bound", (above, bounds, 1e-9)),
        Case("every bound is attained, up to rounding", (tight, bounds, 1e-9)),
        Case("some losses are below", (mixed, bounds, 1e-9)),
        Case("some anchors have no loss", (alone, bounds, 1e-9)),
    ]


def _failures(name: str, hint: str, **variant: Any) -> Mistake:
    return Mistake(name, hint, partial(failures_with, **variant))


COUNT_FAILURES = Exercise(
    name="count_failures",
    task="in how many cases a lower bound was tried, and in how many of them it fails. An anchor without a loss is "
    "NaN and is no case; a loss that is below by no more than `rounding` is no failure.",
    arguments=("losses", "bounds", "rounding"),
    returns="two numbers",
    reference=failures_with,
    by_hand=Case(
        "the losses are 1, 2 and NaN, the bounds 1.5, 1.5 and 0, and rounding is 0.1",
        (torch.tensor([1.0, 2.0, math.nan]), torch.tensor([1.5, 1.5, 0.0]), 0.1),
    ),
    hidden=_failure_cases,
    mistakes=(
        _failures(
            "NaN counted as a case",
            "An anchor that has no loss was counted. Can a bound hold or fail where there is nothing to bound?",
            cases="all",
        ),
        _failures(
            "rounding ignored",
            "Some of your failures are rounding. What does float64 make of two numbers that are equal on paper?",
            below="at all",
        ),
        _failures(
            "either side",
            "You count every loss that differs from its bound. What does a lower bound forbid?",
            below="either side",
        ),
        _failures(
            "above",
            "These are the cases in which the loss is above the bound. Is that what refutes it?",
            below="above",
        ),
        Mistake(
            "cases that hold",
            "Your second number counts the cases in which the bound holds. Which are the failures?",
            lambda losses, bounds, rounding: (
                failures_with(losses, bounds, rounding)[0],
                (losses >= bounds - rounding).sum(),
            ),
        ),
    ),
    parts=("cases", "failures"),
)


# ---- accuracy of the shot groups (notebook 10)


def shot_accuracy_with(
    class_accuracy: Tensor,
    class_counts: Tensor,
    *,
    weight: Literal["classes", "training images"] = "classes",
    hundred: Literal["medium", "many"] = "medium",
    twenty: Literal["medium", "few"] = "medium",
    groups: Literal["counts", "thirds"] = "counts",
) -> Tensor:
    """Accuracy of the many-, medium- and few-shot classes, or a wrong variant for each choice that is not the first."""
    many = class_counts > 100 if hundred == "medium" else class_counts >= 100
    few = class_counts < 20 if twenty == "medium" else class_counts <= 20
    members = [many, ~many & ~few, few]
    if groups == "thirds":
        position = torch.arange(len(class_counts))
        members = [torch.isin(position, part) for part in position.tensor_split(3)]
    weights = (
        torch.ones_like(class_accuracy) if weight == "classes" else class_counts.to(class_accuracy.dtype)
    )
    return torch.stack([(weights * class_accuracy)[group].sum() / weights[group].sum() for group in members])


def _shot_cases() -> list[Case]:
    generator = torch.Generator().manual_seed(1)
    accuracy = 100 * torch.rand(100, generator=generator, dtype=torch.float64)
    return [
        Case("there are 100 classes", (accuracy, (500 * 100 ** (-torch.arange(100) / 99)).long())),
        Case(
            "a class has exactly 100 images and another exactly 20",
            (accuracy[:6], torch.tensor([300, 101, 100, 20, 19, 5])),
        ),
        Case("one class is far larger", (accuracy[:5], torch.tensor([5000, 200, 60, 30, 3]))),
    ]


def _shots(name: str, hint: str, **variant: Any) -> Mistake:
    return Mistake(name, hint, partial(shot_accuracy_with, **variant))


SHOT_ACCURACY = Exercise(
    name="shot_accuracy",
    task="accuracy of the many-shot (more than 100 training images), medium-shot (20 to 100) and few-shot (fewer "
    "than 20) classes on a balanced test set, from the accuracy of every class.",
    arguments=("class_accuracy", "class_counts"),
    returns="three numbers, shape (3,)",
    reference=shot_accuracy_with,
    by_hand=Case(
        "classes of 200, 150, 50 and 5 training images have 90, 70, 60 and 20 %",
        (torch.tensor([90.0, 70.0, 60.0, 20.0]), torch.tensor([200, 150, 50, 5])),
    ),
    hidden=_shot_cases,
    mistakes=(
        _shots(
            "weighted by training images",
            "Large classes have more weight within a group. How many test images has each class of a balanced test "
            "set?",
            weight="training images",
        ),
        _shots(
            "100 is many",
            "A class of exactly 100 images is in another group. What does 'more than 100' say about it?",
            hundred="many",
        ),
        _shots(
            "20 is few",
            "A class of exactly 20 images is in another group. What does 'fewer than 20' say about it?",
            twenty="few",
        ),
        _shots(
            "thirds",
            "Your groups are thirds of the list of classes. The paper's depend on the number of training images.",
            groups="thirds",
        ),
        Mistake(
            "few first",
            "The numbers are right, but from the few-shot classes to the many-shot ones.",
            lambda class_accuracy, class_counts: shot_accuracy_with(class_accuracy, class_counts).flip(0),
        ),
    ),
)


# ---- the schedule of the large sets (notebook 11)


def _cosine(
    step: int, steps: int, peak: float, *, turns: float = 0.5, scale: float = 0.5, shift: float = 1.0
) -> float:
    return scale * peak * (shift + math.cos(2 * math.pi * turns * step / steps))


COSINE_SCHEDULE = Exercise(
    name="cosine_schedule",
    task="the learning rate at a step of the cosine schedule without warm-up: `peak` at step 0, falling along half a "
    "period of a cosine to 0 at step `steps`.",
    arguments=("step", "steps", "peak"),
    returns="one number",
    reference=_cosine,
    by_hand=Case("the step is 50 of 100 and the peak is 0.1", (50, 100, 0.1)),
    hidden=lambda: [
        Case("training begins", (0, 100, 0.1)),
        Case("training ends", (90, 90, 0.2)),
        Case("a quarter of the steps is done", (25, 100, 0.2)),
        Case("one step is left", (999, 1000, 0.1)),
    ],
    mistakes=(
        Mistake(
            "a whole period",
            "Your rate comes back to the peak in the end. How much of a cosine's period goes from top to bottom?",
            partial(_cosine, turns=1.0),
        ),
        Mistake(
            "a quarter of a period",
            "Right at both ends: it falls like the first quarter of a cosine, with a kink at the end. The schedule "
            "is flat there.",
            partial(_cosine, turns=0.25, scale=1.0, shift=0.0),
        ),
        Mistake(
            "not halved",
            "Your rate begins at twice the peak. How large is 1 + cos 0?",
            partial(_cosine, scale=1.0),
        ),
        Mistake(
            "below zero",
            "Your rate falls below zero. Between which numbers does a cosine move, and between which should the rate?",
            partial(_cosine, scale=1.0, shift=0.0),
        ),
        Mistake(
            "linear",
            "This falls along a straight line; right at the ends and in the middle.",
            lambda step, steps, peak: peak * (1 - step / steps),
        ),
    ),
)


# ---- how much of the repulsion comes from classes that are not in the batch (notebook 12)


def absent_with(
    to_classes: Tensor,
    to_prototypes: Tensor,
    own: int,
    present: Tensor,
    temperature: float,
    *,
    scaled: bool = True,
    weight: Literal["exp", "count"] = "exp",
    own_included: bool = False,
    prototypes_of_present: bool = False,
) -> Tensor:
    """Share of the absent classes in an anchor's repulsion, or a wrong variant for each choice."""
    similarity = torch.where(present & (not prototypes_of_present), to_classes, to_prototypes)
    force = (similarity / (temperature if scaled else 1.0)).exp()
    if weight == "count":
        force = torch.ones_like(force)
    others = torch.arange(len(force)) != own
    counted = torch.ones_like(others) if own_included else others
    return (force * ~present * others).sum() / (force * counted).sum()


def _absent_cases() -> list[Case]:
    def drawn(name: str, classes: int, present: int, temperature: float) -> tuple[Any, ...]:
        anchor, samples, prototypes = (
            unit_vectors(f"{name}, {what}", rows, 6)
            for what, rows in (("anchor", 1), ("samples", classes), ("prototypes", classes))
        )
        near = torch.nn.functional.normalize(
            samples + anchor
        )  # images are nearer to one another than to prototypes
        return (near @ anchor[0], prototypes @ anchor[0], 0, torch.arange(classes) < present, temperature)

    return [
        Case("the temperature is 1", drawn("warm", 10, 4, 1.0)),
        Case("the temperature is 0.07", drawn("cold", 50, 10, 0.07)),
        Case("every class is in the batch", drawn("complete", 8, 8, 0.5)),
        Case("only the anchor's class is in the batch", drawn("alone", 8, 1, 0.5)),
    ]


def _absent(name: str, hint: str, **variant: Any) -> Mistake:
    return Mistake(name, hint, partial(absent_with, **variant))


SHARE_OF_ABSENT = Exercise(
    name="share_of_absent",
    task="which share of an anchor's repulsion comes from classes without an image in the batch. Every other class "
    "repels with exp(similarity / temperature): a class of the batch with `to_classes`, an absent one with "
    "`to_prototypes`; the anchor's own class, number `own`, does not repel.",
    arguments=("to_classes", "to_prototypes", "own", "present", "temperature"),
    returns="one number",
    reference=absent_with,
    by_hand=Case(
        "there are three classes, the anchor is of class 0, class 1 is in the batch at cosine 1 and class 2 is "
        "absent with its prototype at cosine 0, and the temperature is 1",
        (at(0, 0, 0)[:, 0], at(90, 90, 90)[:, 0], 0, torch.tensor([True, True, False]), 1.0),
    ),
    hidden=_absent_cases,
    mistakes=(
        _absent(
            "share of the classes",
            "This is the share of classes that are absent. It is the share of the repulsion only if all similarities "
            "are alike. Are images as far from one another as from prototypes?",
            weight="count",
        ),
        _absent(
            "temperature forgotten",
            "Right at temperature 1 only: the temperature has no effect on your answer.",
            scaled=False,
        ),
        _absent(
            "own class included",
            "The anchor's own class is among what repels. Does it?",
            own_included=True,
        ),
        _absent(
            "prototypes for everybody",
            "You took the prototype of every class. Which classes have images in the batch?",
            prototypes_of_present=True,
        ),
        Mistake(
            "share of the present",
            "This is the share of the classes that are in the batch.",
            lambda *arguments: 1 - absent_with(*arguments),
        ),
    ),
)


# ---- the difference of two rows, seed by seed (notebook 13)


def difference_with(
    first: Sequence[float],
    second: Sequence[float],
    *,
    error: Literal["paired", "independent"] = "paired",
    deviation: Literal["n - 1", "n"] = "n - 1",
    of_the_mean: bool = True,
) -> tuple[float, float]:
    """Mean difference and its standard error, or a wrong variant for each choice that is not the first."""
    a, b = (torch.tensor(values, dtype=torch.float64) for values in (first, second))
    unbiased = deviation == "n - 1"
    spread = (
        (a - b).std(correction=int(unbiased))
        if error == "paired"
        else (a.var(correction=int(unbiased)) + b.var(correction=int(unbiased))).sqrt()
    )
    return float((a - b).mean()), float(spread / (len(a) ** 0.5 if of_the_mean else 1))


def _difference(name: str, hint: str, **variant: Any) -> Mistake:
    return Mistake(name, hint, partial(difference_with, **variant))


PAIRED_DIFFERENCE = Exercise(
    name="paired_difference",
    task="by how much one row is ahead of another on average, and the standard error of that. Runs at the same place "
    "of both lists share their seed, so what counts is the difference seed by seed.",
    arguments=("first", "second"),
    returns="two numbers",
    reference=difference_with,
    by_hand=Case("the runs are 52, 54 against 50, 50", ([52.0, 54.0], [50.0, 50.0])),
    hidden=lambda: [
        Case("seeds matter much and rows little", ([50.0, 54.0, 46.0, 52.0], [49.5, 53.4, 45.7, 51.4])),
        Case("the second row is ahead", ([50.1, 50.4, 49.8], [51.0, 52.0, 51.3])),
        Case(
            "there are ten seeds",
            ([float(40 + (7 * k) % 10) for k in range(10)], [41.0 + k % 3 for k in range(10)]),
        ),
    ],
    mistakes=(
        _difference(
            "independent",
            "The mean is right. Your error is that of two independent groups; these runs come in pairs. What varies "
            "from pair to pair?",
            error="independent",
        ),
        _difference(
            "divided by n",
            "The mean is right. Your standard deviation is that of these seeds, not an estimate for all seeds: by "
            "what is the sum of squares divided?",
            deviation="n",
        ),
        _difference(
            "standard deviation",
            "The mean is right. You have the standard deviation of one difference. How does that of a mean shrink "
            "with n?",
            of_the_mean=False,
        ),
        Mistake(
            "second minus first",
            "The sign is the other way round: positive if the first row is ahead.",
            lambda first, second: difference_with(second, first),
        ),
        Mistake(
            "sum of the differences",
            "The error is right. Your first number grows with the number of seeds.",
            lambda first, second: (
                sum(first) - sum(second),
                difference_with(first, second)[1],
            ),
        ),
    ),
    parts=("mean difference", "standard error"),
)
