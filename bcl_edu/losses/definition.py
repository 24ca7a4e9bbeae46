"""The contrastive losses as mathematics: the definition that everything faster is tested against.

For an anchor z_i of class y, the batch B and the logits l_ik = z_i . z_k / tau, every loss of the paper is

    L_i = log D_i  -  mean over the positives p of l_ip

and they differ in two choices only:

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

Everything is a log-sum-exp of logits minus the logarithm of a count, so nothing overflows at any temperature.
No line waits for the device: sizes are sums on it, not numbers on the host.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bcl_edu.losses.choices import Averaging


class AnchorLosses(NamedTuple):
    """The loss of every anchor of a batch."""

    value: Float[Tensor, " n"]
    """L_i; 0 for an anchor without a positive, to which the equations give no loss."""
    counted: Bool[Tensor, " n"]
    """Whether the anchor has a positive: the others take no part in any mean."""


def anchor_losses(
    embeddings: Float[Tensor, "n dim"],
    labels: Int[Tensor, " n"],
    prototypes: Float[Tensor, "k dim"] | None = None,
    *,
    averaging: Averaging = "none",
    complement: bool = False,
    temperature: float = 0.1,
) -> AnchorLosses:
    """Loss L_i of each anchor, for any choice of averaging and complement (table above).

    Args:
        embeddings: unit vectors z_i, all views concatenated, shape (n, dim).
        labels: class of each embedding, shape (n,), values 0..k-1.
        prototypes: unit vectors c_j, row j for class j, shape (k, dim); where complement or averaging need them.
        averaging: how the denominator gathers the classes.
        complement: whether the prototypes join the batch; without effect on "prototypes", which has no other keys.
        temperature: tau > 0.

    Returns:
        L_i and whether it counts, each of shape (n,).

    Source: Zhu et al. (CVPR 2022), Eq. 1-2 and 6-9. Inputs are taken as they are; :func:`contrastive_loss` checks.
    """
    labels = labels.long()
    if averaging == "prototypes":
        assert prototypes is not None
        logits = embeddings @ prototypes.T / temperature
        value = logits.logsumexp(dim=1) - logits.gather(1, labels[:, None]).squeeze(1)
        return AnchorLosses(value, torch.ones_like(labels, dtype=torch.bool))

    keys, key_labels = embeddings, labels
    if complement:
        assert prototypes is not None
        keys = torch.cat([embeddings, prototypes])
        key_labels = torch.cat([labels, torch.arange(len(prototypes), device=labels.device)])

    logits = embeddings @ keys.T / temperature  # l_ik = z_i . z_k / tau
    itself = torch.eye(len(embeddings), len(keys), dtype=torch.bool, device=labels.device)
    positive = (labels[:, None] == key_labels[None, :]) & ~itself  # (B_y \ {i}), and c_y

    num_positives = positive.sum(dim=1)
    counted = num_positives > 0
    attraction = logits.masked_fill(~positive, 0).sum(dim=1) / num_positives.clamp(min=1)

    # An anchor is no contrast to itself. One without a positive keeps itself, so that its row, which nothing
    # reads, is never empty: the logarithm of an empty sum would turn gradients into NaN.
    excluded = itself & counted[:, None]
    if averaging == "none":
        denominator = logits.masked_fill(excluded, -torch.inf).logsumexp(dim=1)
    elif averaging == "outside":
        class_size = (
            class_sizes(key_labels)[None, :] - positive.int()
        )  # m_ik: terms of k's class, as seen from i
        log_mean = logits - class_size.to(logits.dtype).log()
        denominator = log_mean.masked_fill(excluded, -torch.inf).logsumexp(dim=1)
    else:
        denominator = class_mean_logits(logits.masked_fill(itself, 0), labels, key_labels).logsumexp(dim=1)

    return AnchorLosses(torch.where(counted, denominator - attraction, 0), counted)


def class_sizes(labels: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """How many labels equal each label: |B_y| of every sample's class y, shape (n,)."""
    names = class_names(labels)
    return torch.zeros_like(names).index_add(0, names, torch.ones_like(names))[names]


def class_names(labels: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Name each class by the position of its first sample: 0..n-1 whatever the labels are, shape (n,).

    A table over the classes of a batch then has n rows, and nobody needs to fetch the largest label from the device.
    """
    ordered, position = labels.sort(stable=True)
    return position[torch.searchsorted(ordered, labels)]


def class_mean_logits(
    logits: Float[Tensor, "n m"], labels: Int[Tensor, " n"], key_labels: Int[Tensor, " m"]
) -> Float[Tensor, "n m"]:
    """Mean of l_ik over each class's keys without i itself; -inf in the columns that name no class.

    Args:
        logits: l_ik with zeros where k is i, shape (n, m).
        labels: classes of the anchors, shape (n,): the first n of the key labels.
        key_labels: classes of the keys, shape (m,).

    Returns:
        Column j is the class whose first key is key j, shape (n, m).
    """
    names = class_names(key_labels)
    columns = torch.arange(len(names), device=names.device)
    size = torch.zeros_like(names).index_add(0, names, torch.ones_like(names))
    own = (
        names[: len(labels), None] == columns[None, :]
    )  # the anchor's class, in which i itself does not count
    total = torch.zeros_like(logits).index_add(1, names, logits)
    mean = total / (size[None, :] - own.int()).clamp(min=1)
    return mean.masked_fill(size == 0, -torch.inf)


def mean_over_anchors(
    losses: AnchorLosses, labels: Int[Tensor, " n"], *, average_anchors: bool = False
) -> Float[Tensor, ""]:
    """Mean of L_i over the anchors that have a loss; 0, with a graph, where none has.

    Args:
        losses: L_i and whether it counts.
        labels: class of each anchor, shape (n,).
        average_anchors: first average within each class, then over the classes that have a loss, so that every
            class has the same say whatever its size (what Theorem 3 needs when class counts differ).

    Returns:
        A scalar.
    """
    weight = losses.counted.to(losses.value.dtype)
    if average_anchors:
        weight = weight / class_sizes(labels.long())  # 1 / |B_y|: the weights of a class add up to one
    total = weight.sum()
    return (weight * losses.value).sum() / torch.where(total > 0, total, 1)
