"""Class-balanced focal loss: each class weighs by the inverse of its effective number of samples."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from bcl_edu.losses.checks import as_class_counts, check_class_counts, check_same_device
from bcl_edu.losses.focal import focal_losses


def class_balanced_weights(
    class_counts: Integer[Tensor, " k"] | Sequence[int] | np.ndarray,
    *,
    beta: float = 0.9999,
    check: bool = True,
) -> Float[Tensor, " k"]:
    """Weight of each class from its effective number of samples E_k = (1 - beta^N_k) / (1 - beta).

        w_k = K (1 / E_k) / sum_j (1 / E_j)

    so that the weights sum to the number of classes K. beta = 0 weighs all classes alike, beta -> 1 by inverse
    frequency: a new picture of a class with many resembles one that is already there.

    Args:
        class_counts: samples of each class in the training set, shape (k,), at least 1 each; a tensor, list or array.
        beta: 0 <= beta < 1.
        check: also check values, which waits for the device.

    Returns:
        Weights in float64, shape (k,).

    Raises:
        ValueError: beta is out of range, or a class has no training sample.

    Source: Cui et al., "Class-Balanced Loss Based on Effective Number of Samples" (CVPR 2019), Eq. 2 and section 4.
    """
    if not 0 <= beta < 1:
        raise ValueError(
            f"beta must be at least 0 and below 1, got {beta}; the usual values are 0.99 to 0.9999"
        )
    class_counts = as_class_counts(class_counts)
    check_class_counts(class_counts, len(class_counts), values=check)
    counts = class_counts.double()
    # 1 - beta^N without cancellation; xlogy is not needed: beta = 0 gives log 0 = -inf and expm1(-inf) = -1
    inverse = (1 - beta) / -torch.expm1(counts * torch.tensor(beta, dtype=torch.float64).log())
    return inverse * (len(counts) / inverse.sum())


def class_balanced_focal_loss(
    logits: Float[Tensor, "n k"],
    labels: Integer[Tensor, " n"],
    class_counts: Integer[Tensor, " k"] | Sequence[int] | np.ndarray,
    *,
    gamma: float = 2.0,
    beta: float = 0.9999,
    check: bool = True,
) -> Float[Tensor, ""]:
    """Class-balanced focal loss of one batch.

    For a sample of class y, with p_y = softmax(phi)_y and the weights w of `class_balanced_weights`,

        L = - w_y (1 - p_y)^gamma log p_y

    Cui et al. use k sigmoids; with softmax it is the form that long-tail comparisons use.

    Args:
        logits: classifier outputs phi, shape (n, k), any float dtype.
        labels: class of each row, shape (n,), values 0..k-1.
        class_counts: samples of each class in the *training set*, shape (k,), at least 1 each; a tensor, list or array.
        gamma: of the focal loss, 0 or more; 0 is class-balanced cross-entropy.
        beta: of the effective number of samples, 0 <= beta < 1.
        check: also check values, which waits for the device.

    Returns:
        Mean over the rows (not divided by the batch's sum of weights), a scalar: float64 if the logits are, else
        float32.

    Raises:
        ValueError: as `focal_loss` and `class_balanced_weights`, or the number of counts is not k.

    Source: Cui et al. (CVPR 2019), Eq. 11; Lin et al. (ICCV 2017).
    """
    losses = focal_losses(logits, labels, gamma=gamma, check=check)
    class_counts = as_class_counts(class_counts, device=logits.device)
    check_same_device(logits=logits, class_counts=class_counts)
    check_class_counts(class_counts, logits.shape[1], values=check)
    weights = class_balanced_weights(class_counts, beta=beta, check=False).to(losses.dtype)
    return (weights[labels.long()] * losses).mean()
