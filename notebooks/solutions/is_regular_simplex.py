"""Exercise `is_regular_simplex` (notebook 03): the three conditions of Definition 1, none of which can be left out.

All of them can be read off the inner products: ones on the diagonal, one and the same number elsewhere. The sum needs
no look of its own once that number is -1/(K - 1), but stating it is clearer.
"""

import torch
from torch import Tensor


def is_regular_simplex(points: Tensor) -> bool:
    """Whether the points sum to zero, have length 1 and equal inner products."""
    products = points @ points.T
    between = products[~torch.eye(len(points), dtype=torch.bool)]
    sums_to_zero = points.sum(dim=0).abs().max() < 1e-4
    unit_length = (products.diagonal() - 1).abs().max() < 1e-4
    equal_products = between.max() - between.min() < 1e-4
    return bool(sums_to_zero and unit_length and equal_products)
