"""Points on the sphere for the cases of exercises: placed by hand, or drawn, the same for the same name."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from bcl_edu.augment.draws import derive_seed


def at(*degrees: float) -> Tensor:
    """Unit vectors on the circle at these angles, shape (n, 2), float64."""
    angle = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def unit_vectors(name: str, n: int, dimension: int) -> Tensor:
    """Unit vectors anywhere on the sphere, shape (n, dimension), float64."""
    return normalize(_normal(name, n, dimension), dim=1)


def rotated(points: Tensor, name: str) -> Tensor:
    """The points, turned by a random rotation."""
    rotation, _ = torch.linalg.qr(_normal(name, points.shape[1], points.shape[1]))
    return points @ rotation


def _normal(name: str, rows: int, columns: int) -> Tensor:
    generator = torch.Generator().manual_seed(derive_seed("exercises", name))
    return torch.randn(rows, columns, generator=generator, dtype=torch.float64)
