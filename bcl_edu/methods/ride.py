"""RIDE: several experts that share the first layers, are pushed apart, and are called one after the other.

Each expert has late layers and a cosine classifier of its own, and learns with LDAM margins; a negative weight on
a divergence makes the experts disagree, most of all about rare classes. For the last fifth of the epochs the
classes are weighted by their effective numbers. A second stage trains a router, which decides image by image
whether the next expert is asked; the logits of those asked are averaged.

Source: Wang et al., "Long-tailed Recognition by Routing Diverse Distribution-Aware Experts" (ICLR 2021);
https://github.com/frank-xwang/RIDE-LongTailRecognition. We follow the code:

- Diversity is the divergence of each expert from the mean of all, KL(mean || expert). Divergences between pairs of
  experts are not offered: the published code has none.
- Class temperatures are T_k = beta_k / max_j beta_j, and the divergence is multiplied by the square of their mean,
  which the authors count as a part of the diversity's weight (issue 5 there). Other forms of T_k are not offered
  either; without the square, divide `diversity` by it.
- With a diversity weight of 0 it takes the cross-entropy of the experts' mean instead of each expert's
  (`collaborative`).
- With a teacher it adds the whole loss once for each expert, and so do we.

It does not run an expert that is not asked; here all run, and the router chooses among their logits: the same
predictions.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from bcl_edu.losses import class_balanced_weights
from bcl_edu.losses.margins import ldam_margins
from bcl_edu.methods.protocol import Batch, Clock, Method
from bcl_edu.methods.samplers import ByClass
from bcl_edu.methods.stage import Schedule, Stage, main_stage
from bcl_edu.models import CosineClassifier
from bcl_edu.models.experts import Experts, build_experts
from bcl_edu.models.heads import unit_rows
from bcl_edu.recipe import Recipe
from bcl_edu.rows.ride_rows import RIDE

SCALE = 30.0
"""Scale of the cosine classifiers, and of the margins."""

GATE_WIDTH = 16
"""Numbers that a gate makes of an expert's features."""

MISSED_WEIGHT = 100.0
"""Weight in the router's loss of an image that a further expert would get right."""

TEACHER_TEMPERATURE = 1.5

# ---- the losses


def class_temperatures(class_counts: Int[Tensor, " k"], gamma: float) -> Float[Tensor, " k"]:
    """Temperature of each class's logit in the divergence, at most 1, lower for rare classes, in float64.

    T_k = beta_k / max_j beta_j,    beta_k = gamma K N_k / N + 1 - gamma
    """
    counts = class_counts.double()
    beta = gamma * len(counts) * counts / counts.sum() + 1 - gamma
    return beta / beta.max()


def expert_cross_entropies(
    logits: Float[Tensor, "n e k"],
    labels: Int[Tensor, " n"],
    margins: Float[Tensor, " k"],
    weights: Float[Tensor, " k"] | None = None,
) -> Float[Tensor, " e"]:
    """Cross-entropy of each expert with margins taken from the own class's logit; weights make a weighted mean."""
    margin = functional.one_hot(labels, len(margins)) * margins
    return torch.stack(
        [functional.cross_entropy(expert - margin, labels, weight=weights) for expert in logits.unbind(1)]
    )


def divergences(logits: Float[Tensor, "n e k"], temperatures: Float[Tensor, " k"]) -> Float[Tensor, " e"]:
    """Divergence of each expert from the mean of all, mean(T)^2 KL(mean || expert), averaged over the samples.

    Every class's logit is divided by its temperature; the mean carries no gradient.
    """
    mean = (logits.mean(dim=1) / temperatures).log_softmax(dim=1).detach()
    experts = (logits / temperatures).log_softmax(dim=2)
    kl = (mean.exp()[:, None] * (mean[:, None] - experts)).sum(dim=2).mean(dim=0)
    return temperatures.mean() ** 2 * kl


def distillation(logits: Float[Tensor, "n e k"], teacher: Float[Tensor, "n k"]) -> Tensor:
    """T^2 KL(teacher || mean of the experts) at temperature T = 1.5."""
    student = (logits.mean(dim=1) / TEACHER_TEMPERATURE).log_softmax(dim=1)
    target = (teacher / TEACHER_TEMPERATURE).log_softmax(dim=1)
    kl = functional.kl_div(student, target, log_target=True, reduction="batchmean")
    return TEACHER_TEMPERATURE**2 * kl


