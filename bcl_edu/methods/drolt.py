"""DRO-LT: features that are robust to errors in a class's centroid.

The mean of a few features is a poor estimate of a tail class's centroid. The loss therefore takes, within a ball
around each centroid whose radius is learnt, the worst place for the centroid: an own sample counts as a radius farther
away than it is. After cross-entropy training, a second stage trains the features with this loss on class-balanced
batches, with centroids of the whole training set before each epoch, and a third one the classifier.

Source: Samuel and Chechik, "Distributional Robustness Loss for Long-tail Learning" (ICCV 2021);
https://github.com/dvirsamuel/DRO-LT. The paper's text was not to be had; we follow the code:

- An own sample counts as one radius farther away than it is. `radius_factor` 2 makes it two radii, one for the
  sample's own distance and one for the other samples'.
- Every class has a radius of its own, which is learned. A radius shared by all classes, or one that follows from a
  class's count, is not offered, since the code has neither. The gradient of a radius is never negative, so radii
  only shrink.
- Classes weigh alike in the robust loss; the code has class weights for it that it does not use, and we do not
  offer them. The cross-entropy beside it is weighted by class counts.
- Robust loss and cross-entropy are added, both with weight 1; a convex combination is not offered.

One error of the code is mended: where a batch is not sorted by class, it gives samples the radii of other classes. The
code continues from the epoch that is best on the test set; we do not look there.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from bcl_edu.methods.protocol import Batch, Clock, Method, TrainingPass
from bcl_edu.methods.samplers import ClassAware
from bcl_edu.methods.stage import Schedule, Stage, Stream, main_stage
from bcl_edu.models import build_classifier
from bcl_edu.recipe import Recipe
from bcl_edu.rows.drolt_rows import DROLT


def robust_loss(
    features: Float[Tensor, "n h"],
    labels: Int[Tensor, " n"],
    centroids: Float[Tensor, "k h"],
    radii: Float[Tensor, " k"],
    *,
    temperature: float = 1.0,
) -> Float[Tensor, ""]:
    """A softmax over the samples of the batch for each class's centroid, own samples a radius farther away.

        s_ci = -|mu_c - z_i| - eps_c [y_i = c]
        L = -(mean over classes c of the batch) (mean over i with y_i = c) log( exp(s_ci / T) / sum_j exp(s_cj / T) )

    Args:
        features: z, not normalised, shape (n, h).
        labels: shape (n,).
        centroids: mu, constants, shape (k, h).
        radii: eps, shape (k,).
        temperature: T.

    Source: the authors' code.
    """
    number = len(centroids)
    # exact differences: through a matrix product short distances would lose their digits
    distance = torch.cdist(centroids, features, compute_mode="donot_use_mm_for_euclid_dist")
    own = labels == torch.arange(number, device=labels.device)[:, None]  # (k, n)
    log_p = ((-distance - radii[:, None] * own) / temperature).log_softmax(dim=1)
    counts = own.sum(dim=1)
    of_class = (log_p * own).sum(dim=1) / counts.clamp(min=1)
    return -of_class.sum() / (counts > 0).sum()


class DistributionallyRobust(Method):
    """Backbone, linear classifier, one radius a class."""

    centroids: Tensor

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        assert isinstance(recipe.method, DROLT)
        self.options = recipe.method
        self.classifier = build_classifier("linear", self.feature_dim, self.num_classes)
        self.radii = nn.Parameter(torch.full((self.num_classes,), self.options.radius))
        self.register_buffer("centroids", torch.zeros(self.num_classes, self.feature_dim))

    # ---- stages

    def stages(self) -> list[Stage]:
        """Cross-entropy, the features, the classifier."""
        stage = main_stage(self.recipe, self.policy(views=1))
        first = replace(stage, name="cross-entropy", learns=("backbone.", "classifier."))
        return [first, *self._later_stages(first)]

    def stages_on(self, start: str) -> list[Stage]:
        """On a finished run with a linear classifier the first stage is done."""
        return self.stages()[1:]

    def start_names(self) -> tuple[str, ...]:
        """Backbone and classifier, which the later stages continue."""
        return ("backbone.", "classifier.")

    def _later_stages(self, first: Stage) -> list[Stage]:
        options = self.options
        balanced = replace(
            first,
            batch_size=options.balanced_batch_size,
            sampler=ClassAware(options.images_per_class),
            images=int(self.class_counts.max()) * self.num_classes,
            drop_last=False,
        )
        return [
            replace(
                balanced,
                name="features",
                epochs=options.feature_epochs,
                schedule=Schedule(learning_rate=options.feature_learning_rate, epochs=options.feature_epochs),
                learns=("backbone.", "radii"),
            ),
            replace(
                balanced,
                name="classifier",
                epochs=options.classifier_epochs,
                schedule=Schedule(
                    learning_rate=options.classifier_learning_rate, epochs=options.classifier_epochs
                ),
                learns=("classifier.",),
            ),
        ]

    def before_epoch(self, clock: Clock, training_pass: TrainingPass) -> None:
        """Centroids of augmented training images, sampled as the stage samples them."""
        if clock.stage != "features":
            return
        stage = self.stages()[1]
        stream = Stream(
            sampler=stage.sampler, batch_size=stage.batch_size, views=stage.views, images=stage.images
        )
        sums, counts = torch.zeros_like(self.centroids), torch.zeros_like(self.centroids[:, 0])
        for batch in training_pass(stream):
            features = self.extract(batch.views[0]).to(sums.dtype)
            sums.index_add_(0, batch.labels, features)
            counts.index_add_(0, batch.labels, torch.ones_like(features[:, 0]))
        self.centroids.copy_(sums / counts.clamp(min=1)[:, None])

    # ---- losses

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """The stage's loss; in that of the features, cross-entropy weighted by class counts and the robust loss."""
        features = batch.gather(self.extract(batch.views[0]))
        labels = batch.gather(batch.labels)
        logits = self.classifier(features)
        if clock.stage != "features":
            return {"loss": functional.cross_entropy(logits, labels)}
        weights = self.class_counts.double() / self.class_counts.max()
        classification = functional.cross_entropy(logits, labels, weight=weights.to(logits.dtype))
        with torch.autocast(features.device.type, enabled=False):
            robust = robust_loss(
                features.to(self.centroids.dtype),
                labels,
                self.centroids,
                self.options.radius_factor * self.radii,
                temperature=self.options.temperature,
            )
        return {"loss": classification + robust, "classification": classification, "robust": robust}
