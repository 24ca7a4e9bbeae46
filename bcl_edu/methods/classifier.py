"""A classifier on one view: cross-entropy, logit compensation (Balanced Softmax), focal and class-balanced
focal loss.

Nothing is learned but the backbone and one layer; the loss alone differs. Logit compensation adds the
logarithm of the class prior to the logits in training (Eq. 10), so that without it they predict as if all
classes were equally frequent. Focal loss plays down what is classified well, and its class-balanced form weighs
classes by their effective numbers.

Source: Zhu et al. (CVPR 2022), Eq. 10; Ren et al., "Balanced Meta-Softmax" (NeurIPS 2020); Lin et al. (ICCV
2017); Cui et al. (CVPR 2019), and their code, https://github.com/richardaecn/class-balanced-loss. Where they disagree:

- The focal losses here are on softmax probabilities, where Cui et al.'s code has K sigmoids; that form is
  `cb-focal-sigmoid`.
- Every loss is multiplied by BCL's weight of its classifier branch (`lambda_`), which the others' papers do not
  have; `balanced-softmax` has weight 1.
- The prior's exponent is 1, as in Eq. 10. Others are offered on finished runs alone (`evaluate --prior-shift`).
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bcl_edu.losses import class_balanced_focal_loss, focal_loss, logit_compensated_cross_entropy
from bcl_edu.methods.protocol import Batch, Clock, Method
from bcl_edu.methods.stage import Stage, main_stage
from bcl_edu.models import build_classifier
from bcl_edu.recipe import Recipe
from bcl_edu.rows.classifier_rows import ClassBalancedFocal, Classifier, Focal


class ClassifierOnly(Method):
    """Backbone and classifier on v1."""

    extendable = True

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        assert isinstance(recipe.method, Classifier)
        self.options = recipe.method
        self.classifier = build_classifier(self.options.classifier, self.feature_dim, self.num_classes)

    def stages(self) -> list[Stage]:
        """One stage, on v1 alone."""
        return [main_stage(self.recipe, self.policy(views=1))]

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """λ times the loss, and the loss."""
        logits = batch.gather(self.classifier(self.extract(batch.views[0])))
        loss = self._loss(logits, batch.gather(batch.labels))
        return {"loss": self.options.lambda_ * loss, "classification": loss}

    def _loss(self, logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> Tensor:
        options = self.options
        if isinstance(options, ClassBalancedFocal):
            return class_balanced_focal_loss(
                logits,
                labels,
                self.class_counts,
                gamma=options.focal_gamma,
                beta=options.class_balanced_beta,
                check=False,
            )
        if isinstance(options, Focal):
            return focal_loss(logits, labels, gamma=options.focal_gamma, check=False)
        # without compensation every class is equally likely: the prior drops out of Eq. 10
        prior = self.class_counts if options.loss == "lc" else torch.ones_like(self.class_counts)
        return logit_compensated_cross_entropy(logits, labels, prior, check=False)