def prefix_means(logits: Float[Tensor, "n e k"]) -> Float[Tensor, "n e k"]:
    """Mean logits of the first expert, of the first two, and so on."""
    number = torch.arange(1, logits.shape[1] + 1, device=logits.device)
    return logits.cumsum(dim=1) / number[:, None]


def router_targets(right: Bool[Tensor, "n e"]) -> Bool[Tensor, "n gates"]:
    """Targets of the router: true where a further expert helps, the mean so far being wrong and a later one right.

    Args:
        right: whether the mean of the first expert, the first two, ... predicts the label, shape (n, e).
    """
    later = right.flip(1).cumsum(dim=1).flip(1)[:, 1:] > 0  # some longer prefix is right
    return ~right[:, :-1] & later


def router_loss(gates: Float[Tensor, "n gates"], right: Bool[Tensor, "n e"]) -> Tensor:
    """Binary cross-entropy of each gate, images worth another expert weighing 100 times, averaged over the gates."""
    return functional.binary_cross_entropy_with_logits(
        gates, router_targets(right).to(gates.dtype), pos_weight=gates.new_tensor(MISSED_WEIGHT)
    )


# ---- the network


class Router(nn.Module):
    """Gates after each expert but the last, which decide whether the next one is asked.

    Args:
        experts: how many.
        expert_dim: length h of an expert's feature vector.
        top: how many of the largest mean logits it looks at.
    """

    def __init__(self, experts: int, expert_dim: int, top: int) -> None:
        super().__init__()
        self.top = top
        self.gates = nn.ModuleList(nn.Linear(expert_dim, GATE_WIDTH) for _ in range(experts - 1))
        self.decide = nn.Linear(top + GATE_WIDTH, 1)

    def forward(
        self, features: Float[Tensor, "n e h"], means: Float[Tensor, "n e k"]
    ) -> Float[Tensor, "n gates"]:
        """A logit for each gate: above 0 the next expert is asked."""
        answers = []
        for number, gate in enumerate(self.gates):
            seen = functional.relu(gate(unit_rows(features[:, number])))
            best = means[:, number].topk(self.top, dim=1).values
            answers.append(self.decide(torch.cat([best, seen.to(best.dtype)], dim=1)))
        answer = torch.cat(answers, dim=1)
        return answer.to(torch.promote_types(answer.dtype, torch.float32))


