"""Recipes, the loop that trains them, and what a run leaves behind."""

from bcl_edu.training.catalogue import RECIPES
from bcl_edu.training.checkpoint import CheckpointError
from bcl_edu.training.loop import EpochReport, Interrupted, LossNotFinite, RunResult, train
from bcl_edu.training.options import RunOptions
from bcl_edu.training.recipe import Recipe

__all__ = [
    "RECIPES",
    "CheckpointError",
    "EpochReport",
    "Interrupted",
    "LossNotFinite",
    "Recipe",
    "RunOptions",
    "RunResult",
    "train",
]
