"""A validation split: some of the training images, held out by class, seeded."""

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from bcl_edu.counting import counted
from bcl_edu.data.long_tail import long_tailed_subset


def stratified_split(
    labels: Int64[Tensor, " n"], fraction: float, seed: int = 0
) -> tuple[Int64[Tensor, " kept"], Int64[Tensor, " held_out"]]:
    """Positions that stay in the training set, and those held out, with nearly the same fraction of every class.

    Of n images of a class, fraction * n are held out, rounded, but at least one where there are two, and never all.
    A class with one image keeps it.

    Args:
        labels: class of each image, shape (n,).
        fraction: share of each class to hold out, above 0 and below 1.
        seed: 0 or more; another seed holds out other images.

    Returns:
        Both in the order of ``labels``.

    Raises:
        ValueError: the fraction or the seed is out of range, or no class has two images.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"the validation fraction is {fraction}; expected a share above 0 and below 1")
    counts = torch.bincount(labels)
    held_out = (counts * fraction + 0.5).long().clamp(min=1).minimum((counts - 1).clamp(min=0))
    if not held_out.any():
        raise ValueError(
            f"no class of {counted(len(labels), 'image')} has two of them, so that none can be held out"
        )
    chosen = long_tailed_subset(labels, held_out, seed).sort().values
    kept = torch.from_numpy(np.setdiff1d(np.arange(len(labels)), chosen.numpy()))
    return kept, chosen
