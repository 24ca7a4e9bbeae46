"""Decoupled training: cRT re-trains the classifier on balanced classes, LWS learns only a scale for each class.

A long tail spoils the classifier more than the features, so the whole network is trained by plain
cross-entropy first. Then the backbone stays as it is, and the classifier alone is mended on batches that have as
many images of every class. cRT trains a new linear layer on them, LWS only one factor on each logit of the old
one.

Source: Kang et al., "Decoupling Representation and Classifier for Long-Tailed Recognition" (ICLR 2020), and
their code, https://github.com/facebookresearch/classifier-balancing. Where they disagree we follow the code:

- The frozen backbone's batch normalisation is left in training mode, so that its running statistics drift to
  those of balanced classes (`frozen_batch_norm`).
- The code's scale multiplies the bias too: z_k = s_k (w_k x + b_k). The paper scales w_k alone (`scale_bias`).

tau-normalisation, of the same paper, trains nothing further: see `tau_norm`.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from bcl_edu.augment.draws import derive_seed
from bcl_edu.methods.protocol import Batch, Clock, Method
from bcl_edu.methods.second_stage import NAME, second_stage
from bcl_edu.methods.stage import Stage, main_stage
from bcl_edu.models import LinearClassifier
from bcl_edu.recipe import Recipe
from bcl_edu.rows.decoupling_rows import LWS, Decoupled


class ClassifierRetraining(Method):
    """cRT: cross-entropy on v1, first of the whole network, then of a new classifier on balanced classes."""

    learns: tuple[str, ...] = ("classifier.",)

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        assert isinstance(recipe.method, Decoupled)
        self.options = recipe.method
        self.classifier = LinearClassifier(self.feature_dim, self.num_classes)

    def stages(self) -> list[Stage]:
        """Plain cross-entropy, then the second stage."""
        return [main_stage(self.recipe, self.policy(views=1)), *self.stages_on("")]

    def stages_on(self, start: str) -> list[Stage]:
        """On a finished run of any method, the second stage alone."""
        return [second_stage(self.recipe, self.options, self.policy(views=1), self.learns)]

    def begin(self, stage: Stage) -> None:
        """Initialise the classifier again for the second stage."""
        if stage.name == NAME:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(derive_seed(self.recipe.seed, "second classifier"))
                fresh = LinearClassifier(self.feature_dim, self.num_classes)
            self.classifier.load_state_dict(fresh.state_dict())

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """Cross-entropy of the batch that the stage's sampler has drawn."""
        logits = batch.gather(self.logits(self.extract(batch.views[0])))
        return {"loss": functional.cross_entropy(logits, batch.gather(batch.labels))}


class LearnableWeightScaling(ClassifierRetraining):
    """LWS: the classifier of the first stage stays, and a factor for each class is learned."""

    learns = ("scales",)

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        assert isinstance(recipe.method, LWS)
        self.scale_bias = recipe.method.scale_bias
        self.scales = nn.Parameter(torch.ones(self.num_classes))  # s

    def stages(self) -> list[Stage]:
        """In the first stage the scales stay 1."""
        first, second = super().stages()
        return [replace(first, learns=("backbone.", "classifier.")), second]

    def start_names(self) -> tuple[str, ...]:
        """Backbone and classifier."""
        return ("backbone.", "classifier.")

    def begin(self, stage: Stage) -> None:
        """Keep the classifier of the first stage."""

    def logits(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n k"]:
        """s_k (w_k x + b_k)."""
        if self.scale_bias:
            scaled: Tensor = self.scales * self.classifier(features)
            return scaled
        return functional.linear(
            features, self.scales[:, None] * self.classifier.weight, self.classifier.bias
        )
