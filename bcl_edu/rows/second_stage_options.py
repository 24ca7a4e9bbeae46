"""Options of a second stage, in which a part of a trained network learns alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bcl_edu.recipe import FIRST_STAGE, MethodOptions, above, at_least


@dataclass(frozen=True, kw_only=True)
class SecondStage(MethodOptions):
    """Options of the second stage; a method with one derives its own from these.

    Raises:
        ValueError: a value is out of its range.
    """

    second_epochs: int = 10
    """Epochs of the second stage; they do not scale with --epochs."""
    second_learning_rate: float = 0.2
    """Learning rate at the start of the second stage, from which half a cosine falls to zero, epoch by epoch."""
    second_batch_size: int | None = None
    """Images of a batch in the second stage; by default as in the first."""
    second_sampler: Literal["class-aware", "class-balanced", "shuffled"] = "class-aware"
    """Sampler of the second stage: classes in turn with a few images each, classes with equal probability, or every
    image once."""
    images_per_class: int = 4
    """Images of a class that the class-aware sampler takes in its turn."""
    frozen_batch_norm: Literal["batch", "running"] = "batch"
    """Batch normalisation of the frozen part: by the statistics of each batch, its running statistics going on to
    move, as published code does, or frozen with the rest."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        at_least(1, self, "second_epochs", "images_per_class")
        above(0, self, "second_learning_rate")
        at_least(1, self, "second_batch_size")

    def unused_after_start(self) -> frozenset[str]:
        """On a finished run the second stage is trained alone."""
        own_batches = frozenset() if self.second_batch_size is None else {"batch_size"}
        return FIRST_STAGE | {"drop_last"} | own_batches
