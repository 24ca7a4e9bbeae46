"""Causal model (TDE): the direction in which training drags all features is taken out of the logits.

SGD's momentum moves every feature towards the head classes, whatever is in the image. A running mean of the training
features tells that direction; the classifier, normalised in several heads, is trained by plain cross-entropy. At
inference the part of a feature along that direction is subtracted before its logits are computed: what remains
is the total direct effect of the image.

Source: Tang et al., "Long-Tailed Classification by Keeping the Good and Removing the Bad Momentum Causal Effect"
(NeurIPS 2020); https://github.com/KaihuaTang/Long-Tailed-Recognition.pytorch. Where they disagree we follow the
code:

- The direction is of length one in each head. The paper's Eq. 8, read literally, takes parts of one unit vector, which
  gives very different logits; it is not offered, since the published figures are the code's.
- The mean forgets more slowly once the rate is below 0.02, on photographs (`slower_at_low_rates`).
- On CIFAR the network is BBN's bilateral one, with 128 features (`bilateral`).

Their running mean lives on the host, with a copy in each step; ours stays on the device. An image whose features are
all zero in a head has zero logits there, where theirs are NaN.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from bcl_edu.methods.protocol import Batch, Clock, Method, Prediction
from bcl_edu.methods.stage import Stage, main_stage
from bcl_edu.models.bilateral import build_bilateral
from bcl_edu.models.heads import unit_rows
from bcl_edu.recipe import Recipe
from bcl_edu.rows.tde_rows import TDE


class MultiHeadClassifier(nn.Module):
    """Logits (tau / heads) sum over heads h of w^h . x^h / ((|w^h| + gamma) |x^h|), without bias.

    Args:
        feature_dim: length of a feature vector x, a multiple of the heads.
        num_classes: K.
        heads: equal parts into which features and weight rows are cut.
        scale: tau.
        gamma: added to the length of a weight row's part.
    """

    def __init__(self, feature_dim: int, num_classes: int, heads: int, *, scale: float, gamma: float) -> None:
        super().__init__()
        if feature_dim % heads:
            raise ValueError(
                f"heads is {heads}, but must divide the {feature_dim} features of the backbone; use 2"
            )
        self.heads, self.scale, self.gamma = heads, scale, gamma
        bound = 1 / math.sqrt(feature_dim)
        self.weight = nn.Parameter(torch.empty(num_classes, feature_dim).uniform_(-bound, bound))

    def forward(
        self,
        features: Float[Tensor, "n h"],
        direction: Float[Tensor, " h"] | None = None,
        strength: float = 0.0,
    ) -> Float[Tensor, "n k"]:
        """Logits, in float32 at least.

        Args:
            features: of the backbone.
            direction: of which the features' part is subtracted, of any length in each head.
            strength: alpha, how much of it.
        """
        with torch.autocast(features.device.type, enabled=False):
            parts = self._parts(features)  # x^h / |x^h|
            if direction is not None:
                along = self._parts(direction[None])  # d^h
                parts = parts - strength * (parts * along).sum(dim=2, keepdim=True) * along
            weight = self.weight.to(parts.dtype).unflatten(1, (self.heads, -1))
            weight = weight / (weight.norm(dim=2, keepdim=True) + self.gamma)
            return self.scale / self.heads * parts.flatten(1) @ weight.flatten(1).T

    def _parts(self, rows: Float[Tensor, "n h"]) -> Float[Tensor, "n heads part"]:
        """Each head's part of the rows, of length one."""
        parts = rows.unflatten(1, (self.heads, -1))
        return unit_rows(parts.flatten(0, 1)).view(parts.shape)


class CausalModel(Method):
    """Backbone, multi-head classifier on v1, and the running mean of the features it was trained on.

    Attributes:
        mean: m, of which only the direction is used: a sum of the last batches' means, not their average.
    """

    forward_changes_state = True
    mean: Tensor

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        assert isinstance(recipe.method, TDE)
        self.options = options = recipe.method
        self.classifier = MultiHeadClassifier(
            self.feature_dim, self.num_classes, options.heads, scale=options.scale, gamma=options.gamma
        )
        self.register_buffer("mean", torch.zeros(self.feature_dim))
        self._fresh: Tensor | None = None

    def build_backbone(self) -> nn.Module:
        """The recipe's backbone, by default with its last block twice."""
        options = self.recipe.method
        assert isinstance(options, TDE)
        if not options.bilateral:
            return super().build_backbone()
        return build_bilateral(self.recipe.backbone, self.image_shape[0])

    def stages(self) -> list[Stage]:
        """One stage, on v1 alone."""
        stage = main_stage(self.recipe, self.policy(views=1))
        return [replace(stage, drop_last=True)]

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """Plain cross-entropy."""
        features = batch.gather(self.extract(batch.views[0]))
        self._fresh = features.detach().to(self.mean.dtype).mean(dim=0)
        return {"loss": functional.cross_entropy(self.classifier(features), batch.gather(batch.labels))}

    def after_step(self, clock: Clock) -> None:
        """m <- mu m + mean of the batch's features."""
        if self._fresh is not None:
            kept = mean_momentum(clock.learning_rate, self.options)
            self.mean.mul_(kept).add_(self._fresh)
            self._fresh = None

    def logits(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n k"]:
        """Logits of what is left of the features without their part along the mean."""
        logits: Tensor = self.classifier(features, self.mean, self.options.effect)
        return logits

    def trained_logits(self, prediction: Prediction) -> Float[Tensor, "n k"]:
        """Logits of the whole features, on which cross-entropy was trained."""
        logits: Tensor = self.classifier(prediction.features)
        return logits


def mean_momentum(learning_rate: float, options: TDE) -> float:
    """mu: how much of the running mean a step keeps."""
    if not options.slower_at_low_rates:
        return options.mean_momentum
    return 1 - (1 - options.mean_momentum) * min(50 * learning_rate, 1.0)
