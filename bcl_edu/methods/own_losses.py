"""Networks for a user's own loss: a classifier, and the two branches of BCL.

The networks are those of `methods.classifier` and `methods.bcl`; only the loss is the user's, so that runs
can be compared.
"""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from bcl_edu.losses import logit_compensated_cross_entropy
from bcl_edu.methods.bcl import both_branches
from bcl_edu.methods.protocol import Batch, Clock, Method
from bcl_edu.methods.stage import Stage, main_stage
from bcl_edu.models import ProjectionHead, PrototypeHead, build_classifier
from bcl_edu.recipe import Recipe
from bcl_edu.rows.own_loss_options import FUNCTIONS, LossOnEmbeddings, LossOnLogits


class ClassifierWithOwnLoss(Method):
    """Backbone and classifier on v1, trained with a registered loss of the logits."""

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        assert isinstance(recipe.method, LossOnLogits)
        _, self.loss = FUNCTIONS[recipe.method.loss]
        self.classifier = build_classifier(recipe.method.classifier, self.feature_dim, self.num_classes)

    def stages(self) -> list[Stage]:
        """One stage, on v1 alone."""
        return [main_stage(self.recipe, self.policy(views=1))]

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """The loss of the whole batch."""
        logits = batch.gather(self.classifier(self.extract(batch.views[0])))
        return {"loss": self.loss(logits, batch.gather(batch.labels), self.class_counts)}


class TwoBranchesWithOwnLoss(Method):
    """λ logit-compensated cross-entropy of v1 + μ a registered loss of the embeddings of v2 and v3."""

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        assert isinstance(recipe.method, LossOnEmbeddings)
        self.options = options = recipe.method
        _, self.loss = FUNCTIONS[options.loss]
        self.classifier = build_classifier(options.classifier, self.feature_dim, self.num_classes)
        self.projection = ProjectionHead(self.feature_dim, options.head_hidden, options.head_dim)
        self.prototype_head = PrototypeHead(self.feature_dim, options.head_hidden, options.head_dim)

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """The loss, and both its parts unweighted."""
        logits, embeddings, labels = both_branches(self, batch)
        classification = logit_compensated_cross_entropy(logits, labels, self.class_counts, check=False)
        prototypes = self.prototype_head(self.classifier.weight)
        own = self.loss(embeddings.flatten(0, 1), labels.repeat(2), prototypes, self.class_counts)
        total = self.options.lambda_ * classification + self.options.mu * own
        return {"loss": total, "classification": classification, "own": own}

    def embeddings(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n d"]:
        """Unit vectors z of the second branch."""
        embeddings: Tensor = self.projection(features)
        return embeddings
