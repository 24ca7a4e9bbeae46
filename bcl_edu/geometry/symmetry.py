r"""Equal classes: why their optimum is the simplex at every temperature, and what a slight imbalance does to it.

**Equal counts give the regular simplex, at every temperature** (collapsed classes, prototypes at the class means; SCL,
BCL and the losses between them). Let f(G) be the loss as a function of the Gram matrix of the class means.

1. f is convex, and renaming classes of equal counts does not change it. So the average of G over all renamings has
   f(average) <= f(G). It is (1 - d) I + d J: all cosines are one number d (`average_over_equal_classes`).
2. f grows with d, since every exponential of the denominators does.
3. The average is positive semidefinite: its eigenvalue along (1, ..., 1) is 1 + (K - 1) d >= 0, so d >= -1/(K - 1).

Hence f(G) >= f(simplex). Each term log(c_0 + sum_j c_j exp(.)) with c_0 > 0 is strictly convex in the cosines that it
reads, so nothing else attains it. For BCL this is the case of equal counts of Theorem 3, for any temperature.

**To first order, averaging the denominators removes one of two sources of bending.** Let the counts be nearly equal,
b_k = log n_k - mean log n, and large. The symmetric part of the loss's gradient at the simplex changes by

    anchors        each class weighs n_y / N:              (p / (2 K tau)) (b_i + b_j)             SCL and BCL
    denominators   class j has n_j terms, the own n_y:     (p / (2 K tau)) (b_i + b_j) K p         SCL only

with p = u / (1 + (K - 1) u), u = exp(-K / ((K - 1) tau)), the softmax weight of one other class. (The antisymmetric
part b_j - b_i of the second cancels; what is left comes from the normalisation of the softmax.) The Hessian and the
constraints are those of the balanced problem, the same for both losses. Solving S X = 0 (module `convex_program`) to
first order, the cosines become

    G_ij = -1/(K - 1) - kappa (b_i + b_j),   kappa = q / ( 2 (K - 1)(K - 2) / K  +  (2 - (K - 2) p) / tau ),

    q = 1 + K p for SCL,   1 for BCL,   0 with anchors averaged per class.

So BCL's deviation from the simplex is 1 / (1 + K p) of SCL's: about one half at high temperature (K p -> 1, two equal
sources), and practically the same at tau = 0.1 (K p < 0.001 for ten classes).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bcl_edu.geometry.collapse import group_classes
from bcl_edu.losses.named import contrastive_named


def average_over_equal_classes(
    gram: Float[Tensor, "k k"], class_counts: Sequence[float] | np.ndarray | Tensor
) -> Float[Tensor, "k k"]:
    """Average a Gram matrix over all permutations of classes that have equal counts.

    No convex function that treats such classes alike is larger at the average, so a minimum has this form: within a
    group of equal classes all cosines are equal, and so are those between two groups.

    Args:
        gram: products of class means, shape (K, K).
        class_counts: samples of each class, shape (K,); only their equality matters.

    Returns:
        The average in float64, shape (K, K).

    Raises:
        ValueError: the shapes disagree.
    """
    counts = np.asarray(class_counts, dtype=np.float64)
    if gram.shape != (len(counts), len(counts)):
        raise ValueError(f"gram has shape {tuple(gram.shape)}; expected ({len(counts)}, {len(counts)})")
    groups = group_classes(counts, 1)
    return torch.from_numpy(groups.to_classes(groups.to_rows(gram.detach().cpu().double().numpy())))


def first_order_gram(
    class_counts: Sequence[float] | np.ndarray | Tensor, loss: str = "bcl", *, temperature: float = 0.1
) -> Float[Tensor, "k k"]:
    """Cosines between class means at the optimum of slightly unequal classes, to first order in log n_k.

    -1/(K - 1) - kappa (b_i + b_j), as the module's docstring derives for collapsed classes, full batches, prototypes at
    the class means and many samples a class (n_k - 1 is taken for n_k).

    Args:
        class_counts: samples of each class, shape (K,), K >= 2.
        loss: one of the contrastive `LOSSES`.
        temperature: tau > 0.

    Returns:
        The Gram matrix with unit diagonal in float64, shape (K, K); positive semidefinite to first order only.

    Raises:
        ValueError: the loss is not contrastive, there are less than two classes, a count or tau is not above 0.
    """
    counts = torch.as_tensor(np.asarray(class_counts, dtype=np.float64))
    if counts.ndim != 1 or len(counts) < 2 or not (counts > 0).all():
        raise ValueError(f"class_counts is {counts.tolist()}; expected at least two numbers above 0")
    k = len(counts)
    share = _share_of_another_class(k, temperature)
    kind = contrastive_named(loss)
    sources = (0.0 if kind.class_balanced_anchors else 1.0) + (k * share if kind.averaging == "none" else 0.0)
    kappa = sources / (2 * (k - 1) * (k - 2) / k + (2 - (k - 2) * share) / temperature)
    log_count = counts.log() - counts.log().mean()
    gram = -1 / (k - 1) - kappa * (log_count[:, None] + log_count[None, :])
    return gram.fill_diagonal_(1.0)


def first_order_ratio(num_classes: int, temperature: float) -> float:
    """BCL's deviation from the simplex over SCL's, in the limit of equal classes: 1 / (1 + K p), between 1/2 and 1.

    Raises:
        ValueError: there are less than three classes (two are always a simplex), or tau is not above 0.
    """
    if num_classes < 3:
        raise ValueError(
            f"num_classes is {num_classes}; expected at least 3: two classes always form a simplex"
        )
    return 1 / (1 + num_classes * _share_of_another_class(num_classes, temperature))


def _share_of_another_class(num_classes: int, temperature: float) -> float:
    """Softmax weight p of one other class at the regular simplex."""
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; expected a number above 0")
    u = math.exp(-num_classes / ((num_classes - 1) * temperature))
    return u / (1 + (num_classes - 1) * u)
