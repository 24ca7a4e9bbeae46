"""The losses whose geometry is studied, by the names that the training recipes use.

Each name is a choice of the same few switches; here the contrastive loss stands alone, without the classification
loss that a recipe of the same name adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Averaging = Literal["none", "outside", "inside", "prototypes"]


@dataclass(frozen=True)
class Contrastive:
    """Arguments of `bcl_edu.losses.contrastive_loss`.

    Attributes:
        averaging: how the denominator gathers the classes (Eq. 2, 6, 7, 8).
        complement: whether every class's prototype joins the batch (section 3.3).
        average_anchors: whether anchors are averaged per class before they are averaged over classes.
    """

    averaging: Averaging = "none"
    complement: bool = False
    average_anchors: bool = False


@dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy of a linear classifier without bias; compensated: with logits shifted by log P_k (Eq. 10)."""

    compensated: bool = False


LOSSES: dict[str, Contrastive | CrossEntropy] = {
    "scl": Contrastive(),
    "scl-complement": Contrastive(complement=True),
    "scl-averaging": Contrastive("outside"),
    "bcl": Contrastive("outside", complement=True),
    "bcl-inside": Contrastive("inside", complement=True),
    "bcl-prototypes": Contrastive("prototypes", complement=True),
    "bcl-class-anchors": Contrastive("outside", complement=True, average_anchors=True),
    "ce": CrossEntropy(),
    "lc": CrossEntropy(compensated=True),
}
"""Loss by name: SCL (Eq. 1-2), its two halves of BCL, L1 = BCL (Eq. 9), L2, L3, BCL with class-averaged anchors,
cross-entropy, and cross-entropy with logit compensation (Eq. 10)."""


def loss_named(name: str) -> Contrastive | CrossEntropy:
    """The loss of that name.

    Raises:
        ValueError: there is none; the message lists the names.
    """
    if name not in LOSSES:
        raise ValueError(f"loss {name!r} is not known; choose one of {', '.join(LOSSES)}")
    return LOSSES[name]


def contrastive_named(name: str) -> Contrastive:
    """The contrastive loss of that name.

    Raises:
        ValueError: there is none, or the name is that of a cross-entropy.
    """
    loss = loss_named(name)
    if not isinstance(loss, Contrastive):
        names = [known for known, kind in LOSSES.items() if isinstance(kind, Contrastive)]
        raise ValueError(f"loss {name!r} is not contrastive; choose one of {', '.join(names)}")
    return loss
