"""MetaSAug: augmentation of features along directions in which a class varies, learnt from images set aside.

Late in training the loss is an upper bound of the expected cross-entropy of infinitely many features around each
sample, normally distributed with its class's covariance. Of a tail class that covariance is a poor estimate; so each
step first asks how the loss of a balanced set of held-out images, after one step of the network, depends on the
covariances, and moves them against that gradient. Class-balanced weights and LDAM's margins are added.

Source: Li et al., "MetaSAug: Meta Semantic Augmentation for Long-Tailed Visual Recognition" (CVPR 2021);
https://github.com/BIT-DA/MetaSAug, MetaSAug_LDAM_train.py. The paper's text was not to be had; we follow the code:

- The moved covariances serve one step only, and the stored ones stay running estimates. To keep the moved ones is
  not offered: the code does not show how the next batch's features would then enter them.
- Margins are taken from unscaled logits of a linear layer, so they are far milder than LDAM's own, which are
  multiplied by 30.

Its meta batches are drawn without replacement, ours with. Its look-ahead step has the rate of the epoch before where
the rate falls for the second time, ours that of the step. Its form for photographs, a linear classifier on a frozen
network with diagonal covariances, is not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from bcl_edu.losses import class_balanced_weights
from bcl_edu.losses.margins import ldam_margins
from bcl_edu.methods.protocol import Batch, Clock, Method
from bcl_edu.methods.samplers import ByClass
from bcl_edu.methods.stage import Stage, Stream, main_stage
from bcl_edu.models import build_classifier
from bcl_edu.recipe import Recipe
from bcl_edu.rows.metasaug_rows import MetaSAug


def augmented_logits(
    logits: Float[Tensor, "n k"],
    labels: Int[Tensor, " n"],
    weight: Float[Tensor, "k h"],
    covariances: Float[Tensor, "k h h"],
    margins: Float[Tensor, " k"],
    strength: float,
) -> Float[Tensor, "n k"]:
    """Logits whose cross-entropy bounds the expected one under augmentation, with margins.

        z~_j = z_j + (λ/2) (w_j - w_y)^T Sigma_y (w_j - w_y) - [j = y] m_y

    Args:
        logits: z, shape (n, k).
        labels: y, shape (n,).
        weight: rows w of the classifier.
        covariances: Sigma of each class's features.
        margins: m of each class.
        strength: λ of the moment.
    """
    difference = weight - weight[:, None]  # (class y, class j, h)
    variance = ((difference @ covariances) * difference).sum(dim=2)
    own = functional.one_hot(labels, len(margins)) * margins
    return logits + strength / 2 * variance[labels] - own


class ClassCovariances(NamedTuple):
    """Mean and covariance of all features of each class that were seen.

    Attributes:
        mean: shape (k, h).
        covariance: with the number of features as divisor, shape (k, h, h).
        number: how many there were, shape (k,).
    """

    mean: Tensor
    covariance: Tensor
    number: Tensor

    def with_more(self, features: Float[Tensor, "n h"], labels: Int[Tensor, " n"]) -> ClassCovariances:
        """With the features of another batch; exact, in whatever batches they come."""
        rows = features.to(self.mean.dtype)
        more = torch.zeros_like(self.number).index_add_(0, labels, torch.ones_like(rows[:, 0]))
        at_least_one = more.clamp(min=1)
        mean = torch.zeros_like(self.mean).index_add_(0, labels, rows) / at_least_one[:, None]
        centred = rows - mean[labels]
        outer = centred[:, :, None] * centred[:, None]
        covariance = torch.zeros_like(self.covariance).index_add_(0, labels, outer)
        covariance = covariance / at_least_one[:, None, None]
        share = more / (more + self.number).clamp(min=1)
        gap = self.mean - mean
        spread = share * (1 - share)
        return ClassCovariances(
            torch.lerp(self.mean, mean, share[:, None]),
            torch.lerp(self.covariance, covariance, share[:, None, None])
            + spread[:, None, None] * gap[:, :, None] * gap[:, None],
            self.number + more,
        )


class MetaSemanticAugmentation(Method):
    """Backbone and linear classifier, and the covariance of each class's features."""

    owns_gradients = True

    mean: Tensor
    covariance: Tensor
    count: Tensor
    margins: Tensor
    weights: Tensor

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        assert isinstance(recipe.method, MetaSAug)
        self.options = options = recipe.method
        self.classifier = build_classifier("linear", self.feature_dim, self.num_classes)
        shape = (self.num_classes, self.feature_dim)
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("covariance", torch.zeros(*shape, self.feature_dim))
        self.register_buffer("count", torch.zeros(self.num_classes))
        margins = ldam_margins(class_counts, largest=options.largest_margin)
        weights = class_balanced_weights(class_counts, beta=options.class_balanced_beta)
        self.register_buffer("margins", margins.float(), persistent=False)
        self.register_buffer("weights", weights.float(), persistent=False)
        self._seen: tuple[Tensor, Tensor] | None = None

    def stages(self) -> list[Stage]:
        """One stage, with a stream of the images set aside."""
        views = self.policy(views=1)
        meta = Stream(sampler=ByClass(), batch_size=self.options.meta_batch_size, views=views, set_aside=True)
        return [replace(main_stage(self.recipe, views), streams={"meta": meta})]

    def own_gradients(
        self, batch: Batch, clock: Clock, backward: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        """Plain cross-entropy at first; later the augmented loss, with covariances that the meta batch moved."""
        if clock.epoch < self.options.augmented_from * clock.epochs:
            features = self.extract(batch.views[0])
            logits, labels = batch.gather(self.classifier(features)), batch.gather(batch.labels)
            loss = functional.cross_entropy(logits, labels)
            backward(loss)
            return {"loss": loss}
        moved, meta = self._moved_covariances(batch, clock)
        features = self.extract(batch.views[0])
        labels = batch.gather(batch.labels)
        logits = batch.gather(self.classifier(features))
        loss = self._loss(logits, labels, self.classifier.weight, moved, clock)
        backward(loss)
        self._seen = batch.gather(features).detach(), labels
        return {"loss": loss, "meta": meta}

    def _loss(
        self, logits: Tensor, labels: Tensor, weight: Tensor, covariances: Tensor, clock: Clock
    ) -> Tensor:
        strength = self.options.strength * clock.epoch / clock.epochs
        with torch.autocast(logits.device.type, enabled=False):
            wide = logits.to(covariances.dtype)
            augmented = augmented_logits(
                wide, labels, weight.to(covariances.dtype), covariances, self.margins, strength
            )
            return functional.cross_entropy(augmented, labels, weight=self.weights)

    def _moved_covariances(self, batch: Batch, clock: Clock) -> tuple[Tensor, Tensor]:
        """Covariances after a step against the gradient of the meta loss, and that loss."""
        covariances = self.covariance.detach().clone().requires_grad_()
        parameters = dict(self.named_parameters())
        logits = batch.gather(self._logits_with(parameters, batch.views[0]))
        labels = batch.gather(batch.labels)
        loss = self._loss(logits, labels, parameters["classifier.weight"], covariances, clock)
        gradients = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
        stepped = {
            name: value - clock.learning_rate * batch.average(gradient)
            for (name, value), gradient in zip(parameters.items(), gradients, strict=True)
        }
        meta_batch = batch.streams["meta"]
        meta_logits = meta_batch.gather(self._logits_with(stepped, meta_batch.views[0]))
        meta = functional.cross_entropy(meta_logits, meta_batch.gather(meta_batch.labels))
        (slope,) = torch.autograd.grad(meta, covariances)
        return (covariances - self.options.meta_rate * slope).detach(), meta.detach()

    def _logits_with(self, parameters: Mapping[str, Tensor], images: Tensor) -> Tensor:
        """Logits of the network with other parameters; its batch statistics are used, and forgotten."""
        of_backbone = {
            name.removeprefix("backbone."): value
            for name, value in parameters.items()
            if name.startswith("backbone.")
        }
        statistics = {name: value.clone() for name, value in self.backbone.named_buffers()}
        features = functional_call(self.backbone, of_backbone | statistics, (images,))
        return functional.linear(features, parameters["classifier.weight"], parameters["classifier.bias"])

    def after_step(self, clock: Clock) -> None:
        """Update the running covariances with the step's features."""
        if self._seen is None:
            return
        kept = ClassCovariances(self.mean, self.covariance, self.count).with_more(*self._seen)
        self.mean.copy_(kept.mean)
        self.covariance.copy_(kept.covariance)
        self.count.copy_(kept.number)
        self._seen = None
