"""Hybrid-SC and Hybrid-PSC: a contrastive branch that learns features first, and a balanced classifier branch later.

Two branches share a backbone and see different images: the contrastive branch images as they come, the classifier
branch images of every class with equal probability, under plain cross-entropy. The weight of the contrastive loss
falls along a parabola from 1 to 0 over the epochs, so that features are learned first. Hybrid-SC contrasts samples
with samples (Khosla et al.'s loss), Hybrid-PSC with one learned prototype a class, which needs no large batches.

Source: Wang et al., "Contrastive Learning based Hybrid Networks for Long-Tailed Image Classification" (CVPR 2021).
Their code is not public, and their paper was not to be had: what is known of it comes from its abstract, from BCL's
paper and from a reproduction (CENG502, 2022) that quotes its settings. Where those are silent, an option says what
we choose: the heads' widths, from where epochs are counted (`alpha_from_one`), whether both batches go through the
network together (`joint_pass`), the size of the second batch, how many views there are (`contrast_views`), and
whether anchors are summed (`summed_anchors`).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from bcl_edu.losses import supervised_contrastive_loss
from bcl_edu.methods.bbn import parabolic
from bcl_edu.methods.protocol import Batch, Clock, Method
from bcl_edu.methods.samplers import ByClass
from bcl_edu.methods.stage import Stage, Stream, main_stage
from bcl_edu.models import LinearClassifier
from bcl_edu.models.heads import PlainHead, unit_rows
from bcl_edu.recipe import Recipe
from bcl_edu.rows.hybrid_rows import HybridPSC, HybridSC


class SupervisedHybrid(Method):
    """Hybrid-SC: backbone, projection head for contrast among samples, linear classifier."""

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        assert isinstance(recipe.method, HybridSC)
        self.options = options = recipe.method
        self.classifier = LinearClassifier(self.feature_dim, self.num_classes)
        hidden = self.feature_dim if options.head_hidden is None else options.head_hidden
        self.projection = PlainHead(self.feature_dim, hidden, options.head_dim)

    def stages(self) -> list[Stage]:
        """One stage on the contrastive branch's views, and a stream for the classifier's, balanced over classes."""
        policy, options = self.policy(), self.options
        contrast = replace(policy, views=policy.views[1 : 1 + options.contrast_views])
        balanced = Stream(
            sampler=ByClass(),
            batch_size=options.balanced_batch_size or self.recipe.batch_size,
            views=replace(policy, views=policy.views[:1]),
        )
        return [replace(main_stage(self.recipe, contrast), streams={"balanced": balanced})]

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """alpha times the contrastive loss and 1 - alpha times the cross-entropy of the balanced batch."""
        balanced = batch.streams["balanced"]
        if self.options.joint_pass:
            features = self.extract(torch.cat([*batch.views, balanced.views[0]]))
            of_contrast, of_balanced = features.split(
                [len(features) - len(balanced.labels), len(balanced.labels)]
            )
        else:
            of_contrast = self.extract(batch.views.flatten(0, 1))
            of_balanced = self.extract(balanced.views[0])
        embeddings = batch.gather_views(self.projection(of_contrast), len(batch.views))
        contrastive = self.contrast(
            embeddings.flatten(0, 1), batch.gather(batch.labels).repeat(len(embeddings))
        )
        logits = balanced.gather(self.classifier(of_balanced))
        classification = functional.cross_entropy(logits, balanced.gather(balanced.labels))
        alpha = parabolic(clock, from_one=self.options.alpha_from_one)
        total = alpha * contrastive + (1 - alpha) * classification
        return {"loss": total, "classification": classification, "contrastive": contrastive}

    def contrast(self, embeddings: Float[Tensor, "n d"], labels: Int[Tensor, " n"]) -> Float[Tensor, ""]:
        """Eq. 1-2 of BCL's paper, over the samples of the batch."""
        mean = supervised_contrastive_loss(
            embeddings, labels, temperature=self.options.temperature, check=False
        )
        return mean * len(labels) if self.options.summed_anchors else mean

    def embeddings(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n d"]:
        """Unit vectors of the contrastive branch."""
        embeddings: Tensor = self.projection(features)
        return embeddings


class PrototypicalHybrid(SupervisedHybrid):
    """Hybrid-PSC: the contrastive branch compares with a learned prototype of each class."""

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        self.prototypes = nn.Parameter(torch.randn(self.num_classes, self.options.head_dim))

    def contrast(self, embeddings: Float[Tensor, "n d"], labels: Int[Tensor, " n"]) -> Float[Tensor, ""]:
        """Mean over the samples of the loss against prototypes."""
        options = self.options
        assert isinstance(options, HybridPSC)
        losses = prototypical_losses(
            embeddings,
            unit_rows(self.prototypes),
            labels,
            temperature=options.temperature,
            own_in_denominator=options.own_in_denominator,
        )
        return losses.sum() if options.summed_anchors else losses.mean()


def prototypical_losses(
    embeddings: Float[Tensor, "n d"],
    prototypes: Float[Tensor, "k d"],
    labels: Int[Tensor, " n"],
    *,
    temperature: float,
    own_in_denominator: bool = False,
) -> Float[Tensor, " n"]:
    """-log(exp(z . p_y / tau) / sum over the other classes j of exp(z . p_j / tau)) of each sample.

    The own prototype is not in the denominator, so that the loss may be negative.

    Args:
        embeddings: unit vectors z.
        prototypes: unit vectors p.
        labels: class y of each embedding.
        temperature: tau.
        own_in_denominator: sum over all classes, as cross-entropy does.

    Source: Wang et al. (CVPR 2021); see the head of this file.
    """
    with torch.autocast(embeddings.device.type, enabled=False):
        logits = embeddings @ prototypes.to(embeddings.dtype).T / temperature
        own = labels[:, None] == torch.arange(len(prototypes), device=labels.device)
        others = logits if own_in_denominator else logits.masked_fill(own, -torch.inf)
        return others.logsumexp(dim=1) - logits.gather(1, labels.long()[:, None]).squeeze(1)
