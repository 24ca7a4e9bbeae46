"""How the best class means bend away from the regular simplex while the imbalance factor grows."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
import torch
from jaxtyping import Float
from scipy.linalg import orthogonal_procrustes
from torch import Tensor

from bcl_edu.course.figures.class_means import class_mean_film
from bcl_edu.data import exponential_profile
from bcl_edu.geometry import LOSSES, certified_optimum

HEAD_COUNT = 1000
FACTORS = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000)


def bending_simplex(
    factors: Sequence[int] = FACTORS, *, loss: str = "scl", num_classes: int = 4, temperature: float = 0.5
) -> go.Figure:
    """A film of the class means that minimise a loss, each certified, over the imbalance factor.

    Each image counts twice, for its two views, as in training: otherwise a class of one image would have no positive,
    and no loss as an anchor, and its mean would jump.

    Args:
        factors: imbalance factors IF, ascending, 1 to 1000.
        loss: one of `bcl_edu.geometry.LOSSES`.
        num_classes: K; up to 4 the picture is exact.
        temperature: tau.

    Raises:
        ValueError: the loss is unknown, or a factor leaves a class without a sample.
    """
    if loss not in LOSSES:
        raise ValueError(f"there is no loss {loss!r} here; expected one of {', '.join(LOSSES)}")
    profiles = [exponential_profile(HEAD_COUNT, num_classes, factor) for factor in factors]
    optima = [certified_optimum(2 * profile, loss, temperature=temperature).means for profile in profiles]
    means = [optima[0]]
    for optimum in optima[1:]:
        means.append(turned_onto(optimum, means[-1]))
    return class_mean_film(
        torch.stack(means),
        profiles[-1],
        epochs=list(factors),
        quantity="imbalance factor",
        title=f"Where {loss.upper()} puts {num_classes} classes",
        look_at="Press play: what do the two thin arrows, the rare classes, do as the tail gets longer?",
        start=0,
    )


def turned_onto(points: Float[Tensor, "k dim"], target: Float[Tensor, "k dim"]) -> Float[Tensor, "k dim"]:
    """The same points, turned (and mirrored, if that helps) as near to the target as can be: no loss minds it."""
    turn, _ = orthogonal_procrustes(points.numpy(), target.numpy())
    return points @ torch.from_numpy(turn)
