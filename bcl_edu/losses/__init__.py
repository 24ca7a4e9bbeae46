"""The losses of the paper, Eq. 1 to Eq. 11: one concept a file, one general form behind all contrastive ones.

* :func:`supervised_contrastive_loss` (Eq. 1-2), :func:`class_averaged_loss` (Eq. 6-8),
  :func:`class_complement_loss`, :func:`balanced_contrastive_loss` (Eq. 9): choices of arguments of
  :func:`contrastive_loss`, which says which row of Tables 1 and 2 is which choice.
* :func:`anchor_losses`: the same, anchor by anchor, as mathematics (read this first); :mod:`~bcl_edu.losses.kernel`
  computes their mean and its derivative fast.
* :func:`logit_compensated_cross_entropy` (Eq. 10) and :func:`weighted_total` (Eq. 11).
* :func:`focal_loss` and :func:`class_balanced_focal_loss`: what the tables compare with.
"""

from bcl_edu.losses.balanced import balanced_contrastive_loss
from bcl_edu.losses.choices import CONTRASTIVE_LOSSES, Averaging, Contrastive, ContrastiveName
from bcl_edu.losses.class_averaging import class_averaged_loss
from bcl_edu.losses.class_balanced import class_balanced_focal_loss, class_balanced_weights
from bcl_edu.losses.class_complement import class_complement_loss
from bcl_edu.losses.contrastive import contrastive_loss
from bcl_edu.losses.definition import AnchorLosses, anchor_losses
from bcl_edu.losses.focal import focal_loss
from bcl_edu.losses.logit_compensation import logit_compensated_cross_entropy
from bcl_edu.losses.supervised import supervised_contrastive_loss
from bcl_edu.losses.total import weighted_total

__all__ = [
    "CONTRASTIVE_LOSSES",
    "AnchorLosses",
    "Averaging",
    "Contrastive",
    "ContrastiveName",
    "anchor_losses",
    "balanced_contrastive_loss",
    "class_averaged_loss",
    "class_balanced_focal_loss",
    "class_balanced_weights",
    "class_complement_loss",
    "contrastive_loss",
    "focal_loss",
    "logit_compensated_cross_entropy",
    "supervised_contrastive_loss",
    "weighted_total",
]
