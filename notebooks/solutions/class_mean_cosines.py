"""Exercise `class_mean_cosines` (notebook 01): how far apart the classes of a batch are.

The mean of unit vectors is shorter than 1 unless they all coincide, so it is scaled to length 1 before products are
taken.
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize


def class_mean_cosines(embeddings: Tensor, labels: Tensor) -> Tensor:
    """Cosines between the class means, shape (K, K)."""
    classes = range(int(labels.max()) + 1)
    means = torch.stack([embeddings[labels == k].mean(dim=0) for k in classes])
    means = normalize(means, dim=1)
    return means @ means.T
