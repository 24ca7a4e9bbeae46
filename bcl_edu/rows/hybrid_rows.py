"""Hybrid-SC and Hybrid-PSC: options and rows.

Source: Wang et al. (CVPR 2021), as far as its abstract, BCL's paper and a reproduction (CENG502, 2022) say.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bcl_edu.recipe import MethodOptions, Recipe, above, at_least, require
from bcl_edu.rows.bcl_rows import benchmark
from bcl_edu.rows.paper import Printed
from bcl_edu.rows.row import BENCHMARK, TRAINING, Row


@dataclass(frozen=True, kw_only=True)
class HybridSC(MethodOptions):
    """Options of a contrastive branch among samples beside a balanced classifier branch.

    Raises:
        ValueError: a value is out of its range.
    """

    implementation = "bcl_edu.methods.hybrid:SupervisedHybrid"
    name = "hybrid-sc"
    title = "Hybrid-SC: supervised contrast first, a balanced classifier later (Wang et al. 2021)"

    temperature: float = 0.1
    """Temperature tau of the contrastive loss."""
    contrast_views: int = field(default=2, metadata={"kept": False})
    """Views of each image in the contrastive branch, 1 or 2; one alone leaves an image without a positive that has no
    other of its class in the batch."""
    head_hidden: int | None = None
    """Width of the projection head's hidden layer; by default that of the features."""
    head_dim: int = 128
    """Dimension D of the embeddings."""
    alpha_from_one: bool = False
    """Count epochs from 1, so that the contrastive loss's weight ends at 0; otherwise it begins at 1."""
    joint_pass: bool = False
    """Send both branches' images through the network together, with the same batch statistics."""
    balanced_batch_size: int | None = None
    """Images of a batch of the classifier branch; by default as in the contrastive one."""
    summed_anchors: bool = False
    """Sum the contrastive loss over its anchors instead of taking their mean."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        above(0, self, "temperature")
        require(self.contrast_views in (1, 2), "contrast_views", self.contrast_views, "1 or 2")
        at_least(1, self, "head_dim")
        for name in ("head_hidden", "balanced_batch_size"):
            value = getattr(self, name)
            require(value is None or value >= 1, name, value, "at least 1")


@dataclass(frozen=True, kw_only=True)
class HybridPSC(HybridSC):
    """Options of a contrastive branch against learned prototypes beside a balanced classifier branch."""

    implementation = "bcl_edu.methods.hybrid:PrototypicalHybrid"
    name = "hybrid-psc"
    title = (
        "Hybrid-PSC: contrast with learned prototypes first, a balanced classifier later (Wang et al. 2021)"
    )

    contrast_views: int = field(default=1, metadata={"kept": False})
    """Views of each image in the contrastive branch, 1 or 2; each is pulled to its class's prototype."""
    own_in_denominator: bool = False
    """Sum over all prototypes in the loss's denominator, as cross-entropy does; the paper leaves the own one out."""


METHODS = (HybridSC(), HybridPSC())

_STATED_OF_CIFAR = BENCHMARK | TRAINING | {"temperature"}
_SOURCE = (
    " The authors published no code. What is stated here is what a reproduction (CENG502, 2022) quotes of their "
    "paper; that 512 counts images, in both branches, the head's width, separate passes, the mean over anchors "
    "and from where alpha counts are our choice."
)
_OF_INATURALIST = (
    " The authors published no code, and no account of their recipe for this set was to be had: it is trained as "
    "BCL is, with weight 1 on both losses; all of that is our choice."
)
_STATED_OF_INATURALIST = BENCHMARK


def _row(printed: Printed, options: HybridSC, title: str) -> Row:
    recipe: Recipe = benchmark(printed)
    if printed.imbalance_factor is None:
        recipe = replace(recipe, method=replace(options, head_hidden=2048), views="sim-sim")
        return Row("", title, recipe, None, _STATED_OF_INATURALIST, _OF_INATURALIST)
    recipe = replace(
        recipe,
        method=options,
        views="plain-grey",
        batch_size=512,
        learning_rate=0.5,
        warmup_epochs=0,
        milestones=(120, 160),
        weight_decay=1e-4,
    )
    return Row("", title, recipe, None, _STATED_OF_CIFAR, _SOURCE)


def _sc(printed: Printed) -> Row:
    return _row(printed, HybridSC(), "Hybrid-SC")


def _psc(printed: Printed) -> Row:
    return _row(printed, HybridPSC(), "Hybrid-PSC")


PRINTED = {"Hybrid-SC": _sc, "Hybrid-PSC": _psc}
