"""The learning rate of every step, as a pure function: nothing to save, nothing to restore."""

from __future__ import annotations

import math

from bcl_edu.recipe import Recipe


def scaled_warmup(recipe: Recipe) -> int:
    """Epochs of warm-up for the recipe's number of epochs.

    A longer run warms up proportionally longer (the paper: 5 epochs of 200, 10 of 400). A shorter one keeps
    the stated number as long as it is at most a sixth of the run: too short a warm-up stalls the network.
    """
    if recipe.epochs >= recipe.schedule_epochs:
        return round(recipe.warmup_epochs * recipe.epochs / recipe.schedule_epochs)
    return min(recipe.warmup_epochs, math.ceil(recipe.epochs / 6))


def scaled_milestones(recipe: Recipe) -> tuple[int, ...]:
    """Epochs (counted from 0) from which the learning rate is lower, in proportion to the run's length."""
    return tuple(round(m * recipe.epochs / recipe.schedule_epochs) for m in recipe.milestones)


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Learning rate of a step, counted from 0 over the whole run.

    Linear from lr / warm-up steps up to lr, then the recipe's decay: times `decay` at each milestone, or
    lr (1 + cos(pi t)) / 2 with t from 0 to 1 over the steps that remain.

    Raises:
        ValueError: the step is outside the run.
    """
    total = recipe.epochs * steps_per_epoch
    if not 0 <= step < total:
        raise ValueError(f"step {step} is outside the run's {total} steps")
    warmup_steps = scaled_warmup(recipe) * steps_per_epoch
    if step < warmup_steps:
        return recipe.learning_rate * (step + 1) / warmup_steps
    if recipe.schedule == "cosine":
        progress = (step - warmup_steps) / (total - warmup_steps)
        return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
    passed = sum(step >= milestone * steps_per_epoch for milestone in scaled_milestones(recipe))
    return recipe.learning_rate * recipe.decay**passed
