"""The losses of the paper, Eq. 1 to Eq. 11, with one general function behind all contrastive ones.

* :func:`supervised_contrastive_loss` (Eq. 1-2), :func:`class_averaged_loss` (Eq. 6-8),
  :func:`class_complement_loss`, :func:`balanced_contrastive_loss` (Eq. 9): choices of arguments of
  :func:`contrastive_loss`, which says which row of Tables 1 and 2 is which choice.
* :func:`anchor_losses`: the same, anchor by anchor, as mathematics (read this first); :mod:`~bcl_edu.losses.fused`
  computes their mean and its derivative fast.
* :func:`logit_compensated_cross_entropy` (Eq. 10) and :func:`weighted_total` (Eq. 11).
* :func:`focal_loss` and :func:`class_balanced_focal_loss`: what the tables compare with.
"""

from bcl_edu.losses.class_balanced import class_balanced_focal_loss, class_balanced_weights
from bcl_edu.losses.contrastive import (
    balanced_contrastive_loss,
    class_averaged_loss,
    class_complement_loss,
    contrastive_loss,
    supervised_contrastive_loss,
)
from bcl_edu.losses.definition import AnchorLosses, anchor_losses
from bcl_edu.losses.focal import focal_loss
from bcl_edu.losses.logit_compensation import logit_compensated_cross_entropy, weighted_total
from bcl_edu.losses.named import (
    CONTRASTIVE_LOSSES,
    LOSSES,
    Averaging,
    Contrastive,
    ContrastiveName,
    CrossEntropy,
    contrastive_named,
    loss_named,
)

__all__ = [
    "CONTRASTIVE_LOSSES",
    "LOSSES",
    "AnchorLosses",
    "Averaging",
    "Contrastive",
    "ContrastiveName",
    "CrossEntropy",
    "anchor_losses",
    "balanced_contrastive_loss",
    "class_averaged_loss",
    "class_balanced_focal_loss",
    "class_balanced_weights",
    "class_complement_loss",
    "contrastive_loss",
    "contrastive_named",
    "focal_loss",
    "logit_compensated_cross_entropy",
    "loss_named",
    "supervised_contrastive_loss",
    "weighted_total",
]
