"""The contrastive losses as mathematics: the definition that everything faster is tested against.

For an anchor z_i of class y, the batch B and the logits l_ik = z_i . z_k / tau, every loss of the paper is

    L_i = log D_i  -  mean over the positives p of l_ip

and they differ in two choices (three more switches, not in the paper, follow):

* **class-complement** (section 3.3): whether each class's prototype c_j joins the samples, as contrast for every
  anchor and as one more positive for the anchors of class j. A prototype is never an anchor.
* **averaging**: how D_i gathers the classes j, B_j being the samples (and prototype) of class j without i itself:

  ============  =======================================  =====================================
  none          sum_k exp l_ik                           Eq. 1-2: every sample counts
  outside       sum_j  mean_{k in B_j} exp l_ik          Eq. 6 (L1), Eq. 9: every class counts
  inside        sum_j  exp mean_{k in B_j} l_ik          Eq. 7 (L2)
  prototypes    sum_j  exp(z_i . c_j / tau)              Eq. 8 (L3)
  ============  =======================================  =====================================

In Eq. 8 the samples are neither positives nor contrast: the only positive of an anchor is the prototype of its class,
and L3 is the cross-entropy of a softmax over the prototypes. The complement then adds nothing.

Beyond the paper: the mean over the positives may stand inside the logarithm, log mean_p exp l_ip (L_in, never above the
paper's L_out, by Jensen), and class j's term of an averaged denominator may be multiplied by P_j / P_y, the training
prior. A queue's embeddings may join as keys. Anchors may weigh by the inverse of their class's size.

Everything is a log-sum-exp of logits minus the logarithm of a count, so nothing overflows at any temperature.
No line waits for the device: sizes are sums on it, not numbers on the host.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from bcl_edu.losses.named import Averaging


class AnchorLosses(NamedTuple):
    """The loss of every anchor of a batch."""

    value: Float[Tensor, " n"]
    """L_i; 0 for an anchor without a positive, to which the equations give no loss."""
    has_positive: Bool[Tensor, " n"]
    """True where the anchor has a positive; the others take no part in any mean."""


def anchor_losses(
    embeddings: Float[Tensor, "n dim"],
    labels: Integer[Tensor, " n"],
    prototypes: Float[Tensor, "k dim"] | None = None,
    *,
    averaging: Averaging = "none",
    complement: bool = False,
    positives_inside_log: bool = False,
    log_prior: Float[Tensor, " k"] | None = None,
    extra_embeddings: Float[Tensor, "m dim"] | None = None,
    extra_labels: Integer[Tensor, " m"] | None = None,
    temperature: float = 0.1,
) -> AnchorLosses:
    """Loss L_i of each anchor, for any choice of the switches (table above).

    Args:
        embeddings: unit vectors z_i, all views concatenated, shape (n, dim).
        labels: class of each embedding, shape (n,), values 0..k-1.
        prototypes: unit vectors c_j, row j for class j, shape (k, dim); where complement or averaging need them.
        averaging: how the denominator gathers the classes.
        complement: whether the prototypes join the batch; without effect on "prototypes", which has no other keys.
        positives_inside_log: L_in: the attraction is log mean_p exp l_ip instead of mean_p l_ip.
        log_prior: log P_j of each class, shape (k,): multiplies class j's term by P_j / P_y. For averaged denominators.
        extra_embeddings: further unit vectors, as of a queue: contrast and positives, never anchors, shape (m, dim).
        extra_labels: their classes, shape (m,).
        temperature: tau > 0.

    Returns:
        L_i and whether the anchor has a positive, each of shape (n,).

    Source: Zhu et al. (CVPR 2022), Eq. 1-2 and 6-9; L_in: Khosla et al. (NeurIPS 2020); with the prior: Suh and Seo
    (ICML 2023). Inputs are taken as they are; :func:`contrastive_loss` checks.
    """
    labels = labels.long()
    if averaging == "prototypes":
        assert prototypes is not None
        logits = embeddings @ prototypes.T / temperature
        if log_prior is not None:
            logits = logits + log_prior
        value = logits.logsumexp(dim=1) - logits.gather(1, labels[:, None]).squeeze(1)
        return AnchorLosses(value, torch.ones_like(labels, dtype=torch.bool))

    keys, key_labels = [embeddings], [labels]
    if extra_embeddings is not None:
        assert extra_labels is not None
        keys.append(extra_embeddings)
        key_labels.append(extra_labels.long())
    if complement:
        assert prototypes is not None
        keys.append(prototypes)
        key_labels.append(torch.arange(len(prototypes), device=labels.device))
    of_key = torch.cat(key_labels)

    logits = embeddings @ torch.cat(keys).T / temperature  # l_ik = z_i . z_k / tau
    itself = torch.eye(*logits.shape, dtype=torch.bool, device=labels.device)
    positive = (labels[:, None] == of_key[None, :]) & ~itself  # (B_y \ {i}), and c_y

    num_positives = positive.sum(dim=1)
    has_positive = num_positives > 0
    if positives_inside_log:
        # an anchor without a positive keeps itself, as below
        chosen = positive | (itself & ~has_positive[:, None])
        attraction = logits.masked_fill(~chosen, -torch.inf).logsumexp(dim=1)
        attraction = attraction - num_positives.clamp(min=1).to(logits.dtype).log()
    else:
        attraction = logits.masked_fill(~positive, 0).sum(dim=1) / num_positives.clamp(min=1)

    # An anchor is no contrast to itself. One without a positive keeps itself, so that its row, which nothing
    # reads, is never empty: the logarithm of an empty sum would turn gradients into NaN.
    excluded = itself & has_positive[:, None]
    prior = logits.new_zeros(()) if log_prior is None else log_prior[of_key]  # log P_j of every key
    if averaging == "none":
        denominator = logits.masked_fill(excluded, -torch.inf).logsumexp(dim=1)
    elif averaging == "outside":
        class_size = class_sizes(of_key)[None, :] - positive.int()  # m_ik: terms of k's class, as seen from i
        log_mean = logits - class_size.to(logits.dtype).log() + prior
        denominator = log_mean.masked_fill(excluded, -torch.inf).logsumexp(dim=1)
    else:
        denominator = (class_mean_logits(logits.masked_fill(itself, 0), labels, of_key) + prior).logsumexp(
            dim=1
        )
    if log_prior is not None:
        denominator = denominator - log_prior[labels]

    return AnchorLosses(torch.where(has_positive, denominator - attraction, 0), has_positive)


def class_sizes(labels: Integer[Tensor, " n"]) -> Integer[Tensor, " n"]:
    """Number of labels equal to each label: |B_y| of every sample's class y, shape (n,)."""
    names = compact_labels(labels)
    return torch.zeros_like(names).index_add(0, names, torch.ones_like(names))[names]


