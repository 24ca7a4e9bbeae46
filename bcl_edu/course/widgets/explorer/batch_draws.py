"""The mini-batches of the simplex explorer: a seeded sample that browser and Python draw alike.

Rare classes are almost never in the same batch, and the angle between them depends on the few batches in which they
are. So batches are drawn by pairs: for every ordered pair of classes (a, b) the same number of batches whose first
image is of class a and whose second is of class b, the others drawn without replacement. A batch with counts n then
weighs what undoes the favour (importance sampling from a mixture):

    p(n) / q(n) = 1 / mean over (a, b) of [n_a n_b / (N_a N_b)] [N (N - 1) / (B (B - 1))]

(for a = b, n_a (n_a - 1) and N_a (N_a - 1)), and the weights are divided by their sum. Image t of batch m is chosen by
a 32-bit hash of (m, t), in whole numbers only, so that `browser/batches.js` gets the same batches; and a slightly
different profile gives slightly different ones.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bcl_edu.geometry.compositions import BatchCompositions

SAMPLED_BATCHES = 500
"""About so many batches, the same number for every ordered pair of classes."""


def explorer_batches(
    class_counts: Float[np.ndarray, " k"],
    batch_size: int,
    *,
    views: int = 2,
    num_batches: int = SAMPLED_BATCHES,
) -> BatchCompositions:
    """A weighted sample of mini-batch compositions in which every pair of classes meets.

    Args:
        class_counts: images of each class, whole numbers from 2 up, shape (K,).
        batch_size: images in a batch, B.
        views: embeddings of each image; every count is multiplied by it.
        num_batches: rounded up to a multiple of K^2.

    Raises:
        ValueError: a class has fewer than two images, or the batch does not fit.
    """
    population = np.asarray(class_counts, dtype=np.int64)
    total = int(population.sum())
    if not (population == class_counts).all() or population.min() < 2:
        raise ValueError(
            f"class counts are {class_counts}; expected whole numbers, at least 2 images a class"
        )
    if not 2 <= batch_size <= total:
        raise ValueError(f"batch_size is {batch_size}; expected 2 to the {total} images there are")

    num_classes = len(population)
    number = -(-num_batches // num_classes**2) * num_classes**2
    batch = np.arange(number)
    pair = batch % num_classes**2
    left = np.tile(population, (number, 1))
    left[batch, pair // num_classes] -= 1
    left[batch, pair % num_classes] -= 1
    for image in range(2, batch_size):
        position = (_hash(batch, image) * np.uint64(total - image)) >> np.uint64(32)
        drawn = (position[:, None].astype(np.int64) >= left.cumsum(axis=1)).sum(axis=1)
        left[batch, drawn] -= 1

    counts = (population - left).astype(np.float64)
    share = counts / population
    again = (counts - 1) / (population - 1)
    favour = share.sum(axis=1) ** 2 - (share**2).sum(axis=1) + (share * again).sum(axis=1)
    weight = 1 / favour
    return BatchCompositions(counts * views, weight / weight.sum(), population.astype(np.float64))


def _hash(batch: np.ndarray, image: int) -> np.ndarray:
    """32 bits for image t of batch m, by two rounds of a multiplicative hash (splitmix32's finaliser)."""
    mask = np.uint64(0xFFFFFFFF)
    word = (batch.astype(np.uint64) * np.uint64(0x9E3779B1) & mask) ^ _mix(
        np.array([image + 1], dtype=np.uint64)
    )
    return _mix(word)


def _mix(word: np.ndarray) -> np.ndarray:
    mask = np.uint64(0xFFFFFFFF)
    word = (word ^ (word >> np.uint64(16))) * np.uint64(0x21F0AAAD) & mask
    word = (word ^ (word >> np.uint64(15))) * np.uint64(0x735A2D97) & mask
    return word ^ (word >> np.uint64(15))
