"""Recipes, the loop that trains them, and what a run leaves behind."""

from bcl_edu.recipe import Recipe
from bcl_edu.rows import RECIPES
from bcl_edu.run_options import RunOptions
from bcl_edu.training.checkpoint import CheckpointError
from bcl_edu.training.estimate import Estimate, estimate
from bcl_edu.training.loop import EpochReport, Interrupted, LossNotFinite, RunResult, train
from bcl_edu.training.weights import TrainedModel, load_pretrained

__all__ = [
    "RECIPES",
    "CheckpointError",
    "EpochReport",
    "Estimate",
    "Interrupted",
    "LossNotFinite",
    "Recipe",
    "RunOptions",
    "RunResult",
    "TrainedModel",
    "estimate",
    "load_pretrained",
    "train",
]
