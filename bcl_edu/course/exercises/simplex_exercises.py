"""Exercises on class means and the regular simplex: notebooks 01 (cosines) and 03 (construct, recognise, measure)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

from bcl_edu.course.exercises.exercise import Case, Exercise, Mistake
from bcl_edu.course.exercises.points import at, rotated, unit_vectors
from bcl_edu.geometry import check_regular_simplex, regular_simplex, simplex_deviation


def _gram(points: Tensor) -> Tensor:
    """Lengths and angles: what is left of points when it does not matter how they are turned."""
    return points @ points.T


# ---- construct


def _in_dimension(points: Tensor, dimension: int) -> Tensor:
    """Points of another dimension, with zeros added or coordinates cut off."""
    return torch.cat([points, torch.zeros(len(points), dimension, dtype=points.dtype)], dim=1)[:, :dimension]


def _centred_axes(num_classes: int) -> Tensor:
    return torch.eye(num_classes, dtype=torch.float64) - 1 / num_classes


def _polygon(num_classes: int, dimension: int) -> Tensor:
    return _in_dimension(at(*(360 * k / num_classes for k in range(num_classes))), dimension)


def _short_simplex(num_classes: int, dimension: int) -> Tensor:
    return regular_simplex(num_classes, dimension) * math.sqrt(1 - 1 / num_classes)


def _which_condition_fails(points: Tensor) -> str:
    if not points.any():
        return "All your points are 0."
    reason = check_regular_simplex(points, tolerance=1e-4).reason
    return f"Of the definition's conditions, {reason}." if reason else "Your points are not of unit length."


CONSTRUCTIONS = [(3, 2), (4, 3), (5, 4), (5, 9), (10, 9), (12, 64)]

REGULAR_SIMPLEX = Exercise(
    name="regular_simplex",
    task="the K vertices of a regular simplex on the unit sphere of dimension h, for any K up to h + 1.",
    arguments=("num_classes", "dimension"),
    returns="one vertex a row, shape (K, h)",
    reference=regular_simplex,
    compared=_gram,
    remark=_which_condition_fails,
    by_hand=Case("there are K = 2 points on a line (h = 1)", (2, 1)),
    hidden=lambda: [Case(f"K is {k} and h is {h}", (k, h)) for k, h in CONSTRUCTIONS],
    mistakes=(
        Mistake(
            "coordinate axes",
            "All your points are at right angles. That is far, but they can all be further apart: do they sum to zero?",
            lambda num_classes, dimension: _in_dimension(
                torch.eye(num_classes, dtype=torch.float64), dimension
            ),
        ),
        Mistake(
            "centred, not normalised",
            "All angles are right. On which sphere do the points have to lie?",
            _short_simplex,
        ),
        Mistake(
            "coordinates cut off",
            "Right where there is room to spare, wrong where h is K - 1. Your points span K - 1 dimensions, but not "
            "those of the first K - 1 coordinates: cutting one off changes lengths and angles.",
            lambda num_classes, dimension: _in_dimension(
                normalize(_centred_axes(num_classes), dim=1), dimension
            ),
        ),
        Mistake(
            "polygon",
            "These are the corners of a regular polygon. Its neighbours are closer than its other corners: use the "
            "other dimensions.",
            _polygon,
        ),
        Mistake(
            "all in one point",
            "All your points coincide.",
            lambda num_classes, dimension: _in_dimension(
                torch.ones(num_classes, 1, dtype=torch.float64), dimension
            ),
        ),
    ),
)


# ---- recognise


def _products(points: Tensor) -> Tensor:
    """Inner products of different points."""
    return _gram(points)[~torch.eye(len(points), dtype=torch.bool)]


def _sums_to_zero(points: Tensor) -> bool:
    return bool(points.sum(dim=0).norm() < 1e-4)


def _unit_length(points: Tensor) -> bool:
    return bool(((points.norm(dim=1) - 1).abs() < 1e-4).all())


def _equal_products(points: Tensor) -> bool:
    return bool(_products(points).max() - _products(points).min() < 1e-4)


def _is_regular(points: Tensor) -> bool:
    return check_regular_simplex(points, tolerance=1e-4).is_regular and _unit_length(points)


def _exactly(points: Tensor) -> bool:
    target = -1 / (len(points) - 1)
    return bool((_products(points) == target).all() and (points.norm(dim=1) == 1).all())


def _sets_of_points() -> list[Case]:
    tetrahedron = regular_simplex(4, 3)
    sixth = regular_simplex(6, 5)
    stretched = tetrahedron.clone()
    stretched[0] *= 1.3
    return [
        Case("two points are opposite", (torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64),)),
        Case("the points are a tetrahedron that was turned", (rotated(tetrahedron, "tetrahedron"),)),
        Case("six points are turned in eight dimensions", (rotated(_in_dimension(sixth, 8), "six"),)),
        Case("the points were computed in float32", (rotated(sixth, "float32").float(),)),
        Case("the points are the corners of a square", (at(0, 90, 180, 270),)),
        Case("the points are two pairs of opposite points", (at(0, 0, 180, 180),)),
        Case("the points are coordinate axes", (rotated(torch.eye(4, dtype=torch.float64), "axes"),)),
        Case("all points are the same", (at(30, 30, 30),)),
        Case("the sphere has radius 2", (2 * tetrahedron,)),
        Case("one point of a simplex is further out than the others", (stretched,)),
        Case("the points are anywhere on the sphere", (unit_vectors("anywhere", 5, 4),)),
    ]


IS_REGULAR_SIMPLEX = Exercise(
    name="is_regular_simplex",
    task="whether points are the vertices of a regular simplex on the unit sphere, up to rounding (tolerance 1e-4).",
    arguments=("points",),
    returns="True or False",
    reference=_is_regular,
    by_hand=Case("three points stand at 0°, 120° and 240° on the unit circle", (at(0, 120, 240),)),
    hidden=_sets_of_points,
    mistakes=(
        Mistake(
            "always yes",
            "Your function accepts everything.",
            lambda points: True,
        ),
        Mistake(
            "always no",
            "Your function accepts nothing, not even a triangle.",
            lambda points: False,
        ),
        Mistake(
            "exact comparison",
            "Simplices are rejected for the last digit of their numbers. Rounding needs a tolerance.",
            _exactly,
        ),
        Mistake(
            "only the sum",
            "Points that sum to zero need not be a simplex: think of a square.",
            _sums_to_zero,
        ),
        Mistake(
            "only the length",
            "Everything on the unit sphere is accepted. One of three conditions is checked.",
            _unit_length,
        ),
        Mistake(
            "only the products",
            "Points with equal inner products are accepted wherever they are. One of three conditions is checked.",
            _equal_products,
        ),
        Mistake(
            "no check of the products",
            "Sum and length are checked. A square has both; what does it lack?",
            lambda points: _sums_to_zero(points) and _unit_length(points),
        ),
        Mistake(
            "no check of the sum",
            "Length and inner products are checked. The coordinate axes have both; what do they lack?",
            lambda points: _unit_length(points) and _equal_products(points),
        ),
        Mistake(
            "no check of the length",
            "Sum and inner products are checked. On which sphere do the points have to lie?",
            lambda points: _sums_to_zero(points) and _equal_products(points),
        ),
    ),
)


# ---- measure


def _deviation(means: Tensor) -> float:
    return simplex_deviation(means).rms


def _off_diagonal(means: Tensor) -> Tensor:
    """Cosines between different class means."""
    return _products(normalize(means, dim=1))


def _rms(values: Tensor) -> Tensor:
    return values.square().mean().sqrt()


def _with_diagonal(means: Tensor) -> Tensor:
    return _rms(_gram(normalize(means, dim=1)) + 1 / (len(means) - 1))


SIMPLEX_DEVIATION = Exercise(
    name="simplex_deviation",
    task="the root mean square, over pairs of different classes, of how much the cosine of their means differs from "
    "that in the regular simplex.",
    arguments=("means",),
    returns="one number",
    reference=_deviation,
    by_hand=Case("three class means point to 0°, 90° and 180°", (at(0, 90, 180),)),
    hidden=lambda: [
        Case("the class means are a regular simplex", (rotated(regular_simplex(5, 6), "deviation"),)),
        Case("all class means are the same", (at(10, 10, 10, 10),)),
        Case("the class means are anywhere on the sphere", (unit_vectors("deviation", 6, 3),)),
        Case(
            "the class means are not of unit length",
            (
                unit_vectors("lengths", 4, 5)
                * torch.tensor([[0.9], [0.5], [0.2], [0.7]], dtype=torch.float64),
            ),
        ),
        Case("there are two classes", (at(0, 60),)),
    ],
    mistakes=(
        Mistake(
            "not normalised",
            "Right for means of unit length only. A cosine does not depend on lengths; an inner product does.",
            lambda means: _rms(_products(means) + 1 / (len(means) - 1)),
        ),
        Mistake(
            "diagonal included",
            "Every class is also compared with itself. Which pairs does the definition take?",
            _with_diagonal,
        ),
        Mistake(
            "target 1/(K-1)",
            "Your answer for the regular simplex itself is not 0. Are its points on the same side, or apart?",
            lambda means: _rms(_off_diagonal(means) - 1 / (len(means) - 1)),
        ),
        Mistake(
            "target -1/K",
            "Your answer for the regular simplex itself is not quite 0. What is its cosine for K = 2?",
            lambda means: _rms(_off_diagonal(means) + 1 / len(means)),
        ),
        Mistake(
            "target 0",
            "You measure the distance from right angles. Which cosine has the regular simplex?",
            lambda means: _rms(_off_diagonal(means)),
        ),
        Mistake(
            "spread of the cosines",
            "You measure how much the cosines differ among themselves. Classes that have all merged would be perfect.",
            lambda means: _off_diagonal(means).std(correction=0),
        ),
        Mistake(
            "mean square",
            "Root, mean, square: one of the three is missing.",
            lambda means: (_off_diagonal(means) + 1 / (len(means) - 1)).square().mean(),
        ),
        Mistake(
            "mean absolute",
            "This is the mean of the absolute deviations. How do squares enter?",
            lambda means: (_off_diagonal(means) + 1 / (len(means) - 1)).abs().mean(),
        ),
        Mistake(
            "root of the sum",
            "Root and square are there; the mean is a sum. The answer should not grow with the number of pairs.",
            lambda means: (_off_diagonal(means) + 1 / (len(means) - 1)).square().sum().sqrt(),
        ),
        Mistake(
            "signed mean",
            "Deviations of opposite signs cancel in your answer.",
            lambda means: (_off_diagonal(means) + 1 / (len(means) - 1)).mean(),
        ),
        Mistake(
            "largest deviation",
            "This is the largest deviation. The answer should take all pairs into account.",
            lambda means: (_off_diagonal(means) + 1 / (len(means) - 1)).abs().max(),
        ),
    ),
)


# ---- cosines between class means (notebook 01)


def _means(embeddings: Tensor, labels: Tensor) -> Tensor:
    return torch.stack([embeddings[labels == k].mean(dim=0) for k in range(int(labels.max()) + 1)])


def _class_mean_cosines(embeddings: Tensor, labels: Tensor) -> Tensor:
    means = normalize(_means(embeddings, labels), dim=1)
    return means @ means.T


def _mean_of_cosines(embeddings: Tensor, labels: Tensor) -> Tensor:
    """Mean cosine between the samples of two classes, instead of the cosine of their means."""
    means = _means(normalize(embeddings, dim=1), labels)
    return means @ means.T


def _cosine_cases() -> list[Case]:
    labels = torch.tensor([2, 0, 1, 0, 2, 2, 1, 0, 0])
    scattered = unit_vectors("class means, scattered", 9, 4)
    centres = unit_vectors("class means, centres", 3, 4)
    return [
        Case("the classes have collapsed", (centres[labels], labels)),
        Case("embeddings scatter", (scattered, labels)),
        Case(
            "one class is far larger",
            (unit_vectors("class means, large", 12, 3), torch.tensor([0] * 9 + [1, 2, 2])),
        ),
    ]


CLASS_MEAN_COSINES = Exercise(
    name="class_mean_cosines",
    task="the cosines between the class means of a batch of unit embeddings; every class 0..K-1 has a sample.",
    arguments=("embeddings", "labels"),
    returns="a matrix of shape (K, K)",
    reference=_class_mean_cosines,
    by_hand=Case(
        "class 0 has samples at 0° and 90°, class 1 one sample at 45°",
        (at(0, 90, 45), torch.tensor([0, 0, 1])),
    ),
    hidden=_cosine_cases,
    mistakes=(
        Mistake(
            "means not normalised",
            "Right for collapsed classes only: your diagonal is not 1. How long is the mean of scattered unit vectors?",
            _mean_of_cosines,
        ),
        Mistake(
            "cosines of samples",
            "The diagonal is right. Elsewhere you have the mean cosine between the samples of two classes; the cosine "
            "between their means is another number.",
            lambda embeddings, labels: _mean_of_cosines(embeddings, labels).fill_diagonal_(1),
        ),
        Mistake(
            "first sample of each class",
            "Right for collapsed classes only: you take one sample for its class.",
            lambda embeddings, labels: _class_mean_cosines(
                torch.stack([embeddings[labels == k][0] for k in range(int(labels.max()) + 1)]),
                torch.arange(int(labels.max()) + 1),
            ),
        ),
        Mistake(
            "distances",
            "The larger your number, the further two classes are apart. A cosine is 1 for classes at one point.",
            lambda embeddings, labels: 1 - _class_mean_cosines(embeddings, labels),
        ),
        Mistake(
            "angles",
            "These are angles. Their cosines are asked for.",
            lambda embeddings, labels: _class_mean_cosines(embeddings, labels).clamp(-1, 1).arccos(),
        ),
    ),
)
