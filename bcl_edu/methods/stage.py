"""Stages, stretches of a run with images, parameters and an optimiser of their own, and the clock within one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import torch

from bcl_edu.augment import ViewPolicy
from bcl_edu.augment.draws import derive_seed
from bcl_edu.methods.samplers import Sampler, Shuffled
from bcl_edu.recipe import Recipe


@dataclass(frozen=True)
class Clock:
    """The moment of a run, for a loss that depends on it.

    Attributes:
        seed: of the run.
        stage: name of the stage.
        epoch: epochs of the stage that are finished.
        epochs: of the stage.
        step: steps of the epoch that are finished.
        steps: of an epoch.
        learning_rate: of this step.
    """

    seed: int
    stage: str
    epoch: int
    epochs: int
    step: int
    steps: int
    learning_rate: float

    def generator(self, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
        """A generator seeded by the run, the moment and the purpose: the same on every rank and after a resume."""
        seed = derive_seed(purpose, self.seed, self.stage, self.epoch, self.step)
        return torch.Generator(device).manual_seed(seed)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The learning rate of every step of a stage, as a pure function: nothing to save, nothing to restore.

    Attributes:
        learning_rate: after the warm-up.
        epochs: of the stage.
        warmup_epochs: epochs of linear warm-up.
        warmup_from: share of the rate from which it rises.
        milestones: epochs, counted from 0, from which the rate is `decay` times lower; ignored by cosine.
        decay: factor at each milestone.
        cosine: decay by half a cosine to zero over the steps after the warm-up.
        per_epoch: change the rate between epochs only: epoch e (from 0) of the warm-up has risen by (e + 1) /
            warmup_epochs, and a cosine has t = e / epochs.
    """

    learning_rate: float
    epochs: int
    warmup_epochs: int = 0
    warmup_from: float = 0.0
    milestones: tuple[int, ...] = ()
    decay: float = 0.1
    cosine: bool = False
    per_epoch: bool = False

    def rate(self, step: int, steps_per_epoch: int) -> float:
        """Learning rate of a step, counted from 0 over the stage.

        Linear up to the rate after the warm-up, then times `decay` at each milestone, or lr (1 + cos(pi t)) /
        2 with t from 0 to 1 over the steps that remain.

        Raises:
            ValueError: the step is outside the stage.
        """
        total = self.epochs * steps_per_epoch
        if not 0 <= step < total:
            raise ValueError(f"step {step} is outside the stage's {total} steps")
        if self.per_epoch:
            step, total, steps_per_epoch = step // steps_per_epoch, self.epochs, 1
        warmup_steps = self.warmup_epochs * steps_per_epoch
        if step < warmup_steps:
            risen = (step + 1) / warmup_steps
            return self.learning_rate * (self.warmup_from + (1 - self.warmup_from) * risen)
        if self.cosine:
            progress = (step - warmup_steps) / (total - warmup_steps)
            return self.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
        passed = sum(step >= milestone * steps_per_epoch for milestone in self.milestones)
        return self.learning_rate * self.decay**passed


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Images drawn beside a stage's own, with labels and views of their own; one batch for each step.

    Attributes:
        sampler: which images.
        batch_size: images of a batch, over all processes together.
        views: how their views are made.
        images: images of a training pass over the stream; None for as many as the training set has.
        set_aside: whether they are images that the method sets aside (`MethodOptions.set_aside`), not those it
            trains on.
    """

    sampler: Sampler
    batch_size: int
    views: ViewPolicy
    images: int | None = None
    set_aside: bool = False


@dataclass(frozen=True, kw_only=True)
class ParameterGroup:
    """Parameters whose names begin with one of `names`, and what the optimiser does otherwise with them.

    Attributes:
        names: beginnings of parameter names.
        weight_decay: theirs; None for the stage's.
        rate: factor on the learning rate.
    """

    names: tuple[str, ...]
    weight_decay: float | None = None
    rate: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stretch of a run.

    Attributes:
        name: what it is called in the record; unique in a run.
        epochs: how many.
        schedule: of the learning rate.
        views: how the views of an image are made; the method's forward gets as many.
        batch_size: images of a batch, over all processes together.
        sampler: which images an epoch visits.
        streams: further batches that come with each step, by name.
        images: images an epoch visits; None for as many as the training set has.
        drop_last: leave out the last batch of an epoch if it is smaller.
        learns: beginnings of the names of the parameters that learn; None for all.
        groups: parameters that the optimiser treats otherwise.
        frozen_batch_norm: for modules none of whose parameters learn: "running" puts them into evaluation
            mode; "batch" leaves them in training mode, so that their running statistics go on moving (as Kang
            et al.'s code does).
        momentum: of SGD.
        nesterov: Nesterov's form of it.
        weight_decay: of SGD.
        evaluated: whether the method predicts classes in this stage; a pretext task does not.
    """

    name: str = "main"
    epochs: int
    schedule: Schedule
    views: ViewPolicy
    batch_size: int
    sampler: Sampler = field(default_factory=Shuffled)
    streams: Mapping[str, Stream] = field(default_factory=dict)
    images: int | None = None
    drop_last: bool = False
    learns: tuple[str, ...] | None = None
    groups: tuple[ParameterGroup, ...] = ()
    frozen_batch_norm: Literal["running", "batch"] = "running"
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 5e-4
    evaluated: bool = True

    def clock(self, seed: int, epoch: int, step: int, steps: int) -> Clock:
        """The moment of a step; after an epoch's last step still with that step's learning rate.

        Args:
            seed: of the run.
            epoch: epochs of the stage that are finished.
            step: steps of the epoch that are finished, at most `steps`.
            steps: of an epoch.
        """
        return Clock(
            seed=seed,
            stage=self.name,
            epoch=epoch,
            epochs=self.epochs,
            step=step,
            steps=steps,
            learning_rate=self.schedule.rate(epoch * steps + min(step, steps - 1), steps),
        )


