"""The contrastive losses: one general function, and the paper's four as choices of its arguments (Eq. 1-2 and 6-9)."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from bcl_edu.losses.checks import (
    as_class_counts,
    check_class_counts,
    check_labels,
    check_prototypes,
    check_same_device,
    check_temperature,
    check_unit_vectors,
)
from bcl_edu.losses.definition import anchor_losses, mean_over_anchors
from bcl_edu.losses.fused import Form, fused_contrastive_loss
from bcl_edu.losses.named import Averaging

Counts = Integer[Tensor, " k"] | list[int] | object
"""Class counts as a tensor, a list or an array."""


def contrastive_loss(
    embeddings: Float[Tensor, "n dim"],
    labels: Integer[Tensor, " n"],
    prototypes: Float[Tensor, "k dim"] | None = None,
    *,
    averaging: Averaging,
    complement: bool,
    class_balanced_anchors: bool = False,
    positives_inside_log: bool = False,
    training_prior: bool = False,
    training_balanced_anchors: bool = False,
    class_counts: Counts | None = None,
    extra_embeddings: Float[Tensor, "m dim"] | None = None,
    extra_labels: Integer[Tensor, " m"] | None = None,
    temperature: float | Float[Tensor, ""] = 0.1,
    reduction: Literal["mean", "none"] = "mean",
    check: bool = True,
) -> Float[Tensor, "..."]:
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

    The value and its derivative come from :mod:`bcl_edu.losses.fused`; what they are is written in
    :mod:`bcl_edu.losses.definition`. The result can be differentiated twice, and torch.compile makes one graph of it
    (with ``check=False``); the transforms of torch.func need :func:`bcl_edu.losses.anchor_losses` instead. With extra
    keys or without reduction, autograd differentiates the definition, which takes the memory of all pairs.

    Args:
        embeddings: unit vectors z_i, all views concatenated, shape (n, dim), any float dtype.
        labels: class of each embedding, repeated as the views are, shape (n,), values 0..k-1, any integer dtype.
        prototypes: unit vectors c_j, row j for class j, shape (k, dim); needed for the complement and for
            averaging "prototypes", refused otherwise.
        averaging: how the denominator D_i gathers the classes: "none" (Eq. 1), "outside" the exponential
            (Eq. 6, 9), "inside" (Eq. 7), "prototypes" only (Eq. 8); see :mod:`bcl_edu.losses.definition`.
        complement: every class's prototype joins the batch, as contrast and as positive, never as anchor.
        class_balanced_anchors: average the anchors within each class first, then over the classes that have a loss.
        positives_inside_log: take the mean over the positives inside the logarithm (L_in), where the paper has it
            outside (L_out); L_in is never larger.
        training_prior: multiply the denominator's term of class j by P_j / P_y, P being the training set's class
            frequencies. With averaged denominators only: a sum over samples has the batch's frequencies in it already.
        training_balanced_anchors: weigh an anchor of class y by N / (k N_y), of the training set's counts: the mean
            over mini-batches is then that of class-balanced anchors, without bias for classes that a batch misses.
        class_counts: samples of each class in the *training set*, shape (k,), a tensor, list or array; for the two
            arguments before.
        extra_embeddings: further unit vectors, as of a queue: contrast and positives, never anchors, shape (m, dim).
        extra_labels: their classes, shape (m,).
        temperature: tau > 0, divides every similarity. A tensor of one element gets a gradient.
        reduction: "mean", or "none" for the loss of every anchor, 0 where it has no positive.
        check: look at the values of labels and vectors too, which waits for the device; a training loop that
            trusts its model turns it off. Shapes, dtypes and devices are checked in any case.

    Returns:
        The loss, a scalar, or of shape (n,) without reduction: float64 if an input is, else float32.

    Raises:
        ValueError: shapes, dtypes, devices or numbers of classes disagree, a label is out of range, a vector is not
            finite or not of unit length (to within 0.01), tau is not above 0, or prototypes, class counts or extra
            labels are missing or unused.

    Source: Zhu et al. (CVPR 2022), Eq. 1-2 and 6-9. Class-averaged anchors: not in the paper, what Theorem 3 needs.
    L_out and L_in: Khosla et al. (NeurIPS 2020); class averages with the prior: Suh and Seo (ICML 2023).
    """
    _check_switches(averaging, complement, prototypes, reduction)
    if class_balanced_anchors and training_balanced_anchors:
        raise ValueError(
            "class_balanced_anchors and training_balanced_anchors both weigh anchors; choose one of them"
        )
    if reduction == "none" and (class_balanced_anchors or training_balanced_anchors):
        raise ValueError(
            "reduction='none' has no weights of anchors; weigh the losses yourself, or reduce by 'mean'"
        )
    if training_prior and averaging == "none":
        raise ValueError(
            "training_prior=True needs averaged denominators, got averaging='none'; "
            "a sum over samples follows the batch's class frequencies already"
        )
    if (class_counts is not None) != (training_prior or training_balanced_anchors):
        raise ValueError(
            f"training_prior={training_prior} and training_balanced_anchors={training_balanced_anchors}, but "
            f"class_counts is {'missing' if class_counts is None else 'given'}; pass the training set's counts for "
            "these two, and for nothing else"
        )
    if (extra_embeddings is None) != (extra_labels is None):
        raise ValueError("extra_embeddings and extra_labels belong together; got only one of them")

    check_temperature(temperature, values=check)
    check_unit_vectors("embeddings", embeddings, values=check)
    tensors = {"embeddings": embeddings, "labels": labels}
    tensors |= {} if prototypes is None else {"prototypes": prototypes}
    if extra_embeddings is not None and extra_labels is not None:
        tensors |= {"extra_embeddings": extra_embeddings, "extra_labels": extra_labels}
    check_same_device(**tensors)
    num_classes = None
    if prototypes is not None:
        num_classes = len(prototypes)
        check_prototypes(prototypes, embeddings, values=check)
    counts = None
    if class_counts is not None:
        counts = as_class_counts(class_counts, device=embeddings.device)
        num_classes = len(counts) if num_classes is None else num_classes
        check_class_counts(counts, num_classes, values=check)
    known = "class_counts" if prototypes is None else "prototypes"
    check_labels(labels, len(embeddings), num_classes, rows="embeddings", classes=known, values=check)
    if extra_embeddings is not None and extra_labels is not None:
        check_unit_vectors("extra_embeddings", extra_embeddings, values=check)
        rows = {"rows": "extra_embeddings", "classes": known}
        check_labels(extra_labels, len(extra_embeddings), num_classes, **rows, values=check)
        if extra_embeddings.shape[1] != embeddings.shape[1]:
            raise ValueError(
                f"extra_embeddings have dimension {extra_embeddings.shape[1]}, embeddings {embeddings.shape[1]}; "
                "both must come from the same head"
            )

    with torch.autocast(embeddings.device.type, enabled=False):
        vectors = [embeddings, prototypes, extra_embeddings]
        dtype = torch.float32
        for tensor in vectors:
            dtype = dtype if tensor is None else torch.promote_types(dtype, tensor.dtype)
        z, c, extra = (None if tensor is None else tensor.to(dtype) for tensor in vectors)
        assert z is not None
        if isinstance(temperature, Tensor):
            # logits are products of two vectors: dividing both by the root of tau gives tau its gradient
            scale = temperature.to(z).reshape(()).rsqrt()
            z, c, extra = (None if tensor is None else tensor * scale for tensor in (z, c, extra))
            assert z is not None
            temperature = 1.0
        log_prior = class_weight = None
        if counts is not None:
            share = counts.to(dtype) / counts.sum()
            log_prior = share.log() if training_prior else None
            class_weight = 1 / (len(counts) * share) if training_balanced_anchors else None

        if extra is None and reduction == "mean":
            form = Form(
                averaging,
                complement,
                class_balanced_anchors,
                temperature,
                positives_inside_log,
                log_prior,
                class_weight,
            )
            return fused_contrastive_loss(z, labels.long(), c, form)
        losses = anchor_losses(
            z,
            labels,
            c,
            averaging=averaging,
            complement=complement,
            positives_inside_log=positives_inside_log,
            log_prior=log_prior,
            extra_embeddings=extra,
            extra_labels=extra_labels,
            temperature=temperature,
        )
        if reduction == "none":
            return losses.value
        return mean_over_anchors(
            losses, labels, class_balanced_anchors=class_balanced_anchors, class_weight=class_weight
        )


