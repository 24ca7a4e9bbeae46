"""Optimal class means bending away from the regular simplex while the imbalance factor grows."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
import torch
from jaxtyping import Float
from scipy.linalg import orthogonal_procrustes
from torch import Tensor

from bcl_edu.course.figures import style
from bcl_edu.course.figures.class_means import EYE, class_mean_film
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
    shown = torch.stack(means)
    title = f"Where {loss.upper()} puts {num_classes} classes"
    look_at = "Press play: what do the two thin arrows, the rare classes, do as the tail gets longer?"
    angles = (shown[:, -1] * shown[:, -2]).sum(dim=1).clamp(-1, 1).arccos().rad2deg().tolist()
    headings = [style.heading(f"{title}: {angle:.0f}° between the two rarest", look_at) for angle in angles]
    figure = class_mean_film(
        shown,
        profiles[-1],
        style.names_by_size(num_classes),
        epochs=list(factors),
        quantity="imbalance factor",
        title=title,
        look_at=look_at,
        start=0,
        eye=clearest_view(shown[[0, -1]]).tolist() if shown.shape[2] == 3 else EYE,
    )
    figure.layout.title.text = headings[0]
    for frame, heading in zip(figure.frames, headings, strict=True):
        frame.layout.title.text = heading
    return figure


def clearest_view(scenes: Float[Tensor, "scenes k 3"], distance: float = 1.36) -> Float[Tensor, "3"]:
    """From where a camera that looks at the origin sees the points of every scene furthest apart.

    Points hide the centre, too, where arrows begin: an arrow towards the camera would be a dot. The camera looks from
    slightly above, where people expect it.
    """
    turns = torch.linspace(0, 2 * torch.pi, 145, dtype=torch.float64)[:-1]
    eyes = torch.stack([turns.cos(), turns.sin(), torch.full_like(turns, 0.4)], dim=1)
    eyes = eyes / eyes.norm(dim=1, keepdim=True)
    points = torch.cat([scenes, torch.zeros_like(scenes[:, :1])], dim=1)
    depth = torch.einsum("skd,ed->esk", points, eyes)
    flat = points[None] - depth[..., None] * eyes[:, None, None]
    apart = torch.cdist(flat, flat) + 9 * torch.eye(points.shape[1], dtype=torch.float64)
    return distance * eyes[apart.amin(dim=(1, 2, 3)).argmax()]


def turned_onto(points: Float[Tensor, "k dim"], target: Float[Tensor, "k dim"]) -> Float[Tensor, "k dim"]:
    """The same points, rotated (and mirrored, if that helps) as near to the target as possible; no loss changes."""
    turn, _ = orthogonal_procrustes(points.numpy(), target.numpy())
    return points @ torch.from_numpy(turn)
