r"""The regular simplex: as many points on a sphere as possible, all equally far apart.

Points zeta_1..zeta_K in R^h are the vertices of a regular simplex inscribed in the sphere of radius rho if

    (a) sum_k zeta_k = 0,     (b) |zeta_k| = rho,     (c) zeta_i . zeta_j = d for all i != j.

From (a) and (b), 0 = |sum zeta_k|^2 = K rho^2 + K (K - 1) d, so d = -rho^2 / (K - 1): no K vectors can be further apart
all at once. It needs K <= h + 1: the Gram matrix (rho^2 - d) I + d 11' has rank K - 1, and vectors of R^h have rank at
most h.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class SimplexCheck:
    """The three conditions of the definition, and by how much each is missed.

    Attributes:
        centred: whether (a) holds: the points sum to zero.
        equal_norms: whether (b) holds.
        equal_products: whether (c) holds: every two points have the same inner product.
        centre_error: norm of the mean point, relative to the mean norm.
        norm_error: largest difference of a norm from their mean, relative to it.
        product_error: largest difference of a product from their mean, relative to the mean squared norm.
        reason: why it is no regular simplex, in words; empty if it is one.
    """

    centred: bool
    equal_norms: bool
    equal_products: bool
    centre_error: float
    norm_error: float
    product_error: float
    reason: str

    @property
    def is_regular(self) -> bool:
        """True if all three conditions hold."""
        return not self.reason


def regular_simplex(
    num_classes: int, dimension: int | None = None, *, radius: float = 1.0, dtype: torch.dtype = torch.float64
) -> Float[Tensor, "k h"]:
    """Vertices of a regular simplex, each new one along one new axis.

    The first points along the first axis; every further vertex uses one axis more (coordinates below the diagonal), so
    that three classes lie in the plane and four in space without any projection.

    Args:
        num_classes: K >= 1.
        dimension: h >= K - 1; K - 1 if left out (1 for K = 1). Further coordinates are zero.
        radius: rho > 0.
        dtype: of the result.

    Returns:
        One vertex a row, shape (K, h).

    Raises:
        ValueError: K > h + 1, or an argument is out of its range.

    Source: Zhu et al. (CVPR 2022), section 3, conditions (1) to (3).
    """
    if num_classes < 1 or radius <= 0:
        raise ValueError(f"num_classes is {num_classes} and radius {radius}; expected K >= 1 and radius > 0")
    if dimension is None:
        dimension = max(num_classes - 1, 1)
    if num_classes > dimension + 1:
        raise ValueError(
            f"no regular simplex of {num_classes} points in {dimension} dimension(s): its Gram matrix has rank "
            f"K - 1 = {num_classes - 1}, vectors there have rank at most h = {dimension}; K <= h + 1 is needed"
        )
    if num_classes == 1:
        single = torch.zeros(1, dimension, dtype=dtype)
        single[0, 0] = radius
        return single
    vertices = torch.zeros(num_classes, dimension, dtype=torch.float64)
    product = -1 / (num_classes - 1)
    for axis in range(num_classes - 1):
        used = vertices[axis, :axis].square().sum()
        vertices[axis, axis] = (1 - used).sqrt()
        # all later vertices have the same coordinate here, set by their product with this one
        already = vertices[axis + 1 :, :axis] @ vertices[axis, :axis]
        vertices[axis + 1 :, axis] = (product - already) / vertices[axis, axis]
    return (radius * vertices).to(dtype)


def check_regular_simplex(points: Float[Tensor, "k h"], *, tolerance: float = 1e-6) -> SimplexCheck:
    """Check the three conditions of the definition, with the reason where one fails.

    Args:
        points: zeta_k, one a row, shape (K, h), K >= 2.
        tolerance: how much each relative error may be.

    Returns:
        Each condition, its error, and the reason why the points are no regular simplex ("" if they are).

    Raises:
        ValueError: fewer than two points, all of them zero, or one not finite.
    """
    if len(points) < 2 or not points.isfinite().all() or not points.any():
        raise ValueError(f"got {len(points)} point(s); expected at least two, finite and not all zero")
    points = points.double()
    num_classes, dimension = points.shape
    norms = points.norm(dim=1)
    different = ~torch.eye(num_classes, dtype=torch.bool, device=points.device)
    products = (points @ points.T)[different]
    centre_error = (points.mean(dim=0).norm() / norms.mean()).item()
    norm_error = ((norms - norms.mean()).abs().max() / norms.mean()).item()
    product_error = ((products - products.mean()).abs().max() / norms.square().mean()).item()

    reasons = []
    if centre_error > tolerance:
        reasons.append(f"(a) fails: the mean point has {centre_error:.2g} of the mean norm, not 0")
    if norm_error > tolerance:
        reasons.append(f"(b) fails: norms range from {norms.min():.4g} to {norms.max():.4g}")
    if product_error > tolerance:
        reasons.append(f"(c) fails: products range from {products.min():.4g} to {products.max():.4g}")
    if reasons and num_classes > dimension + 1:
        reasons.append(f"K = {num_classes} points cannot be one in h = {dimension} dimensions: K > h + 1")
    return SimplexCheck(
        centred=centre_error <= tolerance,
        equal_norms=norm_error <= tolerance,
        equal_products=product_error <= tolerance,
        centre_error=centre_error,
        norm_error=norm_error,
        product_error=product_error,
        reason="; ".join(reasons),
    )
