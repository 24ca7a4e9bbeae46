"""The losses whose geometry is studied, by the names that the training recipes use.

Each name is a choice of the same few switches; here the contrastive loss stands alone, without the classification
loss that a recipe of the same name adds.
"""

from __future__ import annotations

from dataclasses import dataclass

from bcl_edu.losses import CONTRASTIVE_LOSSES, Contrastive


@dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy of a linear classifier without bias; compensated: with logits shifted by log P_k (Eq. 10)."""

    compensated: bool = False


LOSSES: dict[str, Contrastive | CrossEntropy] = {
    **{str(name): loss for name, loss in CONTRASTIVE_LOSSES.items()},
    "ce": CrossEntropy(),
    "lc": CrossEntropy(compensated=True),
}
"""Loss by name: the contrastive ones, cross-entropy, and cross-entropy with logit compensation (Eq. 10)."""


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
