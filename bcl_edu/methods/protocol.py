"""All that the training loop knows of a method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from jaxtyping import Float, Int
from torch import Tensor, nn

from bcl_edu.augment import ViewPolicy

Gather = Callable[[Tensor], Tensor]
"""Concatenates a tensor of one row per sample over all processes, with gradients; identity for one process."""


class Method(Protocol):
    """A way to train a classifier on a long tail: what a row of the tables compares."""

    model: nn.Module
    """Called with the views, shape (views, n, c, h, w); what it returns is handed to `loss`."""
    view_policy: ViewPolicy
    """How the views of an image are made, as many as the method looks at; the first is v1."""

    def loss(self, output: Any, labels: Int[Tensor, " n"], gather: Gather) -> Mapping[str, Tensor]:
        """The loss of the global batch under "loss", and its parts by name, all scalars."""
        ...

    def features(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n h"]:
        """Output of the backbone."""
        ...

    def logits(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n k"]:
        """What is predicted from, at inference, with whatever the method changes in the logits there."""
        ...

    def embeddings(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n d"] | None:
        """Unit vectors z that the contrastive loss sees; None if the method has no contrastive branch."""
        ...
