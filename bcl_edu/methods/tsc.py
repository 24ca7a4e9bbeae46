"""TSC: KCL with a target for each class, fixed on the sphere before training.

After a first stage of KCL, targets as far from each other as possible are computed once and never change. In every
step a Hungarian assignment gives each class the target that fits its running centroid best, so that similar classes
get neighbouring targets. All targets join the softmax, and an anchor is pulled towards the target of its class,
which places tail classes evenly, however few samples push them.

Source: Li et al., "Targeted Supervised Contrastive Learning for Long-Tailed Recognition" (CVPR 2022);
https://github.com/LTH14/targeted-supcon. The code counts the target among the positives by which an anchor's loss
is divided, the paper does not; we follow the code (switch `target_counts`). The assignment is computed on the host,
which waits for the device in every step of that stage: no parallel algorithm of this kind is at hand.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from jaxtyping import Float, Int, Int64
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional

from bcl_edu.methods.kcl import KPositive, k_positive_losses
from bcl_edu.methods.protocol import Batch, Clock
from bcl_edu.methods.stage import Stage
from bcl_edu.recipe import Recipe
from bcl_edu.rows.kcl_rows import TSC

CENTROID_MOMENTUM = 0.9
TARGET_TEMPERATURE = 0.07
TARGET_STEPS = 10_000


def target_objective(targets: Float[Tensor, "k d"]) -> Float[Tensor, ""]:
    """Mean over i of log sum_j exp(t_i . t_j / 0.07), i itself included: lowest where targets repel best."""
    return (targets @ targets.T / TARGET_TEMPERATURE).logsumexp(dim=1).mean()


def lowest_objective(number: int) -> float:
    """The objective of a regular simplex, below which none lies."""
    scaled = 1 / TARGET_TEMPERATURE
    return scaled + math.log1p((number - 1) * math.exp(-scaled / (number - 1) - scaled))


def simplex(number: int, dim: int) -> Float[Tensor, "k d"]:
    """K unit vectors in D >= K - 1 dimensions with pairwise inner products -1/(K - 1), in float64."""
    centred = torch.eye(number, dtype=torch.float64) - 1 / number
    basis = torch.linalg.svd(centred).U[:, : number - 1]  # of the K - 1 dimensions that are left
    corners = torch.zeros(number, dim, dtype=torch.float64)
    corners[:, : number - 1] = centred @ basis
    return functional.normalize(corners, dim=1)


def spread_targets(
    number: int, dim: int, generator: torch.Generator, steps: int = TARGET_STEPS
) -> Float[Tensor, "k d"]:
    """Targets t_1..t_K: the regular simplex where there is room for it, else by Adam on the objective.

    Args:
        number: K.
        dim: D.
        generator: draws where the optimisation begins.
        steps: of Adam, learning rate 1e-3; rows are normalised after each.
    """
    if number <= dim + 1:
        return simplex(number, dim)
    with torch.enable_grad():
        targets = functional.normalize(torch.randn(number, dim, generator=generator), dim=1).requires_grad_()
        optimizer = torch.optim.Adam([targets], lr=1e-3)
        for _ in range(steps):
            optimizer.zero_grad()
            # of the directions: their lengths, which the objective would like to be large, are not at issue
            target_objective(functional.normalize(targets, dim=1)).backward()
            optimizer.step()
            targets.data = functional.normalize(targets.data, dim=1)
    return targets.detach().double()


def assigned_targets(centroids: Float[Tensor, "k d"], targets: Float[Tensor, "k d"]) -> Int64[Tensor, " k"]:
    """Assignment of targets to classes that maximises the sum of their similarities to the centroids."""
    similarity = (centroids.double() @ targets.double().T).cpu().numpy()
    return torch.from_numpy(linear_sum_assignment(similarity, maximize=True)[1]).to(centroids.device)


def moved_centroids(
    centroids: Float[Tensor, "k d"], queries: Float[Tensor, "n d"], labels: Int[Tensor, " n"]
) -> Float[Tensor, "k d"]:
    """0.9 of the centroid and 0.1 of the direction of the batch's mean, on the sphere; classes without a query stay."""
    sums = torch.zeros_like(centroids).index_add_(0, labels, queries)
    seen = torch.zeros_like(centroids[:, 0]).index_add_(0, labels, torch.ones_like(queries[:, 0])) > 0
    mixed = CENTROID_MOMENTUM * centroids + (1 - CENTROID_MOMENTUM) * functional.normalize(sums, dim=1)
    return torch.where(seen[:, None], functional.normalize(mixed, dim=1), centroids)


def targeted_losses(
    sums: Float[Tensor, " n"],
    number: Float[Tensor, " n"],
    log_target: Float[Tensor, " n"],
    *,
    weight: float,
    counts: bool,
) -> Float[Tensor, " n"]:
    """KCL's sum over positives and λ times the own target's -log p, divided by the number of positives.

    Args:
        sums: over the m + 1 positives of -log p.
        number: m + 1.
        log_target: log p of the own class's target.
        weight: λ.
        counts: whether the target is one of the positives that divide both (code), or stands beside the mean (paper).
    """
    pull = -weight * log_target
    return (sums + pull) / (number + 1) if counts else sums / number + pull


class Targeted(KPositive):
    """KCL, then KCL with targets, then the linear layer."""

    options: TSC
    centroids: Tensor
    targets: Tensor
    assignment: Tensor

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        shape = (self.num_classes, self.options.head_dim)
        self.register_buffer("centroids", functional.normalize(torch.randn(shape), dim=1))
        self.register_buffer("targets", torch.zeros(shape))
        self.register_buffer("assignment", torch.arange(self.num_classes))
        self._moved: tuple[Tensor, Tensor] | None = None

    def stages(self) -> list[Stage]:
        """KCL's stages with another between them, which has a fresh optimiser and schedule."""
        contrast, linear = super().stages()
        epochs = self.options.target_epochs
        schedule = replace(contrast.schedule, epochs=epochs)
        return [contrast, replace(contrast, name="targets", epochs=epochs, schedule=schedule), linear]

    def begin(self, stage: Stage) -> None:
        """Targets are computed when their stage begins."""
        super().begin(stage)
        if stage.name == "targets":
            generator = torch.Generator().manual_seed(self.recipe.seed)
            found = spread_targets(self.num_classes, self.options.head_dim, generator)
            self.targets.copy_(found)

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """KCL's loss, or that with targets."""
        if clock.stage != "targets":
            return super().forward(batch, clock)
        queries, keys, labels = self._encoded(batch)
        centroids = moved_centroids(self.centroids, queries.detach(), labels)
        assignment = assigned_targets(centroids, self.targets)
        self._moved = centroids, assignment
        with torch.autocast(queries.device.type, enabled=False):
            sums, number, log_targets = k_positive_losses(
                queries,
                keys,
                self.queue.keys,
                self._positives(labels, clock, queries),
                temperature=self.options.temperature,
                targets=self.targets,
            )
            assert log_targets is not None
            log_own = log_targets.gather(1, assignment[labels][:, None])[:, 0]
            losses = targeted_losses(
                sums, number, log_own, weight=self.options.target_weight, counts=self.options.target_counts
            )
        return {"loss": losses.mean(), "targets": -log_own.mean()}

    def after_step(self, clock: Clock) -> None:
        """As KCL; centroids and the assignment are kept."""
        super().after_step(clock)
        if self._moved is not None:
            self.centroids.copy_(self._moved[0])
            self.assignment.copy_(self._moved[1])
            self._moved = None
