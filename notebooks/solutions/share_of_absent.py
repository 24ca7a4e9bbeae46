"""Exercise `share_of_absent` (notebook 12): who repels an anchor when most classes have no image in the batch.

Counting absent classes answers another question: images are nearer to one another than to prototypes, and each class
repels with the exponential of its similarity.
"""

import torch
from torch import Tensor


def share_of_absent(
    to_classes: Tensor, to_prototypes: Tensor, own: int, present: Tensor, temperature: float
) -> Tensor:
    """Share of the repulsion that comes from classes without an image."""
    force = (torch.where(present, to_classes, to_prototypes) / temperature).exp()
    force[own] = 0
    return force[~present].sum() / force.sum()
