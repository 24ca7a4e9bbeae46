"""Exercise `pair_pushes` (notebook 08): what the class-averaged denominator does where all classes are at one point.

There all K terms of every anchor's denominator are equal, so the softmax weight of another class is 1/K, whatever its
size. The cosine of classes i and j stands in the losses of the anchors of i, who are a share p_i of all, and of j.
"""

import torch
from torch import Tensor


def pair_pushes(class_counts: list[int], temperature: float) -> Tensor:
    """(p_i + p_j) / (K tau) for each two classes."""
    p = torch.tensor(class_counts, dtype=torch.float64)
    p = p / p.sum()
    pushes = (p[:, None] + p[None, :]) / (len(p) * temperature)
    return pushes.fill_diagonal_(0)
