"""Focal loss as it was published for long tails: K sigmoids, with or without class-balanced weights.

Every class is a yes-or-no question of its own, and a sample's easy questions weigh little. The classifier's
bias starts so low that all K answers begin near "no", without which K - 1 wrong classes would drown the right
one. The class-balanced form multiplies a sample's K terms by the weight of its class.

Source: Lin et al. (ICCV 2017); Cui et al., "Class-Balanced Loss Based on Effective Number of Samples" (CVPR
2019), and their code, https://github.com/richardaecn/class-balanced-loss, revision 1d78572, which this follows:
bias -log(K - 1) at the start and no weight decay on it. The figure on ImageNet-LT comes from the code of Tang
et al. (NeurIPS 2020), https://github.com/KaihuaTang/Long-Tailed-Recognition.pytorch: softmax, and no gradient
through the factor (1 - p)^gamma (`form`). `focal` and `cb-focal` are softmax forms with that gradient.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from bcl_edu.losses import class_balanced_weights
from bcl_edu.methods.protocol import Batch, Clock, Method
from bcl_edu.methods.stage import ParameterGroup, Stage, main_stage
from bcl_edu.models import LinearClassifier
from bcl_edu.recipe import Recipe
from bcl_edu.rows.published_focal_rows import ClassBalancedFocal, DetachedFocal, PublishedFocal


class PublishedFocalLoss(Method):
    """Backbone and linear classifier on v1."""

    weights: Tensor

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        assert isinstance(recipe.method, PublishedFocal)
        self.options: PublishedFocal = recipe.method
        self.classifier = LinearClassifier(self.feature_dim, self.num_classes)
        self.sigmoids = not isinstance(self.options, DetachedFocal)
        if self.sigmoids:
            nn.init.constant_(self.classifier.bias, -math.log(self.num_classes - 1))
        weights = torch.ones(self.num_classes, dtype=torch.float64)
        if isinstance(self.options, ClassBalancedFocal):
            weights = class_balanced_weights(class_counts, beta=self.options.beta)
        self.register_buffer("weights", weights, persistent=False)

    def stages(self) -> list[Stage]:
        """One stage, on v1 alone; the bias of the sigmoids does not decay."""
        groups = (ParameterGroup(names=("classifier.bias",), weight_decay=0.0),) if self.sigmoids else ()
        return [replace(main_stage(self.recipe, self.policy(views=1)), groups=groups)]

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """The loss."""
        logits = batch.gather(self.classifier(self.extract(batch.views[0])))
        labels = batch.gather(batch.labels)
        gamma = self.options.gamma
        if not self.sigmoids:
            return {"loss": detached_focal_losses(logits, labels, gamma).mean()}
        losses = sigmoid_focal_losses(logits, labels, gamma)
        return {"loss": (self.weights.to(losses.dtype)[labels] * losses).mean()}


def sigmoid_focal_losses(
    logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"], gamma: float
) -> Float[Tensor, " n"]:
    """Sum over the classes c of (1 - p_c)^gamma (-log p_c), where p_c is the probability of the right answer.

    Args:
        logits: of the K questions, shape (n, k).
        labels: class of each row, shape (n,).
        gamma: 0 or more; 0 is binary cross-entropy.

    Source: Lin et al. (ICCV 2017), Eq. 4; Cui et al. (CVPR 2019), Eq. 9.
    """
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    true = functional.one_hot(labels.long(), wide.shape[1]).bool()
    right = torch.where(true, wide, -wide)  # logit of the right answer
    # (1 - p)^gamma = exp(gamma log sigmoid(-right)): finite where 1 - p rounds to 0
    modulated = (gamma * functional.logsigmoid(-right)).exp() * -functional.logsigmoid(right)
    return modulated.sum(dim=1)


def detached_focal_losses(
    logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"], gamma: float
) -> Float[Tensor, " n"]:
    """(1 - p_y)^gamma (-log p_y) with softmax probabilities, the factor a constant for the gradient."""
    losses = functional.cross_entropy(
        logits.to(torch.promote_types(logits.dtype, torch.float32)), labels.long(), reduction="none"
    )
    return (-torch.expm1(-losses.detach())) ** gamma * losses