def _check_switches(averaging: str, complement: bool, prototypes: Tensor | None, reduction: str) -> None:
    """Refuse switches that do not exist, and prototypes that are missing or would be ignored."""
    if averaging not in get_args(Averaging):
        raise ValueError(f"averaging must be one of {', '.join(get_args(Averaging))}, got {averaging!r}")
    if reduction not in ("mean", "none"):
        raise ValueError(f"reduction must be 'mean' or 'none', got {reduction!r}")
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


def supervised_contrastive_loss(
    embeddings: Float[Tensor, "n dim"],
    labels: Integer[Tensor, " n"],
    *,
    temperature: float | Float[Tensor, ""] = 0.1,
    class_balanced_anchors: bool = False,
    check: bool = True,
) -> Float[Tensor, ""]:
    """Supervised contrastive loss, SCL (Eq. 1-2; Table 2, "+ SC").

        L_i = - mean_{p in B_y \\ {i}} log( exp(z_i . z_p / tau) / sum_{k in B \\ {i}} exp(z_i . z_k / tau) )

    The sum runs over samples, so a class of ten times the samples pushes with about ten times the force: that is
    what the other losses change. Arguments, result and errors are those of `contrastive_loss`.

    Source: Khosla et al. (NeurIPS 2020), L_out; Zhu et al. (CVPR 2022), Eq. 1-2.
    """
    return contrastive_loss(
        embeddings,
        labels,
        averaging="none",
        complement=False,
        class_balanced_anchors=class_balanced_anchors,
        temperature=temperature,
        check=check,
    )


