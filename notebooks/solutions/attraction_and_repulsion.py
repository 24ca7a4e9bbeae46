"""Exercise `attraction_and_repulsion` (notebook 04): the two terms in the exponent of Theorem 1.

Both are means over samples. That is why a head class dominates the repulsion: most samples of other classes are its.
"""

import torch
from torch import Tensor


def attraction_and_repulsion(embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean similarity of each anchor to its class without itself, and to all other classes' samples."""
    similarity = embeddings @ embeddings.T
    same = labels[:, None] == labels[None, :]
    positive = same & ~torch.eye(len(labels), dtype=torch.bool)
    attraction = (similarity * positive).sum(dim=1) / positive.sum(dim=1)  # over B_y \ {i}
    repulsion = (similarity * ~same).sum(dim=1) / (~same).sum(dim=1)  # over the complement of B_y
    return attraction, repulsion
