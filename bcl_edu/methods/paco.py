"""PaCo: one softmax over learnable class centres, the batch, and a queue of keys.

An anchor's logits are those of the classes, shifted by the logarithm of their prior, and its similarities to the
other samples, to keys of a momentum encoder and to a queue of earlier keys. The anchor's class has weight 1, each
sample of that class the small weight α; so head classes, of which many samples are at hand, lean on their samples,
and tail classes on their centre. The rows of the classifier are the centres.

Source: Cui et al., "Parametric Contrastive Learning" (ICCV 2021); folder PaCo/LT of
https://github.com/dvlab-research/Parametric-Contrastive-Learning. We follow the code: it divides an anchor's loss by
the sum of its weights (switch `divide`). Its queue begins with vectors that are normalised along the wrong axis,
ours with unit vectors; both are gone after as many steps.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bcl_edu.methods.protocol import Batch, Clock, Method
from bcl_edu.methods.stage import Stage, main_stage
from bcl_edu.models import ProjectionHead, build_classifier
from bcl_edu.models.momentum import LabelledQueue, follow, key_copy, require_whole_batches
from bcl_edu.recipe import Recipe
from bcl_edu.rows.paco_rows import PaCo

TINY = 1e-9
"""Number added to the prior before its logarithm, as in the authors' code."""


def paco_loss(
    class_logits: Float[Tensor, "n k"],
    queries: Float[Tensor, "n d"],
    others: Float[Tensor, "m d"],
    labels: Int[Tensor, " n"],
    other_labels: Int[Tensor, " m"],
    class_counts: Int[Tensor, " k"],
    *,
    alpha: float,
    temperature: float,
    divide: bool = True,
) -> Float[Tensor, ""]:
    """PaCo's loss of the anchors q_i, whose contrast A is the other queries, keys and queue.

        L_i = -(log p(y_i) + α sum_{a in A_i} log p(a)) / (1 + α |A_i|),    A_i = {a in A: y_a = y_i}

    where p is one softmax over z_k + log(N_k / N) of the K classes and q_i . a / T of all samples a in A.

    Args:
        class_logits: z of the anchors, shape (n, k).
        queries: unit vectors q of the anchors, shape (n, d).
        others: unit vectors of keys and queue, shape (m, d); constants.
        labels: of the anchors, shape (n,).
        other_labels: of keys and queue, shape (m,); -1 for no class.
        class_counts: of the training set, shape (k,).
        alpha: weight of a sample of the anchor's class.
        temperature: T.
        divide: by the sum of the weights.
    """
    prior = class_counts.to(class_logits.dtype) / class_counts.sum()
    samples = torch.cat([queries, others]).to(class_logits.dtype)
    similarity = queries.to(class_logits.dtype) @ samples.T / temperature
    itself = torch.eye(len(queries), len(samples), dtype=torch.bool, device=queries.device)
    everything = torch.cat(
        [class_logits + (prior + TINY).log(), similarity.masked_fill(itself, -torch.inf)], dim=1
    )
    normaliser = everything.logsumexp(dim=1)
    positive = (labels[:, None] == torch.cat([labels, other_labels])) & ~itself
    of_class = everything.gather(1, labels[:, None])[:, 0] - normaliser
    of_samples = ((similarity - normaliser[:, None]) * positive).sum(dim=1)
    losses = -(of_class + alpha * of_samples)
    if divide:
        losses = losses / (1 + alpha * positive.sum(dim=1).to(losses.dtype))
    return losses.mean()


class ParametricContrastive(Method):
    """Query encoder, classifier, key encoder and queue."""

    forward_changes_state = True

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        assert isinstance(recipe.method, PaCo)
        self.options = options = recipe.method
        require_whole_batches(options.queue_size, recipe.batch_size)
        self.classifier = build_classifier("linear", self.feature_dim, self.num_classes)
        hidden = options.head_hidden or self.feature_dim
        self.projection = ProjectionHead(self.feature_dim, hidden, options.head_dim)
        self.key_backbone = key_copy(self.backbone)
        self.key_projection = key_copy(self.projection)
        self.queue = LabelledQueue(options.queue_size, options.head_dim, self.num_classes)
        self._fresh: tuple[Tensor, Tensor] | None = None

    def stages(self) -> list[Stage]:
        """One stage on two views, the query's and the key's; the key encoder normalises by its batches."""
        stage = main_stage(self.recipe, self.policy(views=2))
        return [replace(stage, drop_last=True, frozen_batch_norm="batch")]

    def begin(self, stage: Stage) -> None:
        """Copy the query encoder into the key encoder, whatever weights it began with."""
        self.key_backbone.load_state_dict(self.backbone.state_dict())
        self.key_projection.load_state_dict(self.projection.state_dict())

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """The loss of the first view against keys of the second."""
        features = self.extract(batch.views[0])
        logits = batch.gather(self.classifier(features))
        queries = batch.gather(self.projection(features))
        labels = batch.gather(batch.labels)
        with torch.no_grad():
            keys = batch.gather(self.key_projection(self.key_backbone(batch.views[1])))
        self._fresh = keys, labels
        options = self.options
        with torch.autocast(logits.device.type, enabled=False):
            loss = paco_loss(
                logits.to(queries.dtype),
                queries,
                torch.cat([keys, self.queue.keys]),
                labels,
                torch.cat([labels, self.queue.labels]),
                self.class_counts,
                alpha=options.alpha,
                temperature=options.temperature,
                divide=options.divide,
            )
        return {"loss": loss}

    def after_step(self, clock: Clock) -> None:
        """Put the step's keys into the queue, and move the key encoder."""
        if self._fresh is not None:
            self.queue.put(*self._fresh)
            self._fresh = None
        follow(self.key_backbone, self.backbone, self.options.key_momentum)
        follow(self.key_projection, self.projection, self.options.key_momentum)

    def embeddings(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n d"]:
        """Unit vectors of the query encoder."""
        embeddings: Tensor = self.projection(features)
        return embeddings
