"""Balanced contrastive learning, BCL (Eq. 9): class-averaging and class-complement together."""

from jaxtyping import Float, Int
from torch import Tensor

from bcl_edu.losses.contrastive import contrastive_loss


def balanced_contrastive_loss(
    embeddings: Float[Tensor, "n dim"],
    labels: Int[Tensor, " n"],
    prototypes: Float[Tensor, "k dim"],
    *,
    temperature: float = 0.1,
    average_anchors: bool = False,
    check: bool = True,
) -> Float[Tensor, ""]:
    """Balanced contrastive loss of one batch (Eq. 9).

    For an anchor i of class y, with positives P_i = (B_y \\ {i}) + {c_y}, which are n_y terms,

        L_i = - mean_{p in P_i} log( exp(z_i . z_p / tau) / D_i )
        D_i = mean_{k in P_i} exp(z_i . z_k / tau) + sum_{j != y} mean_{k in B_j + {c_j}} exp(z_i . z_k / tau)

    so that each of the k classes has one term, whether it has samples in the batch (n_j + 1 terms averaged) or not
    (its prototype alone). Table 1, row L1; Table 2, the last row.

    Args:
        embeddings: unit vectors z_i, all views concatenated, shape (n, dim), any float dtype.
        labels: class of each embedding, shape (n,), values 0..k-1.
        prototypes: unit vectors c_j, row j for class j, shape (k, dim); contrast and positives, never anchors.
        temperature: tau > 0.
        average_anchors: average the anchors within each class first, then over the classes of the batch. Averaging
            the denominator balances what repels an anchor, not the anchors: those of the head still outvote those
            of the tail, and Theorem 3 needs this when class counts differ. Off by default: Eq. 9 is what the paper
            trains.
        check: also check values, which waits for the device.

    Returns:
        Mean of L_i over all anchors, a scalar: the value of the authors' published ``BalSCL`` for two views.

    Raises:
        ValueError: as :func:`bcl_edu.losses.contrastive_loss`.

    Source: Zhu et al. (CVPR 2022), Eq. 9.
    """
    return contrastive_loss(
        embeddings,
        labels,
        prototypes,
        averaging="outside",
        complement=True,
        average_anchors=average_anchors,
        temperature=temperature,
        check=check,
    )
