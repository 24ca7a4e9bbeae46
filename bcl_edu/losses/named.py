"""The registry of losses by name: each contrastive one a choice of the same switches, and cross-entropy beside them.

Training recipes, geometry, exercises and benchmarks all use these names. Here a name is the contrastive (or the
classification) loss alone; a recipe of the same name adds the classification loss to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Averaging = Literal["none", "outside", "inside", "prototypes"]


@dataclass(frozen=True)
class Contrastive:
    """Switches of `contrastive_loss`.

    Attributes:
        averaging: how the denominator gathers the classes (Eq. 1, 6, 7, 8).
        complement: whether every class's prototype joins the batch (section 3.3).
        class_balanced_anchors: whether anchors are averaged per class, and then over the classes of the batch.
        positives_inside_log: whether the mean over the positives stands inside the logarithm (L_in instead of L_out).
        training_prior: whether each class's term is multiplied by its share of the training set.
        training_balanced_anchors: whether an anchor weighs by the inverse of its class's size in the training set.
    """

    averaging: Averaging = "none"
    complement: bool = False
    class_balanced_anchors: bool = False
    positives_inside_log: bool = False
    training_prior: bool = False
    training_balanced_anchors: bool = False

    @property
    def needs_prototypes(self) -> bool:
        """True if prototypes take part."""
        return self.complement or self.averaging == "prototypes"

    @property
    def needs_class_counts(self) -> bool:
        """True if the class counts of the training set take part."""
        return self.training_prior or self.training_balanced_anchors


@dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy of a linear classifier without bias; compensated: with logits shifted by log P_k (Eq. 10)."""

    compensated: bool = False


ContrastiveName = Literal[
    "scl",
    "scl-complement",
    "scl-averaging",
    "bcl",
    "bcl-inside",
    "bcl-prototypes",
    "bcl-class-anchors",
]

CONTRASTIVE_LOSSES: dict[ContrastiveName, Contrastive] = {
    "scl": Contrastive(),
    "scl-complement": Contrastive(complement=True),
    "scl-averaging": Contrastive("outside"),
    "bcl": Contrastive("outside", complement=True),
    "bcl-inside": Contrastive("inside", complement=True),
    "bcl-prototypes": Contrastive("prototypes", complement=True),
    "bcl-class-anchors": Contrastive("outside", complement=True, class_balanced_anchors=True),
}
"""SCL (Eq. 1-2), with each half of BCL alone, L1 = BCL (Eq. 9), L2, L3, and BCL with class-averaged anchors."""

LOSSES: dict[str, Contrastive | CrossEntropy] = {
    **{str(name): loss for name, loss in CONTRASTIVE_LOSSES.items()},
    "ce": CrossEntropy(),
    "lc": CrossEntropy(compensated=True),
}
"""The losses whose geometry is studied: the contrastive ones, cross-entropy, and logit compensation (Eq. 10)."""


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
        raise ValueError(f"loss {name!r} is not contrastive; choose one of {', '.join(CONTRASTIVE_LOSSES)}")
    return loss
