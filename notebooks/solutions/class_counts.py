"""Exercise `class_counts` (notebook 02): how many images each class keeps.

From the first class to the last there are K - 1 steps, and all of them together divide by the imbalance factor: each
one divides by IF^(1 / (K - 1)). Rounding down leaves whole images.
"""

import torch
from torch import Tensor


def class_counts(n_max: int, num_classes: int, imbalance_factor: float) -> Tensor:
    """n_k = floor(n_max IF^(-k / (K - 1))), shape (K,)."""
    k = torch.arange(num_classes, dtype=torch.float64)  # 0 for the most frequent class
    return (n_max * imbalance_factor ** (-k / (num_classes - 1))).floor().long()
