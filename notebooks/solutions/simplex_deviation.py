"""Exercise `simplex_deviation` (notebook 03): how far class means are from the regular simplex.

The cosines of all pairs of different classes, compared with the one number that they all are in the simplex.
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize


def simplex_deviation(means: Tensor) -> Tensor:
    """Root mean square of <mu_i, mu_j> + 1 / (K - 1) over i != j, the means normalised."""
    num_classes = len(means)
    directions = normalize(means, dim=1)
    cosines = directions @ directions.T
    between = cosines[~torch.eye(num_classes, dtype=torch.bool)]
    return (between + 1 / (num_classes - 1)).square().mean().sqrt()