class Ride(Method):
    """Experts, their diversity, and the router."""

    routing: Tensor
    teacher_digest: Tensor
    margins: Tensor
    weights: Tensor
    temperatures: Tensor

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        self.options = options = _options(recipe)
        experts = self.backbone
        assert isinstance(experts, Experts)
        self.expert_dim = experts.expert_dim
        self.classifier = nn.ModuleList(
            CosineClassifier(self.expert_dim, self.num_classes, SCALE) for _ in range(options.experts)
        )
        self.router = _router(options, self.expert_dim, self.num_classes)
        # whether the router has begun to learn: until then all experts are asked
        self.register_buffer("routing", torch.tensor(False))
        if options.teacher is not None:
            self.register_buffer("teacher_digest", torch.zeros(32, dtype=torch.uint8))
        self._teacher: Any = None
        fixed = {
            "margins": SCALE * ldam_margins(class_counts, largest=options.largest_margin),
            "weights": class_balanced_weights(class_counts, beta=options.class_balanced_beta),
            "temperatures": class_temperatures(class_counts, options.diversity_gamma),
        }
        for name, values in fixed.items():
            self.register_buffer(name, values.float(), persistent=False)

    def build_backbone(self) -> nn.Module:
        """The recipe's backbone, split into shared layers and those of each expert."""
        options = _options(self.recipe)
        return build_experts(
            self.recipe.backbone, self.image_shape[0], options.experts, narrow=options.narrow_experts
        )

    # ---- training

    def stages(self) -> list[Stage]:
        """The experts; then the router, with all else frozen."""
        stage = main_stage(self.recipe, self.policy(views=1))
        experts = replace(stage, name="experts", learns=("backbone.", "classifier."))
        return [experts] if self.router is None else [experts, self._router_stage(experts)]

    def stages_on(self, start: str) -> list[Stage]:
        """On a finished run of RIDE the router alone is left to train."""
        return self.stages()[-1:]

    def start_names(self) -> tuple[str, ...]:
        """The experts with their classifiers."""
        return ("backbone.", "classifier.")

    def _router_stage(self, experts: Stage) -> Stage:
        options = self.options
        return replace(
            experts,
            name="router",
            epochs=options.router_epochs,
            schedule=Schedule(
                learning_rate=options.router_learning_rate,
                epochs=options.router_epochs,
                cosine=True,
                per_epoch=True,
            ),
            batch_size=options.router_batch_size,
            sampler=ByClass(),
            learns=("router.",),
            weight_decay=options.router_weight_decay,
            nesterov=True,
        )

    def begin(self, stage: Stage) -> None:
        """Route predictions, from the router's first step on."""
        self.routing.fill_(stage.name == "router")

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """The experts' loss, or in its stage the router's."""
        if clock.stage == "router":
            return self._router_losses(batch)
        options = self.options
        logits = batch.gather(self._expert_logits(self.extract(batch.views[0])))
        labels = batch.gather(batch.labels)
        reweighted = clock.epoch >= options.reweighted_from * clock.epochs
        weights = self.weights if reweighted else None
        temperatures = self.temperatures if reweighted else torch.ones_like(self.temperatures)
        heard = logits.mean(dim=1, keepdim=True) if options.collaborative else logits
        classification = expert_cross_entropies(heard, labels, self.margins, weights).sum()
        if options.collaborative:
            classification = classification * options.experts
        diversity = divergences(logits, temperatures).sum()
        losses = {"classification": classification, "diversity": diversity}
        total = classification + options.diversity * diversity
        if options.teacher is not None:
            losses["distillation"] = distillation(logits, batch.gather(self._ask_teacher(batch.views[0])))
            total = options.experts * (total + losses["distillation"])
        return {"loss": total, **losses}

    def _router_losses(self, batch: Batch) -> dict[str, Tensor]:
        assert self.router is not None
        with torch.no_grad():
            features = self.extract(batch.views[0])
            means = prefix_means(self._expert_logits(features))
        gates = batch.gather(self.router(self._by_expert(features), means))
        right = batch.gather(means.argmax(dim=2) == batch.labels[:, None])
        return {"loss": router_loss(gates, right)}

    def _ask_teacher(self, images: Tensor) -> Float[Tensor, "n k"]:
        if self._teacher is None:
            teacher = self._read_teacher().to(images.device).eval().requires_grad_(False)
            # kept out of the modules: the teacher is no part of the method's state
            object.__setattr__(self, "_teacher", teacher)
        with torch.no_grad():
            logits: Tensor = self._teacher.predict(images).logits
        return logits

    def _read_teacher(self) -> Method:
        from bcl_edu.training.start import weights_sha256
        from bcl_edu.training.weights import load_trained  # needs methods itself

        trained = load_trained(Path(str(self.options.teacher)))
        if trained.class_counts.tolist() != self.class_counts.tolist():
            raise ValueError(
                f"the teacher {self.options.teacher} was trained on other images than this run; "
                "train it on the same training set"
            )
        digest = torch.tensor(list(bytes.fromhex(weights_sha256(trained.method.state_dict()))))
        if self.teacher_digest.any() and not torch.equal(self.teacher_digest.cpu(), digest.byte()):
            raise ValueError(
                f"the teacher {self.options.teacher} is not the one that this run began with; "
                "name the same run with --teacher"
            )
        self.teacher_digest.copy_(digest)
        return trained.method

    # ---- inference

    def logits(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n k"]:
        """Mean logits of the experts that are asked: of all, before there is a router."""
        means = prefix_means(self._expert_logits(features))
        if self.router is None:
            return means[:, -1]
        further = self.router(self._by_expert(features), means) > 0
        asked = further.int().cumprod(dim=1).sum(dim=1)  # experts besides the first
        last = torch.where(self.routing, asked, self.options.experts - 1)
        return means[torch.arange(len(means), device=means.device), last]

    def _by_expert(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n e d"]:
        return features.unflatten(1, (-1, self.expert_dim))

    def _expert_logits(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n e k"]:
        parts = self._by_expert(features).unbind(1)
        pairs = zip(self.classifier, parts, strict=True)
        return torch.stack([classifier(part) for classifier, part in pairs], dim=1)


def _options(recipe: Recipe) -> RIDE:
    assert isinstance(recipe.method, RIDE)
    return recipe.method


def _router(options: RIDE, expert_dim: int, num_classes: int) -> Router | None:
    if not options.router:
        return None
    if options.router_top is not None and options.router_top > num_classes:
        raise ValueError(
            f"router_top is {options.router_top}, but there are only {num_classes} classes, each with one logit; "
            f"use at most --router-top {num_classes}"
        )
    return Router(options.experts, expert_dim, min(options.router_top or 30, num_classes))
