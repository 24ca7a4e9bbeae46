"""One contrastive loss of which each of the paper's is a choice of arguments (Eq. 1-2 and 6-9)."""

from typing import get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bcl_edu.losses.checks import (
    check_labels,
    check_prototypes,
    check_same_device,
    check_temperature,
    check_unit_vectors,
)
from bcl_edu.losses.choices import Averaging
from bcl_edu.losses.kernel import Form, fast_contrastive_loss


def contrastive_loss(
    embeddings: Float[Tensor, "n dim"],
    labels: Int[Tensor, " n"],
    prototypes: Float[Tensor, "k dim"] | None = None,
    *,
    averaging: Averaging,
    complement: bool,
    average_anchors: bool = False,
    temperature: float = 0.1,
    check: bool = True,
) -> Float[Tensor, ""]:
    """Mean over the anchors of log D_i - mean over positives of z_i . z_p / tau.

    Which arguments make which row of the paper's tables:

    ======================================  ============  ==========
    row                                     averaging     complement
    ======================================  ============  ==========
    Table 1, L1 (this is BCL)               outside       True
    Table 1, L2                             inside        True
    Table 1, L3                             prototypes    True
    Table 2, LC                             no contrastive loss
    Table 2, + SC                           none          False
    Table 2, + SC + complement              none          True
    Table 2, + SC + averaging               outside       False
    Table 2, + SC + both (this is BCL)      outside       True
    ======================================  ============  ==========

    With averaging "prototypes" the own class's prototype is the only positive and no sample takes part in another's
    loss, whatever the complement.

    An anchor without a positive (alone in its class, no prototypes) has no loss and is not counted; where no
    anchor has one the result is 0, with a graph, so that ``backward`` works. With the complement, an anchor alone
    in its class has its prototype as only positive. Inputs in half precision are computed in float32, also under
    autocast: logits reach 1/tau, which 8 bits of mantissa cannot hold.

    The value and its derivative come from :mod:`bcl_edu.losses.kernel`; what they are is written in
    :mod:`bcl_edu.losses.definition`. The result can be differentiated twice, and torch.compile makes one graph of it
    (with ``check=False``); the transforms of torch.func need :func:`bcl_edu.losses.anchor_losses` instead.

    Args:
        embeddings: unit vectors z_i, all views concatenated, shape (n, dim), any float dtype.
        labels: class of each embedding, repeated as the views are, shape (n,), values 0..k-1, any integer dtype.
        prototypes: unit vectors c_j, row j for class j, shape (k, dim); needed for the complement and for
            averaging "prototypes", refused otherwise.
        averaging: how the denominator D_i gathers the classes: "none" (Eq. 2), "outside" the exponential
            (Eq. 6, 9), "inside" (Eq. 7), "prototypes" only (Eq. 8); see :mod:`bcl_edu.losses.definition`.
        complement: every class's prototype joins the batch, as contrast and as positive, never as anchor.
        average_anchors: average the anchors within each class first, then over the classes that have a loss.
        temperature: tau > 0, divides every similarity.
        check: look at the values of labels and vectors too, which waits for the device; a training loop that
            trusts its model turns it off. Shapes, dtypes and devices are checked in any case.

    Returns:
        The loss, a scalar: float64 if an input is, else float32.

    Raises:
        ValueError: shapes, dtypes, devices or numbers of classes disagree, a label is out of range, a vector is not
            finite or not of unit length (to within 0.01), tau is not above 0, or prototypes are missing or unused.

    Source: Zhu et al. (CVPR 2022), Eq. 1-2 and 6-9; class-averaged anchors: not in the paper, what Theorem 3 needs.
    """
    if averaging not in get_args(Averaging):
        raise ValueError(f"averaging must be one of {', '.join(get_args(Averaging))}, got {averaging!r}")
    uses_prototypes = complement or averaging == "prototypes"
    if uses_prototypes and prototypes is None:
        raise ValueError(
            f"averaging={averaging!r} with complement={complement} needs prototypes (k, dim), got None"
        )
    if prototypes is not None and not uses_prototypes:
        raise ValueError(
            f"averaging={averaging!r} with complement={complement} does not use prototypes; leave them out, "
            "or pass complement=True"
        )

    check_temperature(temperature)
    check_unit_vectors("embeddings", embeddings, values=check)
    check_same_device(
        embeddings=embeddings, labels=labels, **({} if prototypes is None else {"prototypes": prototypes})
    )
    num_classes = None
    if prototypes is not None:
        num_classes = len(prototypes)
        check_prototypes(prototypes, embeddings, values=check)
    check_labels(labels, len(embeddings), num_classes, rows="embeddings", classes="prototypes", values=check)

    form = Form(averaging, complement, average_anchors, temperature)
    with torch.autocast(embeddings.device.type, enabled=False):
        dtype = torch.promote_types(embeddings.dtype, torch.float32)
        if prototypes is not None:
            dtype = torch.promote_types(dtype, prototypes.dtype)
            prototypes = prototypes.to(dtype)
        return fast_contrastive_loss(embeddings.to(dtype), labels.long(), prototypes, form)
