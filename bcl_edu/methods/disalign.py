"""DisAlign: the scores of a frozen classifier are calibrated, class by class and image by image.

After plain cross-entropy backbone and classifier stay as they are. What is learned is a magnitude and a margin
for each class, and a confidence for each image that says how much of the two it gets; classes weigh by a power
of their inverse frequency. With magnitude and margin 0 every prediction is that of the first stage.

Source: Zhang et al., "Distribution Alignment: A Unified Framework for Long-tail Visual Recognition" (CVPR
2021), and their code, https://github.com/Megvii-BaseDetection/DisAlign, revision a2fc350. Where they disagree
we follow the code:

- Eq. 5 is sigma (alpha z + beta) + (1 - sigma) z, Eq. 6 and the code (1 + sigma alpha) z + sigma beta: the same
  family with alpha shifted by one. Both start from alpha 1, beta 0, which in Eq. 5 is the identity and in the
  code a factor 1 + sigma, and weight decay pulls them to different points (`form`).
- The paper takes the mean over samples of w_y CE, the code the weighted mean (`weighted_mean`).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from bcl_edu.methods.protocol import Batch, Clock, Method
from bcl_edu.methods.second_stage import NAME, second_stage
from bcl_edu.methods.stage import Stage, main_stage
from bcl_edu.models import CosineClassifier, LinearClassifier
from bcl_edu.recipe import Recipe
from bcl_edu.rows.disalign_rows import DisAlign


class LearnedCosineClassifier(CosineClassifier):
    """A cosine classifier whose scale is learned, from 20 on, as in the authors' code."""

    def __init__(self, feature_dim: int, num_classes: int) -> None:
        super().__init__(feature_dim, num_classes)
        self.scale = nn.Parameter(torch.tensor(20.0))  # type: ignore[assignment]


class DistributionAlignment(Method):
    """Cross-entropy on v1, then calibrated scores."""

    weights: Tensor

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        assert isinstance(recipe.method, DisAlign)
        self.options = options = recipe.method
        build = LearnedCosineClassifier if options.classifier == "cosine" else LinearClassifier
        self.classifier = build(self.feature_dim, self.num_classes)
        self.magnitude = nn.Parameter(torch.ones(self.num_classes))  # alpha
        self.margin = nn.Parameter(torch.zeros(self.num_classes))  # beta
        self.confidence = nn.Linear(self.feature_dim, 1)  # sigma
        nn.init.constant_(self.confidence.weight, 0.1)
        nn.init.zeros_(self.confidence.bias)
        weights = reweighting(class_counts, options.rho)
        self.register_buffer("weights", weights, persistent=False)

    def stages(self) -> list[Stage]:
        """Plain cross-entropy, then the calibration."""
        first = main_stage(self.recipe, self.policy(views=1))
        return [replace(first, learns=("backbone.", "classifier.")), *self.stages_on("")]

    def stages_on(self, start: str) -> list[Stage]:
        """On a finished run, the calibration alone."""
        learns = ("magnitude", "margin", "confidence.")
        return [second_stage(self.recipe, self.options, self.policy(views=1), learns)]

    def start_names(self) -> tuple[str, ...]:
        """Backbone and classifier."""
        return ("backbone.", "classifier.")

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """Cross-entropy; of calibrated scores weighted by class."""
        features = self.extract(batch.views[0])
        second = clock.stage == NAME
        logits = batch.gather(self.logits(features) if second else self.classifier(features))
        labels = batch.gather(batch.labels)
        losses = functional.cross_entropy(logits, labels, reduction="none")
        if not second:
            return {"loss": losses.mean()}
        return {"loss": reweighted_mean(losses, labels, self.weights, weighted=self.options.weighted_mean)}

    def logits(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n k"]:
        """Calibrated scores z'."""
        return calibrated(
            self.classifier(features),
            self.confidence(features).sigmoid(),
            self.magnitude,
            self.margin,
            identity=self.options.form == "equation-5",
        )


def calibrated(
    scores: Float[Tensor, "n k"],
    confidence: Float[Tensor, "n 1"],
    magnitude: Float[Tensor, " k"],
    margin: Float[Tensor, " k"],
    *,
    identity: bool,
) -> Float[Tensor, "n k"]:
    """(1 + sigma alpha) z + sigma beta, or with `identity` sigma (alpha z + beta) + (1 - sigma) z.

    Source: Zhang et al. (CVPR 2021), Eq. 6 and Eq. 5.
    """
    alpha = magnitude - 1 if identity else magnitude
    return (1 + confidence * alpha) * scores + confidence * margin


def reweighting(class_counts: Int[Tensor, " k"], rho: float) -> Float[Tensor, " k"]:
    """Weights w_c = pi_c^-rho / sum_j pi_j^-rho in float64; rho 0 weighs alike, 1 by inverse frequency."""
    return (-rho * class_counts.double().log()).softmax(dim=0)


def reweighted_mean(
    losses: Float[Tensor, " n"], labels: Int[Tensor, " n"], weights: Float[Tensor, " k"], *, weighted: bool
) -> Float[Tensor, ""]:
    """sum_i w_i L_i, divided by the sum of the batch's weights or by its number of samples."""
    of_rows = weights.to(losses.dtype)[labels]
    total = (of_rows * losses).sum()
    return total / of_rows.sum() if weighted else total / len(losses)
