"""LDAM, a margin that grows as a class gets rarer, and LDAM-DRW, which weighs classes late in training.

A sample of class y must win by a margin proportional to N_y^(-1/4), which a generalisation bound for two
classes suggests; cosine logits give the margin a scale. In its deferred form (DRW) the network first learns
from all samples alike, and from the first decay of the learning rate on classes weigh by the inverse of their
effective numbers. Nothing changes at inference.

Source: Cao et al., "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss" (NeurIPS 2019),
and their code, https://github.com/kaidic/LDAM-DRW, revision 2536330. Where they disagree we follow the code:

- Eq. 12 has no scale; the code multiplies cosine minus margin by 30 (`scale`).
- Algorithm 1 weighs by 1 / N_k; the code by effective numbers with beta 0.9999 (`class_weights`).
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from bcl_edu.losses import class_balanced_weights
from bcl_edu.losses.margins import ldam_margins
from bcl_edu.methods.protocol import Batch, Clock, Method
from bcl_edu.methods.stage import Stage, main_stage, scaled_epoch
from bcl_edu.models import CosineClassifier
from bcl_edu.recipe import Recipe
from bcl_edu.rows.ldam_rows import LDAM, DeferredLDAM


class LabelDistributionAwareMargin(Method):
    """Backbone and cosine classifier on v1, with a margin for each class."""

    margins: Tensor
    weights: Tensor

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        assert isinstance(recipe.method, LDAM)
        self.options: LDAM = recipe.method
        options = self.options
        self.classifier = CosineClassifier(self.feature_dim, self.num_classes, options.scale)
        # as in the authors' code: uniform in the cube, then of length one
        nn.init.uniform_(self.classifier.weight, -1, 1)
        with torch.no_grad():
            self.classifier.weight.copy_(functional.normalize(self.classifier.weight, dim=1))
        margins = ldam_margins(class_counts, largest=options.largest_margin)
        self.register_buffer("margins", margins, persistent=False)
        self.register_buffer("weights", self._class_weights(class_counts), persistent=False)

    def _class_weights(self, class_counts: Int[Tensor, " k"]) -> Float[Tensor, " k"]:
        """Class weights of the deferred stretch; 1 each where there is none."""
        options = self.options
        if not isinstance(options, DeferredLDAM):
            return torch.ones(len(class_counts), dtype=torch.float64)
        if options.class_weights == "inverse-frequency":
            return inverse_frequencies(class_counts)
        return class_balanced_weights(class_counts, beta=options.weights_beta)

    def stages(self) -> list[Stage]:
        """One stage, on v1 alone."""
        return [main_stage(self.recipe, self.policy(views=1))]

    def weights_from(self, epochs: int) -> int:
        """The epoch, from 0, from which classes are weighted: the first at which the learning rate falls."""
        recipe, options = self.recipe, self.options
        if not isinstance(options, DeferredLDAM):
            return epochs  # never
        if options.weights_from is not None:
            return scaled_epoch(recipe, options.weights_from)
        if recipe.schedule == "steps" and recipe.milestones:
            return scaled_epoch(recipe, recipe.milestones[0])
        return round(0.8 * epochs)  # as 160 of 200

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """The mean of the samples' losses, from `weights_from` on weighted by class."""
        logits = batch.gather(self.classifier(self.extract(batch.views[0])))  # s cos
        labels = batch.gather(batch.labels)
        losses = ldam_losses(logits, labels, self.margins, scale=self.options.scale)
        if clock.epoch < self.weights_from(clock.epochs):
            return {"loss": losses.mean()}
        weights = self.weights.to(losses.dtype)[labels]
        # divided by the weights of the whole batch, which is why the losses had to be gathered
        return {"loss": (weights * losses).sum() / weights.sum()}


def inverse_frequencies(class_counts: Int[Tensor, " k"]) -> Float[Tensor, " k"]:
    """Weights 1 / N_k, scaled to sum to k, in float64."""
    inverse = 1 / class_counts.double()
    return inverse * (len(inverse) / inverse.sum())


def ldam_losses(
    logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"], margins: Float[Tensor, " k"], *, scale: float
) -> Float[Tensor, " n"]:
    """Cross-entropy of s (cos - Delta_y) for the true class and s cos for the others, one a row.

    Args:
        logits: s times the cosines, shape (n, k).
        labels: class of each row, shape (n,).
        margins: Delta, shape (k,).
        scale: s.

    Source: Cao et al. (NeurIPS 2019), Eq. 12; s is in their code only.
    """
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    true = functional.one_hot(labels.long(), wide.shape[1]).to(wide.dtype)
    return functional.cross_entropy(
        wide - scale * true * margins.to(wide.dtype), labels.long(), reduction="none"
    )
