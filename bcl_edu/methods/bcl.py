"""Balanced contrastive learning and its ablations.

A classifier branch with logit compensation and a contrastive branch share one backbone: v1 goes to the
classifier, v2 and v3 to the projection head, and a second head makes one prototype a class from the
classifier's weight rows. Which contrastive loss is used is an option: SCL, BCL, and everything between them. Three
switches go beyond the paper: the mean over positives inside the logarithm, classes weighted by the training prior (with
it a 2 x 2 of BCL's own loss), and anchors weighted by the inverse of their class's size.

Source: Zhu et al., CVPR 2022, Figure 3, Eq. 9 to 11. The authors published code for photographs only
(https://github.com/FlamieZhu/Balanced-Contrastive-Learning).
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

from bcl_edu.losses import (
    CONTRASTIVE_LOSSES,
    contrastive_loss,
    logit_compensated_cross_entropy,
    weighted_total,
)
from bcl_edu.methods.protocol import Batch, Clock, Method
from bcl_edu.models import ProjectionHead, PrototypeHead, build_classifier
from bcl_edu.recipe import Recipe
from bcl_edu.rows.bcl_rows import BCL


class BalancedContrastive(Method):
    """L = λ L_LC + μ L_contrastive of the global batch (Eq. 11)."""

    extendable = True

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        assert isinstance(recipe.method, BCL)
        self.options = options = recipe.method
        contrastive = replace(
            CONTRASTIVE_LOSSES[options.contrastive],
            positives_inside_log=options.positives_inside_log,
            training_prior=options.training_prior,
            training_balanced_anchors=options.training_balanced_anchors,
        )
        self.switches, self.uses_class_counts = asdict(contrastive), contrastive.needs_class_counts
        self.classifier = build_classifier(options.classifier, self.feature_dim, self.num_classes)
        self.projection = ProjectionHead(self.feature_dim, options.head_hidden, options.head_dim)
        self.prototype_head = (
            PrototypeHead(self.feature_dim, options.head_hidden, options.head_dim)
            if contrastive.needs_prototypes
            else None
        )

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """The loss, and both its parts unweighted.

        Raises:
            ValueError: not three views.
        """
        logits, embeddings, labels = both_branches(self, batch)
        classification = logit_compensated_cross_entropy(logits, labels, self.class_counts, check=False)
        contrastive = contrastive_loss(
            embeddings.flatten(0, 1),  # v2, then v3
            labels.repeat(2),
            self.prototypes(),
            temperature=self.options.temperature,
            class_counts=self.class_counts if self.uses_class_counts else None,
            check=False,
            **self.switches,
        )
        total = weighted_total(classification, contrastive, lambda_=self.options.lambda_, mu=self.options.mu)
        return {"loss": total, "classification": classification, "contrastive": contrastive}

    def prototypes(self) -> Float[Tensor, "k d"] | None:
        """Prototypes c_k, a function of the classifier's weights; None where the loss has none."""
        if self.prototype_head is None:
            return None
        prototypes: Tensor = self.prototype_head(self.classifier.weight)
        return prototypes

    def embeddings(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n d"]:
        """Unit vectors z of the contrastive branch."""
        embeddings: Tensor = self.projection(features)
        return embeddings


class Branches(NamedTuple):
    """Outputs of both branches for the samples of all ranks.

    Attributes:
        logits: of v1, shape (n, k).
        embeddings: unit vectors of v2 and v3, shape (2, n, d).
        labels: shape (n,).
    """

    logits: Tensor
    embeddings: Tensor
    labels: Tensor


def both_branches(method: Method, batch: Batch) -> Branches:
    """Outputs of a method's `classifier` and `projection`.

    Raises:
        ValueError: not three views.
    """
    views, number = batch.views.shape[:2]
    if views != 3:
        raise ValueError(
            f"{views} views of each image, expected v1, v2 and v3 (the policy of --views makes them)"
        )
    classifier, projection = method.get_submodule("classifier"), method.get_submodule("projection")
    # One pass over all views: batch normalisation sees them together, as in the code of BCL's authors.
    features = method.extract(batch.views.flatten(0, 1))
    logits = batch.gather(classifier(features[:number]))
    labels = batch.gather(batch.labels)
    return Branches(logits, batch.gather_views(projection(features[number:]), 2), labels)
