"""Class-averaging (Eq. 6-8): every class of the denominator counts as one, however many samples it has."""

from typing import Literal

from jaxtyping import Float, Int
from torch import Tensor

from bcl_edu.losses.contrastive import contrastive_loss


def class_averaged_loss(
    embeddings: Float[Tensor, "n dim"],
    labels: Int[Tensor, " n"],
    prototypes: Float[Tensor, "k dim"] | None = None,
    *,
    averaging: Literal["outside", "inside", "prototypes"] = "outside",
    temperature: float = 0.1,
    average_anchors: bool = False,
    check: bool = True,
) -> Float[Tensor, ""]:
    """Class-averaged contrastive loss of one batch, in the paper's three ways (Eq. 6-8).

    For an anchor i of class y, with B_j the samples of class j without i,

        outside      L1, Eq. 6    log sum_j mean_{k in B_j} exp(z_i . z_k / tau)    - mean_{p in B_y} z_i . z_p / tau
        inside       L2, Eq. 7    log sum_j exp( mean_{k in B_j} z_i . z_k / tau )  - mean_{p in B_y} z_i . z_p / tau
        prototypes   L3, Eq. 8    log sum_j exp(z_i . c_j / tau)                    - z_i . c_y / tau

    where j runs over the classes of the batch, or over all k where prototypes are given. L1 >= L2 by Jensen.
    L3 is the cross-entropy of a softmax over the prototypes: never negative, and samples neither attract nor repel one
    another. Given prototypes also join the batch of L1 and L2 (class-complement): these are the rows of Table 1, L1
    being BCL itself. Without prototypes, L1 is Table 2's row "+ SC + averaging".

    Args:
        embeddings: unit vectors z_i, all views concatenated, shape (n, dim), any float dtype.
        labels: class of each embedding, shape (n,), values 0..k-1.
        prototypes: unit vectors c_j, row j for class j, shape (k, dim); "prototypes" cannot do without.
        averaging: "outside", "inside" or "prototypes".
        temperature: tau > 0.
        average_anchors: average the anchors within each class first, then over the classes, as Theorem 3 needs.
        check: also check values, which waits for the device.

    Returns:
        Mean of L_i over the anchors that have a positive, a scalar; 0, with a graph, where none has one.

    Raises:
        ValueError: as :func:`bcl_edu.losses.contrastive_loss`.

    Source: Zhu et al. (CVPR 2022), Eq. 6-8, Tables 1 and 2.
    """
    return contrastive_loss(
        embeddings,
        labels,
        prototypes,
        averaging=averaging,
        complement=prototypes is not None,
        average_anchors=average_anchors,
        temperature=temperature,
        check=check,
    )
