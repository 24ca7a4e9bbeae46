"""Measures of geometry: how far class means are from the regular simplex, and how collapsed the classes are.

Everything here looks at numbers that somebody else produced (embeddings, class means, classifier rows);
nothing trains, nothing draws. Embeddings of half precision are accumulated in float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bcl_edu.counting import counted


@dataclass(frozen=True)
class SimplexDeviation:
    """Deviation of class means from the regular simplex (simplex ETF), whose cosines are all -1/(K-1).

    Attributes:
        rms: root mean square, over i != j, of <mu_i, mu_j> + 1/(K-1); 0 at the regular simplex.
        smallest: the smallest of these K(K-1) entries (two classes further apart than in the simplex).
        largest: the largest of them (two classes closer than in the simplex).
        num_classes: K.
    """

    rms: float
    smallest: float
    largest: float
    num_classes: int

    @property
    def smallest_cosine(self) -> float:
        """The smallest cosine between two class means."""
        return self.smallest - 1 / (self.num_classes - 1)

    @property
    def largest_cosine(self) -> float:
        """The largest cosine between two class means; 1 means that two classes have merged."""
        return self.largest - 1 / (self.num_classes - 1)


def class_means(
    embeddings: Float[Tensor, "n d"], labels: Int[Tensor, " n"], num_classes: int
) -> Float[Tensor, "k d"]:
    """Mean embedding of each class, not normalised.

    Args:
        embeddings: one row a sample, shape (n, d).
        labels: class of each row, shape (n,), values 0..K-1.
        num_classes: K.

    Returns:
        Row k is the mean over the samples of class k, shape (K, d), float32 or wider.

    Raises:
        ValueError: shapes disagree, a label is outside 0..K-1, or a class has no sample. Such a class has no
            mean, so there is no row to return for it: leave it out (relabel) before calling.
    """
    counts = _class_counts(embeddings, labels, num_classes)
    wide = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
    sums = torch.zeros(num_classes, wide.shape[1], dtype=wide.dtype, device=wide.device)
    return sums.index_add_(0, labels.long(), wide) / counts[:, None]


def within_class_spread(
    embeddings: Float[Tensor, "n d"], labels: Int[Tensor, " n"], num_classes: int
) -> Float[Tensor, " k"]:
    """1 - ||mean of z|| of each class: 0 where the class has collapsed to one point, at most 1.

    For unit embeddings this is the circular (spherical) variance.

    Args:
        embeddings: unit vectors z_i, shape (n, d).
        labels: class of each row, shape (n,), values 0..K-1.
        num_classes: K.

    Returns:
        Spread of each class, shape (K,).

    Raises:
        ValueError: as ``class_means``.
    """
    return 1 - class_means(embeddings, labels, num_classes).norm(dim=1)


def cosine_matrix(means: Float[Tensor, "k d"]) -> Float[Tensor, "k k"]:
    """Cosines between class means: the Gram matrix G of the normalised rows.

    Raises:
        ValueError: a row is zero or not finite, so it has no direction.
    """
    directions = _unit_rows(means, "class mean")
    return directions @ directions.T


def simplex_deviation(means: Float[Tensor, "k d"]) -> SimplexDeviation:
    """How far class means are from the regular simplex, after normalising them.

    Args:
        means: class means mu_k, shape (K, d), K >= 2; they need not be of unit length.

    Returns:
        Root mean square, smallest and largest entry of <mu_i, mu_j> + 1/(K-1) over i != j.

    Raises:
        ValueError: fewer than two classes, or a mean that is zero or not finite.
    """
    num_classes = len(means)
    if num_classes < 2:
        raise ValueError(
            f"got {counted(num_classes, 'class mean')}; the deviation from a simplex needs at least two"
        )
    different = ~torch.eye(num_classes, dtype=torch.bool, device=means.device)
    entries = cosine_matrix(means)[different] + 1 / (num_classes - 1)
    return SimplexDeviation(
        rms=entries.square().mean().sqrt().item(),
        smallest=entries.min().item(),
        largest=entries.max().item(),
        num_classes=num_classes,
    )


def _class_counts(
    embeddings: Float[Tensor, "n d"], labels: Int[Tensor, " n"], num_classes: int
) -> Int[Tensor, " k"]:
    if embeddings.ndim != 2 or labels.shape != embeddings.shape[:1]:
        raise ValueError(
            f"embeddings have shape {tuple(embeddings.shape)} and labels {tuple(labels.shape)}; "
            "expected (n, d) and (n,)"
        )
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        outside = int(((labels < 0) | (labels >= num_classes)).nonzero()[0])
        raise ValueError(
            f"label {int(labels[outside])} at position {outside}, but there are {counted(num_classes, 'class')} "
            f"(labels must be 0..{num_classes - 1})"
        )
    counts = torch.bincount(labels.long(), minlength=num_classes)
    if not counts.all():
        absent = (counts == 0).nonzero().flatten().tolist()
        raise ValueError(
            f"no sample of class {absent[0]} ({len(absent)} of {counted(num_classes, 'class')} are absent): "
            "an absent class has no mean; relabel to the classes that are present"
        )
    return counts


def _unit_rows(rows: Float[Tensor, "k d"], what: str) -> Float[Tensor, "k d"]:
    norms = rows.norm(dim=1, keepdim=True)
    usable = (norms > 0) & norms.isfinite()
    if not usable.all():
        row = int((~usable[:, 0]).nonzero()[0])
        raise ValueError(f"{what} {row} has norm {norms[row].item()}: it has no direction")
    return rows / norms
