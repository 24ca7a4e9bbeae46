"""SSP: a pretext task without labels first, then a method for the long tail from its weights.

Labels of a long tail mislead the features; the images do not. So the backbone first learns a task that needs no
label: by how many quarter turns an image was turned, or, on photographs, which of many keys is another view of it
(MoCo v2). Then LDAM-DRW is trained from there on CIFAR; on photographs cross-entropy, and after it a new classifier
(cRT).

Source: Yang and Xu, "Rethinking the Value of Labels for Improving Class-Imbalanced Learning" (NeurIPS 2020);
https://github.com/YyzHarry/imbalanced-semi-self. The semi-supervised half of that paper is another method. Their
batches have as many images of each turn, ours have it over an epoch, so that it does not matter how a batch is
shared. Every pretext stage ends with its last epoch; which of theirs was taken is not said. MoCo's authors shuffle
images among GPUs because batch statistics differ there; ours are those of the whole batch on every number of GPUs,
so there is nothing to shuffle, and a key shares its batch statistics with the other keys of its batch.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from bcl_edu.augment import ViewPolicy, view_policy
from bcl_edu.methods.decoupling import ClassifierRetraining
from bcl_edu.methods.ldam import LabelDistributionAwareMargin
from bcl_edu.methods.protocol import Batch, Clock
from bcl_edu.methods.stage import Schedule, Stage, main_stage
from bcl_edu.models.heads import PlainHead
from bcl_edu.models.momentum import LabelledQueue, follow, key_copy, require_whole_batches
from bcl_edu.recipe import Recipe
from bcl_edu.rows.ssp_rows import SSP, ContrastThenRetraining

ROTATION, CONTRAST = "rotation", "contrast"


class RotationThenMargins(LabelDistributionAwareMargin):
    """Quarter turns are learned, then LDAM-DRW."""

    def __init__(self, recipe: Recipe, class_counts: Tensor, image_shape: tuple[int, int, int]) -> None:
        super().__init__(recipe, class_counts, image_shape)
        self.rotation = nn.Linear(self.feature_dim, 4)
        self.images = int(class_counts.sum())
        self._turns: tuple[object, Tensor] | None = None  # drawn once an epoch, on the CPU

    def stages(self) -> list[Stage]:
        """The pretext task, then LDAM-DRW with a schedule of its own."""
        assert isinstance(self.options, SSP)
        recipe = replace(self.recipe, epochs=self.options.pretext_epochs or self.recipe.epochs)
        pretext = replace(
            main_stage(recipe, self.policy(views=1)),
            name=ROTATION,
            learns=("backbone.", "rotation."),
            evaluated=False,
        )
        return [pretext, *self.stages_on("")]

    def stages_on(self, start: str) -> list[Stage]:
        """On a finished run, whose backbone takes the place of the pretext task's, LDAM-DRW alone."""
        return [replace(stage, learns=("backbone.", "classifier.")) for stage in super().stages()]

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """Cross-entropy of the turns, one an image, and the share that was mistaken; or LDAM's loss."""
        if clock.stage != ROTATION:
            return super().forward(batch, clock)
        own = self._turns_of(clock, batch.indices.device)[batch.indices]
        logits = batch.gather(self.rotation(self.extract(turned(batch.views[0], own))))
        turns = batch.gather(own)
        mistaken = (logits.argmax(dim=1) != turns).to(torch.float32).mean()
        return {"loss": functional.cross_entropy(logits, turns), "mistaken": mistaken}

    def _turns_of(self, clock: Clock, device: torch.device) -> Tensor:
        """Each training image's turn in this epoch: not of the step, nor of how a batch is shared."""
        moment = replace(clock, step=0, learning_rate=0.0), device
        if self._turns is None or self._turns[0] != moment:
            self._turns = moment, equal_turns(self.images, moment[0].generator("turns")).to(device)
        return self._turns[1]


def equal_turns(number: int, generator: torch.Generator) -> Int64[Tensor, " n"]:
    """Quarter turns, 0 to 3, of each training image in an epoch: a shuffled supply with as many of each."""
    return torch.randperm(number, generator=generator) % 4


def turned(images: Float[Tensor, "n c s s"], turns: Int64[Tensor, " n"]) -> Float[Tensor, "n c s s"]:
    """Square images, each turned counter-clockwise by its number of quarter turns."""
    every = torch.stack([torch.rot90(images, k, dims=(2, 3)) for k in range(4)])
    return every[turns, torch.arange(len(images), device=images.device)]


