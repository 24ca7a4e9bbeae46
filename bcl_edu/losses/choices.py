"""The contrastive losses by name: each a choice of the same three switches, and nothing more."""

from dataclasses import dataclass
from typing import Literal

Averaging = Literal["none", "outside", "inside", "prototypes"]


@dataclass(frozen=True)
class Contrastive:
    """Arguments of `contrastive_loss`.

    Attributes:
        averaging: how the denominator gathers the classes (Eq. 2, 6, 7, 8).
        complement: whether every class's prototype joins the batch (section 3.3).
        average_anchors: whether anchors are averaged per class before they are averaged over classes.
    """

    averaging: Averaging = "none"
    complement: bool = False
    average_anchors: bool = False

    @property
    def needs_prototypes(self) -> bool:
        """Whether prototypes take part."""
        return self.complement or self.averaging == "prototypes"


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
    "bcl-class-anchors": Contrastive("outside", complement=True, average_anchors=True),
}
"""SCL (Eq. 1-2), with each half of BCL alone, L1 = BCL (Eq. 9), L2, L3, and BCL with class-averaged anchors."""
