"""Points on the sphere that a reader can place without a computer."""

import torch
from torch import Tensor
from torch.nn.functional import normalize


def at(*degrees: float) -> Tensor:
    """Unit vectors on the circle at these angles."""
    angle = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def somewhere(n: int, dim: int, seed: int) -> Tensor:
    """Unit vectors drawn uniformly on the sphere, the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(n, dim, generator=generator, dtype=torch.float64), dim=1)


def simplex(num_classes: int) -> Tensor:
    """Vertices of a regular simplex: unit vectors with every cosine -1/(K-1)."""
    centred = torch.eye(num_classes, dtype=torch.float64) - 1 / num_classes
    return normalize(centred, dim=1)
