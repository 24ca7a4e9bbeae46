"""What the rows of Tables 1 and 2 minimise: a classification loss and, most of them, a contrastive loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bcl_edu.losses import CONTRASTIVE_LOSSES, Contrastive, ContrastiveName

LossName = Literal["ce", "lc"] | ContrastiveName


@dataclass(frozen=True)
class Objective:
    """A classification loss, with or without logit compensation, and possibly a contrastive loss."""

    title: str
    compensated: bool
    contrastive: Contrastive | None = None


_TITLES: dict[ContrastiveName, str] = {
    "scl": "LC + supervised contrastive (Table 2)",
    "scl-complement": "LC + SC + class-complement (Table 2)",
    "scl-averaging": "LC + SC + class-averaging (Table 2)",
    "bcl": "BCL, Eq. 9 (Table 2; L1 of Table 1)",
    "bcl-inside": "L2 of Table 1, averaged inside exp",
    "bcl-prototypes": "L3 of Table 1, prototypes only",
    "bcl-class-anchors": "BCL with anchors averaged per class (ours: Theorem 3 needs it)",
}

OBJECTIVES: dict[LossName, Objective] = {
    "ce": Objective("cross-entropy", compensated=False),
    "lc": Objective("logit compensation (Table 2)", compensated=True),
    **{name: Objective(_TITLES[name], True, loss) for name, loss in CONTRASTIVE_LOSSES.items()},
}
"""Every loss by the name that `--loss` takes."""
