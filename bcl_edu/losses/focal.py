"""Focal loss: cross-entropy that gives less weight to samples that are classified well already."""

import math

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from bcl_edu.losses.checks import check_labels, check_logits, check_same_device


def focal_loss(
    logits: Float[Tensor, "n k"], labels: Integer[Tensor, " n"], *, gamma: float = 2.0, check: bool = True
) -> Float[Tensor, ""]:
    """Focal loss of one batch, for k classes that exclude each other.

    For a sample of class y with p_y = softmax(phi)_y,

        L = - (1 - p_y)^gamma log p_y

    so that a sample classified with confidence weighs little, whatever its class; gamma = 0 is cross-entropy.
    Lin et al. write it for two classes (their Eq. 4); with softmax in the place of the sigmoid it is the form that
    long-tail comparisons use.

    Args:
        logits: classifier outputs phi, shape (n, k), any float dtype.
        labels: class of each row, shape (n,), values 0..k-1.
        gamma: 0 or more; Lin et al. find 2 best.
        check: also check values, which waits for the device.

    Returns:
        Mean over the rows, a scalar: float64 if the logits are, else float32.

    Raises:
        ValueError: shapes, dtypes or devices disagree, a label is out of range, a logit is not finite, or gamma is
            negative.

    Source: Lin et al., "Focal Loss for Dense Object Detection" (ICCV 2017), Eq. 4.
    """
    return focal_losses(logits, labels, gamma=gamma, check=check).mean()


def focal_losses(
    logits: Float[Tensor, "n k"], labels: Integer[Tensor, " n"], *, gamma: float, check: bool
) -> Float[Tensor, " n"]:
    """The loss of each row; arguments and errors as in `focal_loss`."""
    if not (math.isfinite(gamma) and gamma >= 0):
        raise ValueError(f"gamma must be a finite number of at least 0, got {gamma}; 2 is the usual one")
    check_logits(logits, values=check)
    check_same_device(logits=logits, labels=labels)
    check_labels(labels, len(logits), logits.shape[1], rows="logits", classes="logits", values=check)

    phi = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if (
        logits.shape[1] == 1
    ):  # p_y is 1 whatever phi is, and log(1 - p_y) below has neither value nor gradient
        return 0 * phi[:, 0]
    true = labels.long()[:, None]
    total = phi.logsumexp(dim=1)
    log_p = phi.gather(1, true).squeeze(1) - total
    # log(1 - p_y) from the other classes: 1 - p_y itself rounds to 0, where its power has no derivative
    log_rest = phi.scatter(1, true, -torch.inf).logsumexp(dim=1) - total
    return -(gamma * log_rest).exp() * log_p
