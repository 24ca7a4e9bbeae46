"""Batch compositions: how many samples of each class a batch holds, which is all that a loss sees of a long tail.

At collapse (every sample at its class mean) a batch *is* its vector of class counts. Training on mini-batches
therefore minimises an average over the distribution of such vectors: one vector for full batches, every possible one
with its probability where there are few, a seeded sample of them elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

MOST_COMPOSITIONS = 200_000
"""`every_batch` lists no more than this; above, sample."""


@dataclass(frozen=True)
class BatchCompositions:
    """A distribution of batch compositions.

    Attributes:
        counts: samples of each class in each batch (all views counted), shape (C, K), not all 0 in a row.
        probabilities: how often each composition occurs, shape (C,), summing to 1.
        class_counts: samples of each class in the training set, shape (K,). Classes with equal counts are
            exchangeable: the solver uses it.
    """

    counts: Float[np.ndarray, "c k"]
    probabilities: Float[np.ndarray, " c"]
    class_counts: Float[np.ndarray, " k"]

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.class_counts)


def full_batch(class_counts: Sequence[float] | np.ndarray | torch.Tensor) -> BatchCompositions:
    """The whole training set as one batch.

    Args:
        class_counts: n_k > 0, shape (K,). They need not be whole numbers: a profile without its floor has no jumps,
            which suits a slider.

    Raises:
        ValueError: fewer than two classes, or a count that is not a finite number above 0.
    """
    counts = _checked_counts(class_counts)
    return BatchCompositions(counts[None, :], np.ones(1), counts)


def every_batch(
    class_counts: Sequence[int] | np.ndarray | torch.Tensor, batch_size: int, *, views: int = 2
) -> BatchCompositions:
    """Every composition of a mini-batch drawn without replacement, with its exact probability.

    The batches of a shuffled epoch have this distribution one by one (multivariate hypergeometric).

    Args:
        class_counts: images of each class in the training set, whole numbers, shape (K,).
        batch_size: images in a batch.
        views: embeddings of each image in the contrastive loss; every count is multiplied by it.

    Raises:
        ValueError: the counts are not whole numbers, the batch does not fit, or there are more than 200,000
            compositions (use `sampled_batches`).
    """
    population = _whole_counts(class_counts, batch_size, views)
    number = _number_of_compositions(population, batch_size)
    if number > MOST_COMPOSITIONS:
        raise ValueError(
            f"batches of {batch_size} from {len(population)} classes have {number:,} compositions, more than "
            f"{MOST_COMPOSITIONS:,}; use sampled_batches"
        )
    counts = np.array(list(_compositions(population.tolist(), batch_size)), dtype=np.float64)
    ways = np.array(
        [
            math.prod(math.comb(n, int(c)) for n, c in zip(population.tolist(), row, strict=True))
            for row in counts
        ],
        dtype=object,
    )
    total = math.comb(int(population.sum()), batch_size)
    probabilities = np.array([int(w) / total for w in ways])
    return BatchCompositions(counts * views, probabilities, population.astype(np.float64))


def sampled_batches(
    class_counts: Sequence[int] | np.ndarray | torch.Tensor,
    batch_size: int,
    *,
    num_batches: int = 1000,
    views: int = 2,
    seed: int = 0,
) -> BatchCompositions:
    """A seeded sample of mini-batch compositions, each drawn without replacement.

    Args:
        class_counts: images of each class in the training set, whole numbers, shape (K,).
        batch_size: images in a batch.
        num_batches: how many batches to draw.
        views: embeddings of each image in the contrastive loss; every count is multiplied by it.
        seed: of the draws.

    Raises:
        ValueError: the counts are not whole numbers, the batch does not fit, or num_batches < 1.
    """
    population = _whole_counts(class_counts, batch_size, views)
    if num_batches < 1:
        raise ValueError(f"num_batches is {num_batches}; expected at least 1")
    draws = np.random.default_rng(seed).multivariate_hypergeometric(
        population, batch_size, size=num_batches, method="marginals"
    )
    counts, times = np.unique(draws, axis=0, return_counts=True)
    return BatchCompositions(
        counts.astype(np.float64) * views, times / num_batches, population.astype(np.float64)
    )


def _checked_counts(class_counts: Sequence[float] | np.ndarray | torch.Tensor) -> Float[np.ndarray, " k"]:
    counts = np.asarray(class_counts, dtype=np.float64)
    if counts.ndim != 1 or len(counts) < 2:
        raise ValueError(f"class_counts has shape {counts.shape}; expected (K,) with K >= 2")
    if not (np.isfinite(counts).all() and (counts > 0).all()):
        wrong = int(np.flatnonzero(~(np.isfinite(counts) & (counts > 0)))[0])
        raise ValueError(f"class_counts[{wrong}] is {counts[wrong]}; expected a finite number above 0")
    return counts


def _whole_counts(
    class_counts: Sequence[int] | np.ndarray | torch.Tensor, batch_size: int, views: int
) -> np.ndarray:
    counts = _checked_counts(class_counts)
    if not (counts == np.floor(counts)).all():
        raise ValueError("mini-batches are drawn from whole images: class_counts must be whole numbers")
    if not 1 <= batch_size <= counts.sum():
        raise ValueError(
            f"batch_size is {batch_size}; expected 1 to the {int(counts.sum())} images there are"
        )
    if views < 1:
        raise ValueError(f"views is {views}; expected at least 1")
    return counts.astype(np.int64)


def _number_of_compositions(population: np.ndarray, batch_size: int) -> int:
    """Coefficient of x^batch_size in prod_k (1 + x + ... + x^n_k), in whole numbers of any size."""
    ways = [1] + [0] * batch_size
    for n in population.tolist():
        running, nxt = 0, []
        for size in range(batch_size + 1):
            running += ways[size] - (ways[size - n - 1] if size > n else 0)
            nxt.append(running)
        ways = nxt
    return ways[batch_size]


def _compositions(population: list[int], batch_size: int) -> Iterator[tuple[int, ...]]:
    if len(population) == 1:
        yield (batch_size,)
        return
    rest = sum(population[1:])
    for n in range(max(0, batch_size - rest), min(population[0], batch_size) + 1):
        for others in _compositions(population[1:], batch_size - n):
            yield (n, *others)