def class_averaged_loss(
    embeddings: Float[Tensor, "n dim"],
    labels: Integer[Tensor, " n"],
    prototypes: Float[Tensor, "k dim"] | None = None,
    *,
    averaging: Literal["outside", "inside", "prototypes"] = "outside",
    temperature: float | Float[Tensor, ""] = 0.1,
    class_balanced_anchors: bool = False,
    check: bool = True,
) -> Float[Tensor, ""]:
    """Class-averaged contrastive loss, in the paper's three ways (Eq. 6-8; Table 1).

        outside      L1, Eq. 6    log sum_j mean_{k in B_j} exp(z_i . z_k / tau)    - mean_{p in B_y} z_i . z_p / tau
        inside       L2, Eq. 7    log sum_j exp( mean_{k in B_j} z_i . z_k / tau )  - mean_{p in B_y} z_i . z_p / tau
        prototypes   L3, Eq. 8    log sum_j exp(z_i . c_j / tau)                    - z_i . c_y / tau

    for an anchor i of class y, with B_j the samples of class j without i, where j runs over the classes of the batch,
    or over all k where prototypes are given. L1 >= L2 by Jensen. L3 is the cross-entropy of a softmax over the
    prototypes: never negative, and samples neither attract nor repel one another. Given prototypes also join the batch
    of L1 and L2 (class-complement), L1 being BCL itself; without them, L1 is Table 2's "+ SC + averaging". Arguments,
    result and errors are those of `contrastive_loss`.

    Source: Zhu et al. (CVPR 2022), Eq. 6-8, Tables 1 and 2.
    """
    return contrastive_loss(
        embeddings,
        labels,
        prototypes,
        averaging=averaging,
        complement=prototypes is not None,
        class_balanced_anchors=class_balanced_anchors,
        temperature=temperature,
        check=check,
    )


def class_complement_loss(
    embeddings: Float[Tensor, "n dim"],
    labels: Integer[Tensor, " n"],
    prototypes: Float[Tensor, "k dim"],
    *,
    temperature: float | Float[Tensor, ""] = 0.1,
    class_balanced_anchors: bool = False,
    check: bool = True,
) -> Float[Tensor, ""]:
    """SCL of a batch that the prototypes have joined, without averaging (section 3.3; Table 2, "+ SC + complement").

    With positives P_i = (B_y \\ {i}) + {c_y}, so that every anchor has one,

        L_i = - mean_{p in P_i} log( exp(z_i . z_p / tau) / sum_{k in (B \\ {i}) + {c_1..c_k}} exp(z_i . z_k / tau) )

    Arguments, result and errors are those of `contrastive_loss`.

    Source: Zhu et al. (CVPR 2022), class-complement, Table 2.
    """
    return contrastive_loss(
        embeddings,
        labels,
        prototypes,
        averaging="none",
        complement=True,
        class_balanced_anchors=class_balanced_anchors,
        temperature=temperature,
        check=check,
    )


def balanced_contrastive_loss(
    embeddings: Float[Tensor, "n dim"],
    labels: Integer[Tensor, " n"],
    prototypes: Float[Tensor, "k dim"],
    *,
    temperature: float | Float[Tensor, ""] = 0.1,
    class_balanced_anchors: bool = False,
    check: bool = True,
) -> Float[Tensor, ""]:
    """Balanced contrastive loss, BCL (Eq. 9): class-averaging and class-complement together.

    With positives P_i = (B_y \\ {i}) + {c_y}, which are n_y terms,

        L_i = - mean_{p in P_i} log( exp(z_i . z_p / tau) / D_i )
        D_i = mean_{k in P_i} exp(z_i . z_k / tau) + sum_{j != y} mean_{k in B_j + {c_j}} exp(z_i . z_k / tau)

    so that each of the k classes has one term, whether it has samples in the batch (n_j + 1 terms averaged) or not
    (its prototype alone). Averaging the denominator balances what repels an anchor, not the anchors: those of the head
    still outvote those of the tail, which `class_balanced_anchors` changes and Theorem 3 needs. Arguments, result and
    errors are those of `contrastive_loss`.

    Returns:
        For two views the value of the authors' published ``BalSCL``.

    Source: Zhu et al. (CVPR 2022), Eq. 9.
    """
    return contrastive_loss(
        embeddings,
        labels,
        prototypes,
        averaging="outside",
        complement=True,
        class_balanced_anchors=class_balanced_anchors,
        temperature=temperature,
        check=check,
    )
