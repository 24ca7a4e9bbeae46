"""Exercise `duality_gap` (notebook 07): the certificate of an optimum.

The multipliers lambda_i = -(gG)_ii make the tangent plane and their sum cancel, so what is left is the trace of a Gram
matrix, K, times how far the slack matrix is from being positive semidefinite.
"""

import torch
from torch import Tensor


def duality_gap(gram: Tensor, gradient: Tensor) -> Tensor:
    """<g, G> + sum(lambda) + K max(0, -smallest eigenvalue of g + Diag(lambda))."""
    multipliers = -(gradient * gram).sum(dim=1)
    slack = gradient + multipliers.diag()
    smallest = torch.linalg.eigvalsh(slack)[0]
    return (gradient * gram).sum() + multipliers.sum() + len(gram) * (-smallest).clamp(min=0)
