"""The protocol between the training loop and methods: all that either knows of the other.

A method is a module: its parameters and buffers are the whole of its state, so that a checkpoint holds it. To
write one, subclass `Method`, build the network in `__init__`, and compute the loss in `forward`. Everything
else has a default:

    class CrossEntropy(Method):
        def forward(self, batch, clock):
            logits = self.classifier(self.extract(batch.views[0]))
            return {"loss": cross_entropy(batch.gather(logits), batch.gather(batch.labels))}
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bcl_edu.augment import ViewPolicy, view_policy
from bcl_edu.methods.stage import Clock, Stage, Stream, main_stage
from bcl_edu.models import build_backbone
from bcl_edu.recipe import Recipe

Gather = Callable[[Tensor], Tensor]
"""Concatenates a tensor of one row per sample over all ranks, with gradients; the identity for one process."""


@dataclass(frozen=True)
class Batch:
    """Input of one step: this rank's share of a batch, on the device.

    Attributes:
        views: normalised images, shape (views, n, channels, height, width); v1 is `views[0]`.
        labels: their classes, shape (n,).
        indices: their positions in the training set, shape (n,).
        gather: makes rows of this rank's samples those of all ranks' samples.
        average: of a tensor over the ranks, with gradients; for gradients that a loss is computed from.
        streams: the batches of the stage's further streams, by name.
    """

    views: Float[Tensor, "views n c h w"]
    labels: Int[Tensor, " n"]
    indices: Int[Tensor, " n"]
    gather: Gather = lambda rows: rows
    average: Gather = lambda value: value
    streams: Mapping[str, Batch] = field(default_factory=dict)

    def gather_views(self, rows: Float[Tensor, "m d"], views: int) -> Float[Tensor, "views total d"]:
        """Rows of all ranks' samples, one for each of `views` views of each sample.

        Args:
            rows: of this rank, view after view: row v n + i belongs to view v of sample i.
            views: how many.
        """
        of_views = rows.unflatten(0, (views, len(self.labels)))  # a rank may have no sample
        return self.gather(of_views.transpose(0, 1)).transpose(0, 1)


@dataclass(frozen=True)
class Prediction:
    """A method's outputs for images.

    Attributes:
        features: of the backbone, shape (n, h).
        logits: what classes are predicted from, with whatever the method changes at inference, shape (n, k).
        embeddings: unit vectors of the contrastive branch, shape (n, d); None without one.
    """

    features: Float[Tensor, "n h"]
    logits: Float[Tensor, "n k"]
    embeddings: Float[Tensor, "n d"] | None = None


TrainingPass = Callable[[Stream], Iterator[Batch]]
"""Passes once over the training images of a stream, without gradients, the method in evaluation mode."""


class Method(nn.Module):
    """A way to train a classifier on a long tail: what a row of the tables compares.

    Args:
        recipe: names the backbone, the views and, in `recipe.method`, the method's own options.
        class_counts: training images of each class, shape (k,).
        image_shape: channels, height and width of the images.

    The weights are drawn from torch's global generator, which the caller seeds. After `__init__` of this
    class, the backbone is there; a subclass adds the rest, at least `classifier`.

    Attributes:
        backbone: images to features of length `feature_dim`.
        class_counts: training images of each class, as a buffer that is no part of the state.
    """

    forward_changes_state: ClassVar[bool] = False
    """True if `forward` leaves something for `after_step`; such a method cannot compute a batch in micro-batches."""

    extendable: ClassVar[bool] = False
    """True if a run may be extended beyond its planned epochs: the loss does not depend on how many there are."""

    owns_gradients: ClassVar[bool] = False
    """True if the method computes a step's gradients itself, in `own_gradients`, as a bilevel one does."""

    class_counts: Tensor

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__()
        self.recipe, self.image_shape = recipe, image_shape
        self.register_buffer("class_counts", class_counts.clone(), persistent=False)
        self.backbone = self.build_backbone()
        self._compiled: Callable[..., Tensor] | None = None

    # ---- the network

    def build_backbone(self) -> nn.Module:
        """The recipe's backbone; a method whose network is split otherwise builds its own."""
        return build_backbone(self.recipe.backbone, self.image_shape[0])

    @property
    def feature_dim(self) -> int:
        """Length h of a feature vector."""
        return int(self.backbone.feature_dim)  # type: ignore[arg-type]

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.class_counts)

    def extract(self, images: Float[Tensor, "n c height width"]) -> Float[Tensor, "n feature_dim"]:
        """Features of the backbone, in its compiled form if there is one; for `forward`."""
        features: Tensor = self.network(images)
        return features

    @property
    def network(self) -> Callable[..., Tensor]:
        """The backbone, or its compiled form (whose truth torch derives from a length that no backbone has)."""
        return self.backbone if self._compiled is None else self._compiled

    def compile_network(self, mode: str) -> None:
        """Compile the backbone, the costly part of `forward`; parts with other state are left as they are."""
        # kept out of the modules, so that names of parameters stay as they are
        object.__setattr__(self, "_compiled", torch.compile(self.backbone, mode=mode))

    def policy(self, name: str | None = None, views: int | None = None) -> ViewPolicy:
        """A view policy for the run's images.

        Args:
            name: of the policy; by default the recipe's.
            views: keep the first so many; by default all.
        """
        recipe = self.recipe
        policy = view_policy(
            name or recipe.views,
            image_size=self.image_shape[1],
            crop_scale=recipe.crop_scale,
            blur=recipe.blur,
        )
        return replace(policy, views=policy.views[:views])

    # ---- training

    def stages(self) -> list[Stage]:
        """The stages of the run, in order; by default the one that the recipe describes, on all views."""
        return [main_stage(self.recipe, self.policy())]

    def stages_on(self, start: str) -> list[Stage]:
        """The stages of a run that starts from the weights of a finished run of the method `start`; by
        default all."""
        return self.stages()

    def start_names(self) -> tuple[str, ...]:
        """Beginnings of the names that are taken over from a start run; by default those of the backbone."""
        return ("backbone.",)

    def begin(self, stage: Stage) -> None:
        """Called before a stage's first step, and not again on resume."""

    def before_epoch(self, clock: Clock, training_pass: TrainingPass) -> None:
        """Called before an epoch's first step, in evaluation mode and without gradients; not again on resume
        within it."""

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """The loss of the global batch under "loss", and its parts by name, all scalars."""
        raise NotImplementedError

    def after_step(self, clock: Clock) -> None:
        """Called once after each step of the optimiser, without gradients: the place to change buffers."""

    def own_gradients(
        self, batch: Batch, clock: Clock, backward: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        """Leave the gradients of a step in the parameters, by `backward(loss)`, and return the losses.

        Several ranks average the gradients afterwards.
        """
        raise NotImplementedError

    # ---- inference

    def features(self, images: Float[Tensor, "n c height width"]) -> Float[Tensor, "n h"]:
        """Output of the backbone."""
        features: Tensor = self.backbone(images)
        return features

    def logits(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n k"]:
        """Logits from which classes are predicted, shape (n, k)."""
        logits: Tensor = self.classifier(features)  # type: ignore[operator]
        return logits

    def trained_logits(self, prediction: Prediction) -> Float[Tensor, "n k"]:
        """Logits whose softmax was trained, shape (n, k); by default those from which classes are predicted.

        A shift of the prior (`bcl_edu.after_training.shifted_logits`) is applied to them. A method that changes its
        classifier for inference alone returns here what the unchanged classifier makes of `prediction.features`.
        """
        return prediction.logits

    def embeddings(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n d"] | None:
        """Unit vectors z that a contrastive loss sees; None if the method has no contrastive branch."""
        return None

    def predict(self, images: Float[Tensor, "n c height width"]) -> Prediction:
        """Features, logits and embeddings of normalised images, as they are evaluated."""
        features = self.features(images)
        return Prediction(features, self.logits(features), self.embeddings(features))


def build_method(
    recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
) -> Method:
    """The method that a recipe names, with freshly initialised weights (torch's global generator)."""
    method: Any = recipe.method.implementation
    if isinstance(method, str):
        module, _, name = method.partition(":")
        method = getattr(importlib.import_module(module), name)
    built: Method = method(recipe, class_counts, image_shape)
    return built
