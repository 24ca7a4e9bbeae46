"""The paper's method and its ablations: a classifier and a contrastive branch on one backbone (Figure 3)."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bcl_edu.augment import view_policy
from bcl_edu.losses import (
    class_balanced_focal_loss,
    contrastive_loss,
    focal_loss,
    logit_compensated_cross_entropy,
    weighted_total,
)
from bcl_edu.methods.objectives import OBJECTIVES
from bcl_edu.methods.protocol import Gather
from bcl_edu.models import (
    ProjectionHead,
    PrototypeHead,
    TwoBranchModel,
    TwoBranchOutput,
    build_backbone,
    build_classifier,
)

if TYPE_CHECKING:
    from bcl_edu.recipe import Recipe


class ClassifierOnly(nn.Module):
    """Backbone and classifier on v1: what is trained when there is no contrastive branch."""

    def __init__(self, backbone: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier

    def forward(self, views: Float[Tensor, "1 n c h w"]) -> Float[Tensor, "n k"]:
        """Logits of v1."""
        logits: Tensor = self.classifier(self.backbone(views[0]))
        return logits


class TwoBranchMethod:
    """A classification loss, and with it any of the contrastive losses or none (Eq. 11).

    Args:
        recipe: names the backbone, the classifier, the loss and its weights.
        class_counts: training images of each class, shape (k,): the class prior of Eq. 10.
        image_shape: channels, height and width of the images.

    The weights are drawn from torch's global generator, which the caller seeds.
    """

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        channels, height, _ = image_shape
        self.recipe = recipe
        self.objective = OBJECTIVES[recipe.loss]
        self.class_counts = class_counts
        self.view_policy = view_policy(
            recipe.views, image_size=height, crop_scale=recipe.crop_scale, blur=recipe.blur
        )
        backbone = build_backbone(recipe.backbone, channels)
        features = int(backbone.feature_dim)  # type: ignore[arg-type]
        classifier = build_classifier(recipe.classifier, features, len(class_counts))
        self.model: nn.Module
        if self.objective.contrastive is None:
            self.view_policy = replace(self.view_policy, views=self.view_policy.views[:1])
            self.model = ClassifierOnly(backbone, classifier)
        else:
            self.model = TwoBranchModel(
                backbone,
                classifier,
                ProjectionHead(features, recipe.head_hidden, recipe.head_dim),
                PrototypeHead(features, recipe.head_hidden, recipe.head_dim)
                if self.objective.contrastive.needs_prototypes
                else None,
            )

    def loss(
        self, output: TwoBranchOutput | Tensor, labels: Int[Tensor, " n"], gather: Gather
    ) -> dict[str, Tensor]:
        """L = λ L_classification + μ L_contrastive of the global batch (Eq. 11) under "loss", and both unweighted."""
        logits = output.logits if isinstance(output, TwoBranchOutput) else output
        classification = self._classification_loss(gather(logits), gather(labels))
        if not isinstance(output, TwoBranchOutput):
            return {"loss": self.recipe.lambda_ * classification, "classification": classification}

        assert self.objective.contrastive is not None
        contrastive = contrastive_loss(
            gather(output.embeddings),
            gather(labels.repeat(2)),  # v2, then v3
            output.prototypes,
            temperature=self.recipe.temperature,
            check=False,
            **asdict(self.objective.contrastive),
        )
        total = weighted_total(classification, contrastive, lambda_=self.recipe.lambda_, mu=self.recipe.mu)
        return {"loss": total, "classification": classification, "contrastive": contrastive}

    def _classification_loss(self, logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> Tensor:
        counts, kind = self.class_counts.to(logits.device, non_blocking=True), self.objective.classification
        if kind == "focal":
            return focal_loss(logits, labels, gamma=self.recipe.focal_gamma, check=False)
        if kind == "class-balanced-focal":
            return class_balanced_focal_loss(
                logits,
                labels,
                counts,
                gamma=self.recipe.focal_gamma,
                beta=self.recipe.class_balanced_beta,
                check=False,
            )
        # without compensation every class is equally likely: the prior drops out of Eq. 10
        prior = counts if kind == "logit-compensated" else torch.ones_like(counts)
        return logit_compensated_cross_entropy(logits, labels, prior, check=False)

    def features(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n h"]:
        """Output of the backbone."""
        features: Tensor = self.model.backbone(images)  # type: ignore[operator]
        return features

    def logits(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n k"]:
        """What is predicted from, without compensation: the test set is balanced."""
        logits: Tensor = self.model.classifier(features)  # type: ignore[operator]
        return logits

    def embeddings(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n d"] | None:
        """Unit vectors of the contrastive branch; None if the loss has none."""
        if self.objective.contrastive is None:
            return None
        embeddings: Tensor = self.model.projection(features)  # type: ignore[operator]
        return embeddings
