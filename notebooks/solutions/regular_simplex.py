"""Exercise `regular_simplex` (notebook 03): K points on the unit sphere, all equally far apart.

Move the K coordinate axes so that they sum to zero: they are then still equally far apart. They span K - 1 of the K
dimensions; coordinates in a basis of that subspace keep all lengths and angles.
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize


def regular_simplex(num_classes: int, dimension: int) -> Tensor:
    """The vertices zeta_k, one a row, shape (K, h)."""
    centred = torch.eye(num_classes, dtype=torch.float64) - 1 / num_classes
    vertices = normalize(centred, dim=1)
    _, _, axes = torch.linalg.svd(
        vertices
    )  # rows: an orthonormal basis; the last one is not used by any vertex
    coordinates = vertices @ axes[: num_classes - 1].T  # shape (K, K - 1)
    unused = torch.zeros(num_classes, dimension - (num_classes - 1), dtype=torch.float64)
    return torch.cat([coordinates, unused], dim=1)
