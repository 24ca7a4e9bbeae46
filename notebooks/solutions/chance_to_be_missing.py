"""Exercise `chance_to_be_missing` (notebook 08): a batch misses a class if all its images are of other classes.

There are as many such batches as ways to choose all images from the others; divide by all ways to choose.
"""

import math

import torch
from torch import Tensor


def chance_to_be_missing(class_counts: list[int], batch_size: int) -> Tensor:
    """The hypergeometric distribution at zero, for each class."""
    images = sum(class_counts)
    without = [math.comb(images - n, batch_size) for n in class_counts]
    return torch.tensor(without, dtype=torch.float64) / math.comb(images, batch_size)
