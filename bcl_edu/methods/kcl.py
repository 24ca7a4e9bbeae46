"""KCL: supervised contrastive learning with the same number of positives for every class.

An anchor is pulled towards its own key, which a momentum encoder makes of another view, and towards k keys of its
class from a queue; all other keys of the queue are pushed away, those of its class that were not chosen too. So an
anchor of a head class has no more positives than one of a tail class. Afterwards a linear layer is trained on the
frozen backbone.

Source: Kang et al., "Exploring Balanced Feature Spaces for Representation Learning" (ICLR 2021);
https://github.com/bingykang/BalFeat. Its code takes the first k keys of the class in the queue's order; we draw
them, as does TSC's code, or take the expectation over the draw (switch `drawn`). Its first pass, which fills the
queue, normalises by batch; ours by the running statistics at their start.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from bcl_edu.methods.protocol import Batch, Clock, Method, TrainingPass
from bcl_edu.methods.samplers import ClassAware, Shuffled
from bcl_edu.methods.stage import Schedule, Stage, Stream, main_stage
from bcl_edu.models import build_classifier
from bcl_edu.models.heads import PlainHead
from bcl_edu.models.momentum import LabelledQueue, follow, key_copy, require_whole_batches
from bcl_edu.recipe import Recipe
from bcl_edu.rows.kcl_rows import KCL


def chosen_positives(
    same_class: Bool[Tensor, "n q"], k: int, generator: torch.Generator | None
) -> Float[Tensor, "n q"]:
    """Weight of each key of the queue among an anchor's positives, min(k, keys of its class) in all.

    They are 0 or 1 where positives are drawn, else fractions in float64.

    Args:
        same_class: keys of the anchor's class.
        k: how many are chosen.
        generator: draws them without replacement; without one each gets its probability of being drawn.
    """
    number = same_class.sum(dim=1, keepdim=True)
    if generator is None:
        return same_class * (number.clamp(max=k).double() / number.clamp(min=1))
    tickets = torch.rand(same_class.shape, generator=generator, device=same_class.device)
    tickets = tickets.masked_fill(~same_class, -1.0)
    drawn = tickets.topk(min(k, same_class.shape[1]), dim=1).indices
    return torch.zeros_like(tickets).scatter_(1, drawn, 1.0) * same_class


def k_positive_losses(
    queries: Float[Tensor, "n d"],
    keys: Float[Tensor, "n d"],
    queue: Float[Tensor, "q d"],
    positives: Float[Tensor, "n q"],
    *,
    temperature: float,
    targets: Float[Tensor, "k d"] | None = None,
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"], Float[Tensor, "n k"] | None]:
    """Sum over an anchor's positives of -log p, and their number m + 1; with targets also log p of each.

    p is a softmax over the anchor's own key, all keys of the queue, and all targets:

        p(a) = exp(q . a / τ) / (exp(q . own key / τ) + sum over queue and targets)

    Args:
        queries: unit vectors q.
        keys: each query's own key.
        queue: earlier keys.
        positives: weight of each of them, from `chosen_positives`.
        temperature: τ.
        targets: further unit vectors, of the classes.
    """
    own = (queries * keys).sum(dim=1, keepdim=True)
    others = queries @ (queue if targets is None else torch.cat([queue, targets])).T
    log_p = (torch.cat([own, others], dim=1) / temperature).log_softmax(dim=1)
    of_queue = log_p[:, 1 : 1 + len(queue)]
    sums = -(log_p[:, 0] + (positives * of_queue).sum(dim=1))
    return sums, 1 + positives.sum(dim=1), None if targets is None else log_p[:, 1 + len(queue) :]


class KPositive(Method):
    """Query encoder, key encoder, queue; and the linear layer of the last stage."""

    forward_changes_state = True

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        assert isinstance(recipe.method, KCL)
        self.options = options = recipe.method
        require_whole_batches(options.queue_size, recipe.batch_size)
        self.classifier = build_classifier("linear", self.feature_dim, self.num_classes)
        self.projection = PlainHead(self.feature_dim, options.head_hidden, options.head_dim)
        self.key_backbone = key_copy(self.backbone)
        self.key_projection = key_copy(self.projection)
        self.queue = LabelledQueue(options.queue_size, options.head_dim)
        self._fresh: tuple[Tensor, Tensor] | None = None

    # ---- stages

    def stages(self) -> list[Stage]:
        """Contrast, in which nothing is classified yet; then the linear layer."""
        return [self.contrast_stage(), self.linear_stage()]

    def stages_on(self, start: str) -> list[Stage]:
        """On any finished run with the same backbone: the linear layer alone."""
        return [self.linear_stage()]

    def contrast_stage(self) -> Stage:
        """On two views; the key encoder, which does not learn, normalises by its batches."""
        stage = main_stage(self.recipe, self.policy(views=2))
        return replace(
            stage,
            name="contrast",
            drop_last=True,
            learns=("backbone.", "projection."),
            frozen_batch_norm="batch",
            evaluated=False,
        )

    def linear_stage(self) -> Stage:
        """Cross-entropy of the classifier alone, without weight decay."""
        options = self.options
        return Stage(
            name="linear",
            epochs=options.linear_epochs,
            schedule=Schedule(
                learning_rate=options.linear_learning_rate,
                epochs=options.linear_epochs,
                milestones=options.linear_milestones,
            ),
            views=self.policy(views=1),
            batch_size=options.linear_batch_size,
            sampler=Shuffled() if options.linear_sampler == "shuffled" else ClassAware(),
            learns=("classifier.",),
            frozen_batch_norm=options.linear_batch_norm,
            weight_decay=0.0,
        )

    def begin(self, stage: Stage) -> None:
        """Copy the query encoder into the key encoder; start the linear layer near zero."""
        if stage.name == "contrast":
            self.key_backbone.load_state_dict(self.backbone.state_dict())
            self.key_projection.load_state_dict(self.projection.state_dict())
        if stage.name == "linear":
            nn.init.normal_(self.classifier.weight, std=0.01)
            nn.init.zeros_(self.classifier.bias)  # type: ignore[arg-type]

    def before_epoch(self, clock: Clock, training_pass: TrainingPass) -> None:
        """Fill the queue before the first step."""
        if clock.stage != "contrast" or clock.epoch > 0 or not self.options.fill_queue:
            return
        stage = self.contrast_stage()
        batches = training_pass(Stream(sampler=Shuffled(), batch_size=stage.batch_size, views=stage.views))
        for batch in islice(batches, self.options.queue_size // stage.batch_size):
            self.queue.put(self._keys(batch.views[1]), batch.labels)

    # ---- losses

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """The stage's loss."""
        if clock.stage == "linear":
            return self._linear(batch)
        queries, keys, labels = self._encoded(batch)
        with torch.autocast(queries.device.type, enabled=False):
            sums, number, _ = k_positive_losses(
                queries,
                keys,
                self.queue.keys,
                self._positives(labels, clock, queries),
                temperature=self.options.temperature,
            )
        return {"loss": (sums / number).mean()}

    def _linear(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            features = self.extract(batch.views[0])
        logits = batch.gather(self.classifier(features))
        return {"loss": functional.cross_entropy(logits, batch.gather(batch.labels))}

    def _encoded(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and labels of all ranks; the keys are kept for the queue."""
        queries = batch.gather(self.projection(self.extract(batch.views[0])))
        labels = batch.gather(batch.labels)
        with torch.no_grad():
            keys = batch.gather(self._keys(batch.views[1]))
        self._fresh = keys, labels
        return queries, keys, labels

    def _positives(self, labels: Tensor, clock: Clock, like: Tensor) -> Tensor:
        generator = clock.generator("positives", like.device) if self.options.drawn else None
        same_class = labels[:, None] == self.queue.labels
        return chosen_positives(same_class, self.options.positives, generator).to(like.dtype)

    def _keys(self, images: Tensor) -> Tensor:
        keys: Tensor = self.key_projection(self.key_backbone(images))
        return keys

    def after_step(self, clock: Clock) -> None:
        """Put the step's keys into the queue, and move the key encoder."""
        if self._fresh is None:
            return
        self.queue.put(*self._fresh)
        self._fresh = None
        follow(self.key_backbone, self.backbone, self.options.key_momentum)
        follow(self.key_projection, self.projection, self.options.key_momentum)

    def embeddings(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n d"]:
        """Unit vectors of the query encoder."""
        embeddings: Tensor = self.projection(features)
        return embeddings