def compact_labels(labels: Integer[Tensor, " n"]) -> Integer[Tensor, " n"]:
    """Name each class by the position of its first sample: 0..n-1 whatever the labels are, shape (n,).

    A table over the classes of a batch then has n rows, and nobody needs to fetch the largest label from the device.
    """
    ordered, position = labels.sort(stable=True)
    return position[torch.searchsorted(ordered, labels)]


def class_mean_logits(
    logits: Float[Tensor, "n m"], labels: Integer[Tensor, " n"], key_labels: Integer[Tensor, " m"]
) -> Float[Tensor, "n m"]:
    """Mean of l_ik over each class's keys without i itself; -inf in the columns that name no class.

    Args:
        logits: l_ik with zeros where k is i, shape (n, m).
        labels: classes of the anchors, shape (n,): the first n of the key labels.
        key_labels: classes of the keys, shape (m,).

    Returns:
        Column j is the class whose first key is key j, shape (n, m).
    """
    names = compact_labels(key_labels)
    columns = torch.arange(len(names), device=names.device)
    size = torch.zeros_like(names).index_add(0, names, torch.ones_like(names))
    own = (
        names[: len(labels), None] == columns[None, :]
    )  # the anchor's class, in which i itself does not count
    total = torch.zeros_like(logits).index_add(1, names, logits)
    mean = total / (size[None, :] - own.int()).clamp(min=1)
    return mean.masked_fill(size == 0, -torch.inf)


def mean_over_anchors(
    losses: AnchorLosses,
    labels: Integer[Tensor, " n"],
    *,
    class_balanced_anchors: bool = False,
    class_weight: Float[Tensor, " k"] | None = None,
) -> Float[Tensor, ""]:
    """Mean of L_i over the anchors that have a loss; 0, with a graph, where none has.

    Args:
        losses: L_i and whether the anchor has a positive.
        labels: class of each anchor, shape (n,).
        class_balanced_anchors: first average within each class, then over the classes that have a loss, so that every
            class counts the same whatever its size (what Theorem 3 needs when class counts differ).
        class_weight: of an anchor of each class, shape (k,): the weighted sum is divided by the number of anchors, so
            that weights whose mean over the training set is 1 give an unbiased estimate in a mini-batch.

    Returns:
        A scalar.
    """
    counts = losses.has_positive.to(losses.value.dtype)
    if class_balanced_anchors:
        counts = counts / class_sizes(labels.long())  # 1 / |B_y|: the weights of a class add up to one
    total = counts.sum()
    weight = counts if class_weight is None else counts * class_weight[labels.long()]
    return (weight * losses.value).sum() / torch.where(total > 0, total, 1)
