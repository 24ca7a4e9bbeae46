"""What the rows of Tables 1 and 2 minimise, each a choice of arguments of the same two losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Averaging = Literal["none", "outside", "inside", "prototypes"]


@dataclass(frozen=True)
class Contrastive:
    """Arguments of `bcl_edu.losses.contrastive_loss`."""

    averaging: Averaging = "none"
    complement: bool = False
    average_anchors: bool = False

    @property
    def needs_prototypes(self) -> bool:
        """Whether prototypes take part; without them no prototype head is built."""
        return self.complement or self.averaging == "prototypes"


@dataclass(frozen=True)
class Objective:
    """A classification loss, with or without logit compensation, and possibly a contrastive loss."""

    title: str
    compensated: bool
    contrastive: Contrastive | None = None


LossName = Literal[
    "ce",
    "lc",
    "scl",
    "scl-complement",
    "scl-averaging",
    "bcl",
    "bcl-inside",
    "bcl-prototypes",
    "bcl-class-anchors",
]

OBJECTIVES: dict[LossName, Objective] = {
    "ce": Objective("cross-entropy", compensated=False),
    "lc": Objective("logit compensation (Table 2)", compensated=True),
    "scl": Objective("LC + supervised contrastive (Table 2)", True, Contrastive()),
    "scl-complement": Objective("LC + SC + class-complement (Table 2)", True, Contrastive(complement=True)),
    "scl-averaging": Objective("LC + SC + class-averaging (Table 2)", True, Contrastive("outside")),
    "bcl": Objective("BCL, Eq. 9 (Table 2; L1 of Table 1)", True, Contrastive("outside", complement=True)),
    "bcl-inside": Objective(
        "L2 of Table 1, averaged inside exp", True, Contrastive("inside", complement=True)
    ),
    "bcl-prototypes": Objective(
        "L3 of Table 1, prototypes only", True, Contrastive("prototypes", complement=True)
    ),
    "bcl-class-anchors": Objective(
        "BCL with anchors averaged per class (ours: Theorem 3 needs it)",
        True,
        Contrastive("outside", complement=True, average_anchors=True),
    ),
}
"""Every loss by the name that `--loss` takes."""
