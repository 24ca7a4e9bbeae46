r"""Gradient shares: the part of an anchor's repulsive gradient that each class contributes.

The gradient of L_i with respect to a logit z_i . z_k / tau of another class is the softmax weight of k in the
denominator. Summed over the samples of class j it is the force of class j on the anchor, and divided by the force of
all other classes its share:

    SCL                 n_j exp(...)          a class pushes as often as it has samples
    class-averaging     mean of exp(...)      every class of the batch pushes alike
    class-complement    n_j + 1, or 1         classes missing from the batch push too

This answers why the authors' code divides the mask by class counts ("why reduce the mask in class-averaging?"):
without it the head classes do nearly all of the pushing, and tail classes are placed by the head alone.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bcl_edu.losses.checks import check_batch
from bcl_edu.losses.definition import class_sizes
from bcl_edu.losses.named import contrastive_named


def gradient_shares(
    embeddings: Float[Tensor, "n dim"],
    labels: Int[Tensor, " n"],
    prototypes: Float[Tensor, "k dim"] | None = None,
    *,
    loss: str = "bcl",
    temperature: float = 0.1,
) -> Float[Tensor, "n k"]:
    """Share of each class in the repulsion of each anchor.

    Args:
        embeddings: unit vectors z_i, all views concatenated, shape (n, dim).
        labels: class of each embedding, shape (n,), values 0..K-1.
        prototypes: unit vectors c_j, shape (K, dim); for losses with class-complement.
        loss: one of the contrastive `LOSSES`.
        temperature: tau > 0.

    Returns:
        Shares in float64, shape (n, K), K being the number of prototypes or the largest label plus 1. Rows sum to 1 and
        are 0 at the anchor's own class, which does not repel; a row is NaN if the anchor has no loss (no positive) or
        nothing repels it.

    Raises:
        ValueError: the loss is not contrastive or needs prototypes, shapes disagree, a label is out of range, or
            tau <= 0.
    """
    kind = contrastive_named(loss)
    if kind.needs_prototypes and prototypes is None:
        raise ValueError(f"loss {loss!r} needs prototypes, one row for each class")
    check_batch(embeddings, labels, temperature)
    labels = labels.long()
    num_classes = int(labels.max()) + 1 if prototypes is None else len(prototypes)
    if int(labels.min()) < 0 or int(labels.max()) >= num_classes:
        raise ValueError(
            f"labels range from {int(labels.min())} to {int(labels.max())}; expected 0..{num_classes - 1}"
        )

    keys, key_labels = embeddings.double(), labels
    if kind.needs_prototypes:
        assert prototypes is not None
        keys = torch.cat([keys, prototypes.double()])
        key_labels = torch.cat([labels, torch.arange(num_classes, device=labels.device)])
    logits = embeddings.double() @ keys.T / temperature
    member = _one_hot(key_labels, num_classes)
    size = member.sum(dim=0)

    if kind.averaging == "inside":
        repulsion = (logits @ member / size).masked_fill(size == 0, -torch.inf)  # one logit a class
        repulsion = repulsion.masked_fill(_one_hot(labels, num_classes) > 0, -torch.inf)
        force = (repulsion - repulsion.amax(dim=1, keepdim=True)).exp()
    else:
        same = labels[:, None] == key_labels[None, :]
        repulsion = logits.masked_fill(same, -torch.inf)
        if kind.averaging == "prototypes":
            repulsion[:, : len(labels)] = -torch.inf
        force = (repulsion - repulsion.amax(dim=1, keepdim=True)).exp() @ member
        if kind.averaging == "outside":
            force = force / size.clamp(min=1)

    has_positive = kind.needs_prototypes | (class_sizes(labels) > 1)
    shares = force / force.sum(dim=1, keepdim=True)  # NaN where nothing repels
    return shares.masked_fill(~has_positive[:, None], torch.nan)


def _one_hot(labels: Int[Tensor, " n"], num_classes: int) -> Float[Tensor, "n k"]:
    return torch.nn.functional.one_hot(labels, num_classes).double()
