"""ProCo: contrast with infinitely many samples of each class.

Each class is a von Mises-Fisher density on the sphere, whose direction and concentration follow from the running mean
of its embeddings. The expected similarity of an embedding to all samples of such a density has a closed form, so
the contrastive loss needs no pairs, no prototypes and no queue: it is a cross-entropy over these expectations,
shifted by the logarithm of the prior. Beside it stands a classifier with logit compensation on another view.

Source: Du et al., "Probabilistic Contrastive Learning for Long-Tailed Visual Recognition" (TPAMI 2024);
https://github.com/LeapLabTHU/ProCo. Paper and code estimate the concentration by slightly different formulas (option
`concentration`; we follow the code). The code computes Bessel functions by a recurrence, here
`bcl_edu.losses.bessel` does. A class without an image in an epoch keeps its mean of the epoch before.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from bcl_edu.losses import logit_compensated_cross_entropy
from bcl_edu.losses.bessel import log_bessel_ratio
from bcl_edu.methods.bcl import both_branches
from bcl_edu.methods.protocol import Batch, Clock, Method, TrainingPass
from bcl_edu.models import ProjectionHead, build_classifier
from bcl_edu.recipe import Recipe
from bcl_edu.rows.proco_rows import ProCo

LARGEST_CONCENTRATION = 1e5

FIRST_LENGTH = 0.9
"""Length of the random class means that a run begins with."""


class ClassMeans(NamedTuple):
    """Running means of each class's embeddings.

    Attributes:
        mean: shape (k, p).
        number: how many embeddings each is the mean of, shape (k,).
    """

    mean: Tensor
    number: Tensor

    def with_more(self, embeddings: Float[Tensor, "n p"], labels: Int[Tensor, " n"]) -> ClassMeans:
        """With further embeddings."""
        sums = torch.zeros_like(self.mean).index_add_(0, labels, embeddings.to(self.mean.dtype))
        more = torch.zeros_like(self.number).index_add_(
            0, labels, torch.ones_like(labels, dtype=self.number.dtype)
        )
        number = self.number + more
        mean = (self.mean * self.number[:, None] + sums) / number.clamp(min=1)[:, None]
        return ClassMeans(torch.where((number > 0)[:, None], mean, self.mean), number)


def concentrations(lengths: Float[Tensor, " k"], dim: int, formula: str = "code") -> Float[Tensor, " k"]:
    """Concentration κ of densities whose mean in `dim` dimensions has length R < 1, in float64, at most 10^5."""
    length = lengths.double()
    numerator = dim * length if formula == "code" else length * (dim - length.square())
    return (numerator / (1 - length.square()).clamp(min=1e-12)).clamp(max=LARGEST_CONCENTRATION)


def expected_similarities(
    embeddings: Float[Tensor, "n p"],
    means: Float[Tensor, "k p"],
    *,
    temperature: float,
    formula: str = "code",
) -> Float[Tensor, "n k"]:
    """Logarithm of the expected exp(z . v / τ) over samples v of each class's density, in float64.

        r_c = log R(|κ_c μ_c + z / τ|) - log R(κ_c),    R(κ) = I_ν(κ) / κ^ν,    ν = p/2 - 1

    Args:
        embeddings: unit vectors z, shape (n, p).
        means: of the classes' embeddings, inside the sphere, shape (k, p); constants.
        temperature: τ.
        formula: of the concentration, "code" or "paper".
    """
    dim = means.shape[1]
    z, mean = embeddings.double(), means.double()
    lengths = mean.norm(dim=1)
    kappa = concentrations(lengths, dim, formula)
    directions = mean / lengths.clamp(min=1e-12)[:, None]
    cosines = z @ directions.T
    squared = (
        kappa.square() + 2 * kappa * cosines / temperature + z.square().sum(1, keepdim=True) / temperature**2
    )
    shifted = squared.clamp(min=1e-12).sqrt()
    order = dim / 2 - 1
    return log_bessel_ratio(shifted, order) - log_bessel_ratio(kappa, order)


class ProbabilisticContrastive(Method):
    """Classifier on v1, densities on v2 and v3."""

    forward_changes_state = True

    mean: Tensor
    count: Tensor
    epoch_mean: Tensor
    epoch_count: Tensor

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        assert isinstance(recipe.method, ProCo)
        self.options = options = recipe.method
        self.classifier = build_classifier(options.classifier, self.feature_dim, self.num_classes)
        self.projection = ProjectionHead(self.feature_dim, options.head_hidden, options.head_dim)
        start = functional.normalize(torch.randn(self.num_classes, options.head_dim), dim=1) * FIRST_LENGTH
        nothing = torch.zeros(self.num_classes)
        # what the loss sees: the epoch before and this one; and this one alone, which takes its place afterwards
        self.register_buffer("mean", start)
        self.register_buffer("count", nothing.clone())
        self.register_buffer("epoch_mean", torch.zeros_like(start))
        self.register_buffer("epoch_count", nothing.clone())
        self._fresh: tuple[ClassMeans, ClassMeans] | None = None

    def before_epoch(self, clock: Clock, training_pass: TrainingPass) -> None:
        """Give the loss the class means of the last epoch."""
        if clock.epoch == 0:
            return
        seen = self.epoch_count > 0
        self.mean.copy_(torch.where(seen[:, None], self.epoch_mean, self.mean))
        self.count.copy_(self.epoch_count)
        self.epoch_mean.zero_()
        self.epoch_count.zero_()

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """Both losses; each contrastive view joins the class means before its loss is taken.

        Raises:
            ValueError: not three views.
        """
        logits, embeddings, labels = both_branches(self, batch)
        log_prior = (self.class_counts.double() / self.class_counts.sum()).log()
        means, epoch = ClassMeans(self.mean, self.count), ClassMeans(self.epoch_mean, self.epoch_count)
        contrastive = logits.new_zeros((), dtype=torch.float64)
        with torch.autocast(logits.device.type, enabled=False):
            for view in embeddings:
                means, epoch = (kept.with_more(view.detach(), labels) for kept in (means, epoch))
                similarities = expected_similarities(
                    view,
                    means.mean,
                    temperature=self.options.temperature,
                    formula=self.options.concentration,
                )
                contrastive = contrastive + functional.cross_entropy(similarities + log_prior, labels) / 2
        self._fresh = means, epoch
        contrastive = contrastive.to(embeddings.dtype)
        classification = logit_compensated_cross_entropy(logits, labels, self.class_counts, check=False)
        total = classification + self.options.alpha * contrastive
        return {"loss": total, "classification": classification, "contrastive": contrastive}

    def after_step(self, clock: Clock) -> None:
        """Keep the class means that include the step's embeddings."""
        if self._fresh is not None:
            means, epoch = self._fresh
            for name, value in zip(
                ("mean", "count", "epoch_mean", "epoch_count"), (*means, *epoch), strict=True
            ):
                self.get_buffer(name).copy_(value)
            self._fresh = None

    def embeddings(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n d"]:
        """Unit vectors of the contrastive branch."""
        embeddings: Tensor = self.projection(features)
        return embeddings
