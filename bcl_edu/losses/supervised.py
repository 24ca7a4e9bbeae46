"""Supervised contrastive learning, SCL (Eq. 1-2): what the paper starts from."""

from jaxtyping import Float, Int
from torch import Tensor

from bcl_edu.losses.contrastive import contrastive_loss


def supervised_contrastive_loss(
    embeddings: Float[Tensor, "n dim"],
    labels: Int[Tensor, " n"],
    *,
    temperature: float = 0.1,
    average_anchors: bool = False,
    check: bool = True,
) -> Float[Tensor, ""]:
    """Supervised contrastive loss of one batch (Eq. 1-2).

    For an anchor i of class y with positives B_y \\ {i},

        L_i = - mean_{p in B_y \\ {i}} log( exp(z_i . z_p / tau) / sum_{k in B \\ {i}} exp(z_i . z_k / tau) )

    The sum runs over samples, so a class of ten times the samples pushes with about ten times the force: that is
    what the other losses change. Table 2, row "+ SC".

    Args:
        embeddings: unit vectors z_i, all views concatenated, shape (n, dim), any float dtype.
        labels: class of each embedding, shape (n,), values 0 or more.
        temperature: tau > 0.
        average_anchors: average the anchors within each class first, then over the classes.
        check: also check values, which waits for the device.

    Returns:
        Mean of L_i over the anchors that have a positive, a scalar; 0, with a graph, where none has one.

    Raises:
        ValueError: as :func:`bcl_edu.losses.contrastive_loss`.

    Source: Khosla et al. (NeurIPS 2020), L_out; Zhu et al. (CVPR 2022), Eq. 1-2.
    """
    return contrastive_loss(
        embeddings,
        labels,
        averaging="none",
        complement=False,
        average_anchors=average_anchors,
        temperature=temperature,
        check=check,
    )
