"""Options of the two methods that train a user's own loss (see `bcl_edu.plugins.register_loss`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import tyro

from bcl_edu.recipe import ONE_VIEW, MethodOptions, at_least

FUNCTIONS: dict[str, tuple[str, Callable[..., Any]]] = {}
"""The registered losses by name, each with its title."""


@dataclass(frozen=True, kw_only=True)
class OwnLoss(MethodOptions):
    """Options of a method that trains a registered loss, which names it."""

    loss: tyro.conf.Suppress[str] = field(metadata={"kept": False})
    """Name of the loss; chosen by --method."""

    @property
    def name(self) -> str:
        """The loss's name."""
        return self.loss

    @property
    def title(self) -> str:
        """The description that the loss was registered with."""
        return FUNCTIONS[self.loss][0]


@dataclass(frozen=True, kw_only=True)
class LossOnLogits(OwnLoss):
    """Options of a classifier that is trained with a user's own loss."""

    implementation: ClassVar[str] = "bcl_edu.methods.own_losses:ClassifierWithOwnLoss"
    idle = ONE_VIEW

    classifier: Literal["linear", "cosine"] = "linear"
    """Last layer; 'cosine' has scale 30."""


@dataclass(frozen=True, kw_only=True)
class LossOnEmbeddings(OwnLoss):
    """Options of the two-branch network with a user's own loss on its embeddings.

    Raises:
        ValueError: a value is out of its range.
    """

    implementation: ClassVar[str] = "bcl_edu.methods.own_losses:TwoBranchesWithOwnLoss"

    lambda_: Annotated[float, tyro.conf.arg(name="lambda")] = 2.0
    """Weight λ of the classification loss (Eq. 11)."""
    mu: float = 0.6
    """Weight μ of the loss on embeddings."""
    classifier: Literal["linear", "cosine"] = "linear"
    """Last layer; 'cosine' has scale 30."""
    head_hidden: int = 512
    """Width of the hidden layer of the projection and prototype heads."""
    head_dim: int = 128
    """Dimension D of the embeddings and the prototypes."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        at_least(0, self, "lambda_", "mu")
        at_least(1, self, "head_hidden", "head_dim")
