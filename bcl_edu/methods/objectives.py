"""What the rows of the tables minimise: a classification loss and, the paper's own, a contrastive loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bcl_edu.losses import CONTRASTIVE_LOSSES, Contrastive, ContrastiveName

Classification = Literal["cross-entropy", "logit-compensated", "focal", "class-balanced-focal"]
LossName = Literal["ce", "lc", "focal", "cb-focal"] | ContrastiveName


@dataclass(frozen=True)
class Objective:
    """A loss of the classifier's logits, and possibly a contrastive loss of the embeddings."""

    title: str
    classification: Classification
    contrastive: Contrastive | None = None


_TITLES: dict[ContrastiveName, str] = {
    "scl": "LC + supervised contrastive (Table 2)",
    "scl-complement": "LC + SC + class-complement (Table 2)",
    "scl-averaging": "LC + SC + class-averaging (Table 2)",
    "bcl": "BCL, Eq. 9 (Table 2; L1 of Table 1)",
    "bcl-inside": "L2 of Table 1, averaged inside exp",
    "bcl-prototypes": "L3 of Table 1, softmax over prototypes",
    "bcl-class-anchors": "BCL with anchors averaged per class (ours: Theorem 3 needs it)",
}

OBJECTIVES: dict[LossName, Objective] = {
    "ce": Objective("cross-entropy", "cross-entropy"),
    "lc": Objective("logit compensation, also called Balanced Softmax (Table 2)", "logit-compensated"),
    "focal": Objective("focal loss (Lin et al. 2017)", "focal"),
    "cb-focal": Objective("class-balanced focal loss (Cui et al. 2019)", "class-balanced-focal"),
    **{
        name: Objective(_TITLES[name], "logit-compensated", loss) for name, loss in CONTRASTIVE_LOSSES.items()
    },
}
"""Every loss by the name that `--loss` takes."""
