"""The classifier branch's loss, logit compensation (Eq. 10), and its sum with the contrastive branch's (Eq. 11)."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from bcl_edu.losses.checks import (
    as_class_counts,
    check_class_counts,
    check_labels,
    check_logits,
    check_same_device,
)


def logit_compensated_cross_entropy(
    logits: Float[Tensor, "n k"],
    labels: Integer[Tensor, " n"],
    class_counts: Integer[Tensor, " k"] | Sequence[int] | np.ndarray,
    *,
    check: bool = True,
) -> Float[Tensor, ""]:
    """Cross-entropy of logits shifted by the logarithm of the class prior (Eq. 10, alpha_y = 1, delta_y = log P_y).

    For a sample of class y with classifier outputs phi_j,

        L = log( 1 + sum_{j != y} exp(delta_j - delta_y) exp(phi_j - phi_y) ),    delta_j = log(N_j / N)

    A tail class must win by a margin in training, so that it is not outvoted by its prior in the balanced test.
    Equal counts give plain cross-entropy. Half precision is computed in float32, also under autocast.

    Args:
        logits: classifier outputs phi, shape (n, k), any float dtype.
        labels: class of each row, shape (n,), values 0..k-1.
        class_counts: samples of each class in the *training set* (never in the batch), shape (k,), at least 1 each;
            a tensor, list or array.
        check: also check values, which waits for the device.

    Returns:
        Mean over the rows, a scalar: float64 if the logits are, else float32.

    Raises:
        ValueError: shapes, dtypes or devices disagree, a label is out of range, a logit is not finite, or a class
            has no training sample (its prior would be zero and its margin infinite).

    Source: Zhu et al. (CVPR 2022), Eq. 10; Menon et al. (ICLR 2021).
    """
    check_logits(logits, values=check)
    class_counts = as_class_counts(class_counts, device=logits.device)
    check_same_device(logits=logits, labels=labels, class_counts=class_counts)
    check_class_counts(class_counts, logits.shape[1], values=check)
    check_labels(labels, len(logits), logits.shape[1], rows="logits", classes="logits", values=check)

    phi = logits.to(torch.promote_types(logits.dtype, torch.float32))
    counts = class_counts.to(phi.dtype)
    compensated = phi + (counts / counts.sum()).log()  # phi_j + delta_j
    of_own_class = compensated.gather(1, labels.long()[:, None]).squeeze(1)
    return (compensated.logsumexp(dim=1) - of_own_class).mean()


def weighted_total(
    classification: Float[Tensor, ""], contrastive: Float[Tensor, ""], *, lambda_: float, mu: float
) -> Float[Tensor, ""]:
    """Weighted total of the classification and the contrastive loss: L = lambda L_LC + mu L_BCL (Eq. 11).

    Args:
        classification: the loss of the classifier branch, a scalar.
        contrastive: the loss of the contrastive branch, a scalar.
        lambda_: weight of the first, 0 or more; the paper trains CIFAR with 2.0, the large sets with 1.0.
        mu: weight of the second, 0 or more; the paper trains CIFAR with 0.6, the large sets with 0.35.

    Returns:
        A scalar.

    Raises:
        ValueError: a weight is negative or not a number.

    Source: Zhu et al. (CVPR 2022), Eq. 11.
    """
    for name, weight in (("lambda_", lambda_), ("mu", mu)):
        if not weight >= 0:
            raise ValueError(f"{name} must be 0 or more, got {weight}; 0 leaves that branch out")
    return lambda_ * classification + mu * contrastive