def main_stage(recipe: Recipe, views: ViewPolicy) -> Stage:
    """The stage that a recipe's own values describe: all images shuffled, all parameters learning."""
    return Stage(
        epochs=recipe.epochs,
        schedule=schedule_of(recipe),
        views=views,
        batch_size=recipe.batch_size,
        drop_last=recipe.drop_last,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
    )


def schedule_of(recipe: Recipe) -> Schedule:
    """The schedule that a recipe's own values describe, scaled to its number of epochs."""
    return Schedule(
        learning_rate=recipe.learning_rate,
        epochs=recipe.epochs,
        warmup_epochs=scaled_warmup(recipe),
        warmup_from=recipe.warmup_from,
        milestones=tuple(scaled_epoch(recipe, milestone) for milestone in recipe.milestones),
        decay=recipe.decay,
        cosine=recipe.schedule == "cosine",
        per_epoch=recipe.rate_per_epoch,
    )


def extended(recipe: Recipe, epochs: int) -> Recipe:
    """The recipe with more epochs, which changes no rate of those that it had; the rate of the last one goes on.

    A run of the recipe that is continued as the extended one ends as a run of the extended one.

    Raises:
        ValueError: there are not more epochs, or the schedule is defined up to its last epoch only.
    """
    if recipe.schedule == "cosine":
        raise ValueError(
            f"a cosine schedule has fallen to a rate of 0 after epoch {recipe.epochs} and says nothing of what "
            "follows; start anew from the run's weights with --init-from, or train a recipe with --schedule steps"
        )
    if epochs < recipe.epochs:
        raise ValueError(f"extend_to is {epochs}, but the recipe has {recipe.epochs} epochs; name more")
    return replace(
        recipe,
        epochs=epochs,
        schedule_epochs=epochs,
        warmup_epochs=scaled_warmup(recipe),
        milestones=tuple(scaled_epoch(recipe, milestone) for milestone in recipe.milestones),
    )


def scaled_epoch(recipe: Recipe, epoch: int) -> int:
    """An epoch that is stated for `schedule_epochs`, in proportion to the recipe's own number of epochs."""
    return round(epoch * recipe.epochs / recipe.schedule_epochs)


def scaled_warmup(recipe: Recipe) -> int:
    """Epochs of warm-up for the recipe's number of epochs.

    A longer run warms up proportionally longer (the paper: 5 epochs of 200, 10 of 400). A shorter one keeps
    the stated number as long as it is at most a sixth of the run: too short a warm-up stalls the network.
    """
    if recipe.epochs >= recipe.schedule_epochs:
        return scaled_epoch(recipe, recipe.warmup_epochs)
    return min(recipe.warmup_epochs, math.ceil(recipe.epochs / 6))
