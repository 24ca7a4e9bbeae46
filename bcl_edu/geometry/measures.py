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


@dataclass(frozen=True)
class ClassifierAlignment:
    """Agreement of classifier rows and class means (neural collapse, NC3: self-duality).

    Attributes:
        cosines: cosine between a class's centred classifier row and its centred mean, shape (K,).
        mean_cosine: their mean; 1 when every row points along its class mean.
        distance: ||W/||W|| - M/||M|| || in Frobenius norm; 0 when W is a multiple of M.
    """

    cosines: Float[Tensor, " k"]
    mean_cosine: float
    distance: float


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
    """Distance of class means from the regular simplex, after normalising them.

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


def effective_rank(matrix: Float[Tensor, "n d"]) -> float:
    """exp(entropy of the singular values over their sum): the number of directions that are really used.

    K - 1 for a regular simplex of K classes, 1 when all rows lie on one line.

    Args:
        matrix: rows are vectors (class means or embeddings), shape (n, d); it is not centred first.

    Raises:
        ValueError: the matrix is zero or not finite.

    Source: Roy & Vetterli, The effective rank (EUSIPCO 2007).
    """
    wide = matrix.detach().to(torch.promote_types(matrix.dtype, torch.float32))
    if not wide.isfinite().all() or not wide.any():
        raise ValueError("effective_rank needs a finite matrix that is not zero")
    singular = torch.linalg.svdvals(wide)
    share = singular / singular.sum()
    return torch.special.entr(share).sum().exp().item()


def classifier_alignment(weight: Float[Tensor, "k d"], means: Float[Tensor, "k d"]) -> ClassifierAlignment:
    """Agreement of classifier rows with class means (neural collapse, NC3).

    Both are centred over the classes first: adding one vector to all rows of a classifier changes no
    prediction, and the mean of all features carries no class.

    Args:
        weight: classifier rows, shape (K, d), K >= 2.
        means: class means of the features the classifier reads, shape (K, d).

    Returns:
        Cosine per class, their mean, and the distance between the two after scaling both to norm 1.

    Raises:
        ValueError: shapes disagree, fewer than two classes, or a centred row is zero or not finite.

    Source: Papyan, Han & Donoho, Prevalence of neural collapse (PNAS 2020), NC3.
    """
    if weight.shape != means.shape or len(weight) < 2:
        raise ValueError(
            f"weight has shape {tuple(weight.shape)} and means {tuple(means.shape)}; "
            "both must be (K, d) with the same K >= 2 and d"
        )
    rows, centres = (_centred(part) for part in (weight, means))
    cosines = (_unit_rows(rows, "centred classifier row") * _unit_rows(centres, "centred class mean")).sum(
        dim=1
    )
    distance = (rows / rows.norm() - centres / centres.norm()).norm()
    return ClassifierAlignment(cosines, cosines.mean().item(), distance.item())


def within_class_variability(
    features: Float[Tensor, "n d"], labels: Int[Tensor, " n"], num_classes: int
) -> float:
    """tr(S_W pinv(S_B)) / K (neural collapse, NC1): 0 when every class has collapsed to its mean.

    S_W is the covariance of samples about their class mean, S_B that of the class means about their mean;
    both weigh classes alike, so that a head class does not drown a tail class.

    Raises:
        ValueError: as ``class_means``; or all class means coincide, so that there is nothing to compare with.

    Source: Papyan, Han & Donoho (PNAS 2020), NC1, with class-balanced S_W.
    """
    means = class_means(features, labels, num_classes)
    index = labels.long()
    counts = torch.bincount(index, minlength=num_classes).to(means.dtype)
    # dividing each sample by sqrt(n_k K) makes S_W a plain product, with every class at weight 1/K
    residual = (features.to(means.dtype) - means[index]) / (counts[index] * num_classes).sqrt()[:, None]
    between = _centred(means) / num_classes**0.5
    if not between.any():
        raise ValueError("all class means coincide: within-class variability relative to them is undefined")
    # tr(R'R pinv(C'C)) = ||R pinv(C)||^2, which squares no condition number; centring took one rank away
    tolerance = torch.finfo(means.dtype).eps ** 0.75
    return (residual @ torch.linalg.pinv(between, rtol=tolerance)).square().sum().item() / num_classes


def norm_variation(means: Float[Tensor, "k d"]) -> float:
    """Standard deviation over mean of the norms of the centred class means (neural collapse, NC2).

    0 when all class means are equally far from their common centre.

    Raises:
        ValueError: all class means coincide.

    Source: Papyan, Han & Donoho (PNAS 2020), NC2.
    """
    norms = _centred(means).norm(dim=1)
    if not norms.any():
        raise ValueError("all class means coincide: their norms about the centre are all zero")
    return (norms.std(correction=0) / norms.mean()).item()


def nearest_mean_agreement(
    features: Float[Tensor, "n d"], predictions: Int[Tensor, " n"], means: Float[Tensor, "k d"]
) -> float:
    """Share of samples whose predicted class is that of the nearest class mean (neural collapse, NC4).

    Args:
        features: what the classifier reads, shape (n, d).
        predictions: the classifier's answers, shape (n,).
        means: class means of the (training) features, shape (K, d).

    Source: Papyan, Han & Donoho (PNAS 2020), NC4.
    """
    nearest = torch.cdist(features, means.to(features.dtype)).argmin(dim=1)
    return (nearest == predictions).double().mean().item()


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


def _centred(rows: Float[Tensor, "k d"]) -> Float[Tensor, "k d"]:
    return rows - rows.mean(dim=0)


def _unit_rows(rows: Float[Tensor, "k d"], what: str) -> Float[Tensor, "k d"]:
    norms = rows.norm(dim=1, keepdim=True)
    usable = (norms > 0) & norms.isfinite()
    if not usable.all():
        row = int((~usable[:, 0]).nonzero()[0])
        raise ValueError(f"{what} {row} has norm {norms[row].item()}: it has no direction")
    return rows / norms