class MomentumContrastThenRetraining(ClassifierRetraining):
    """MoCo v2, then cross-entropy, then a new classifier on balanced classes."""

    forward_changes_state = True

    def __init__(self, recipe: Recipe, class_counts: Tensor, image_shape: tuple[int, int, int]) -> None:
        super().__init__(recipe, class_counts, image_shape)
        assert isinstance(recipe.method, ContrastThenRetraining)
        self.pretext = options = recipe.method
        require_whole_batches(options.queue_size, options.pretext_batch_size)
        self.projection = PlainHead(self.feature_dim, options.head_hidden, options.head_dim)
        self.key_backbone, self.key_projection = key_copy(self.backbone), key_copy(self.projection)
        self.queue = LabelledQueue(options.queue_size, options.head_dim)
        self._fresh: Tensor | None = None

    # ---- stages

    def stages(self) -> list[Stage]:
        """Contrast without labels, cross-entropy of the whole network, the new classifier."""
        options = self.pretext
        epochs = options.pretext_epochs or self.recipe.epochs
        contrast = Stage(
            name=CONTRAST,
            epochs=epochs,
            schedule=Schedule(
                learning_rate=options.pretext_learning_rate, epochs=epochs, cosine=True, per_epoch=True
            ),
            views=self._contrast_views(),
            batch_size=options.pretext_batch_size,
            drop_last=True,
            learns=("backbone.", "projection."),
            frozen_batch_norm="batch",
            weight_decay=options.pretext_weight_decay,
            evaluated=False,
        )
        return [contrast, *self.stages_on("")]

    def stages_on(self, start: str) -> list[Stage]:
        """On a finished run, whose backbone takes the place of the pretext task's, what follows that task."""
        main = main_stage(self.recipe, self.policy(views=1))
        return [replace(main, learns=("backbone.", "classifier.")), *super().stages_on("")]

    def _contrast_views(self) -> ViewPolicy:
        if self.pretext.pretext_views == "recipe":
            policy = self.policy()
        else:
            policy = view_policy("sim-sim", image_size=self.image_shape[1], crop_scale=(0.2, 1.0), blur=True)
        return replace(policy, views=policy.views[1:3])

    def begin(self, stage: Stage) -> None:
        """Copy the query encoder into the key encoder; initialise the classifier again for the last stage."""
        super().begin(stage)
        if stage.name == CONTRAST:
            self.key_backbone.load_state_dict(self.backbone.state_dict())
            self.key_projection.load_state_dict(self.projection.state_dict())

    # ---- losses

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """MoCo's loss, or cross-entropy."""
        if clock.stage != CONTRAST:
            return super().forward(batch, clock)
        queries = batch.gather(self.projection(self.extract(batch.views[0])))
        with torch.no_grad():
            keys = batch.gather(self.key_projection(self.key_backbone(batch.views[1])))
        self._fresh = keys
        losses = momentum_contrast_losses(
            queries, keys, self.queue.keys, temperature=self.pretext.temperature
        )
        return {"loss": losses.mean()}

    def after_step(self, clock: Clock) -> None:
        """Put the step's keys into the queue, and move the key encoder."""
        if self._fresh is None:
            return
        self.queue.put(self._fresh, torch.full_like(self.queue.labels[: len(self._fresh)], -1))
        self._fresh = None
        follow(self.key_backbone, self.backbone, self.pretext.key_momentum)
        follow(self.key_projection, self.projection, self.pretext.key_momentum)


def momentum_contrast_losses(
    queries: Float[Tensor, "n d"],
    keys: Float[Tensor, "n d"],
    queue: Float[Tensor, "q d"],
    *,
    temperature: float,
) -> Float[Tensor, " n"]:
    """-log softmax of each query's own key among it and the queue's keys.

    Args:
        queries: unit vectors.
        keys: each query's own key, of another view.
        queue: earlier keys.
        temperature: tau.

    Source: He et al., "Momentum Contrast" (CVPR 2020), Eq. 1.
    """
    with torch.autocast(queries.device.type, enabled=False):
        own = (queries * keys).sum(dim=1, keepdim=True)
        logits = torch.cat([own, queries @ queue.to(queries.dtype).T], dim=1) / temperature
        return logits.logsumexp(dim=1) - logits[:, 0]
