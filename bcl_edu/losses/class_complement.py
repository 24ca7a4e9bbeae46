"""Class-complement (section 3.3): every class has a say in every mini-batch, through its prototype."""

from jaxtyping import Float, Int
from torch import Tensor

from bcl_edu.losses.contrastive import contrastive_loss


def class_complement_loss(
    embeddings: Float[Tensor, "n dim"],
    labels: Int[Tensor, " n"],
    prototypes: Float[Tensor, "k dim"],
    *,
    temperature: float = 0.1,
    average_anchors: bool = False,
    check: bool = True,
) -> Float[Tensor, ""]:
    """Supervised contrastive loss of a batch that the prototypes have joined, without averaging.

    For an anchor i of class y, with positives P_i = (B_y \\ {i}) + {c_y},

        L_i = - mean_{p in P_i} log( exp(z_i . z_p / tau) / sum_{k in (B \\ {i}) + {c_1..c_k}} exp(z_i . z_k / tau) )

    Every anchor has a positive, its prototype. Table 2, row "+ SC + complement".

    Args:
        embeddings: unit vectors z_i, all views concatenated, shape (n, dim), any float dtype.
        labels: class of each embedding, shape (n,), values 0..k-1.
        prototypes: unit vectors c_j, row j for class j, shape (k, dim); contrast and positives, never anchors.
        temperature: tau > 0.
        average_anchors: average the anchors within each class first, then over the classes.
        check: also check values, which waits for the device.

    Returns:
        Mean of L_i over all anchors, a scalar.

    Raises:
        ValueError: as :func:`bcl_edu.losses.contrastive_loss`.

    Source: Zhu et al. (CVPR 2022), class-complement, Table 2.
    """
    return contrastive_loss(
        embeddings,
        labels,
        prototypes,
        averaging="none",
        complement=True,
        average_anchors=average_anchors,
        temperature=temperature,
        check=check,
    )
