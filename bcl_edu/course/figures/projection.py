"""From embeddings of any dimension to the two or three axes of a picture, and what is lost on the way."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

NEGLIGIBLE = 1e-4
"""A direction whose share of the length is below this square is not there."""


@dataclass(frozen=True)
class Projection:
    """An orthonormal map onto a plane or a space, and the share of the squared length that it keeps."""

    axes: Float[Tensor, "dim shown"]
    kept: float

    @property
    def exact(self) -> bool:
        """True if distances and angles in the picture are those of the data."""
        return self.kept > 1 - NEGLIGIBLE

    @property
    def label(self) -> str:
        """Note for the title of a figure; empty when the picture is exact."""
        return "" if self.exact else f"a projection: shows {self.kept:.0%} of the squared length"

    def __call__(self, vectors: Float[Tensor, "*n dim"]) -> Float[Tensor, "*n shown"]:
        """The coordinates of these vectors in the picture."""
        return vectors.detach().to(self.axes) @ self.axes


def best_projection(vectors: Float[Tensor, "n dim"]) -> Projection:
    """The picture axes that keep most of these vectors.

    In two and three dimensions the axes are the data's own, so that pictures of different vectors can be
    laid over one another. Above that they are the leading right singular vectors (not centred: the origin is
    the sphere's centre and must stay where it is): two if the vectors lie in a plane, otherwise three.

    Raises:
        ValueError: the vectors are not finite, or have fewer than two dimensions.
    """
    dimension = vectors.shape[1]
    if dimension < 2:
        raise ValueError(
            f"vectors of dimension {dimension} lie on a line; a circle or sphere needs at least 2"
        )
    if not bool(torch.isfinite(vectors).all()):
        raise ValueError("some vectors are not finite; did the training that made them diverge?")
    vectors = vectors.detach().cpu().to(torch.float64)
    if dimension <= 3:
        return Projection(torch.eye(dimension, dtype=torch.float64), kept=1.0)

    _, lengths, directions = torch.linalg.svd(vectors, full_matrices=False)
    share = lengths.square() / lengths.square().sum().clamp(min=torch.finfo(torch.float64).tiny)
    shown = 2 if float(share[:2].sum()) > 1 - NEGLIGIBLE else 3
    axes = directions[:shown].T
    # A singular vector's sign is arbitrary: let its largest entry be positive, so that pictures do not flip.
    axes = axes * axes.gather(0, axes.abs().argmax(dim=0, keepdim=True)).sign()
    return Projection(axes, kept=float(share[:shown].sum()))
