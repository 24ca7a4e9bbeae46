"""Settings of the simplex explorer, and the problem that they pose for `bcl_edu.geometry`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bcl_edu.course.widgets.explorer.batch_draws import explorer_batches
from bcl_edu.data.long_tail import exponential_profile
from bcl_edu.geometry.compositions import BatchCompositions, full_batch

LARGEST_CLASS = 5000
"""Images of the most frequent class (as in CIFAR-10)."""

VIEWS = 2
"""Every image is in a batch with two views."""

LOSSES = ("scl", "scl-complement", "scl-averaging", "bcl", "bcl-class-anchors", "ce", "lc")
"""Losses that can be chosen; at collapse L2 and L3 are the same function as BCL, which is L1."""

LARGEST_IMBALANCE = 1000
LARGEST_BATCH = 2048
MOST_CLASSES = 10


@dataclass(frozen=True)
class Settings:
    """One position of all sliders.

    Attributes:
        imbalance_factor: IF, 1 to 1000.
        temperature: tau, 0.05 to 2.
        num_classes: K, 2 to 10.
        losses: the two losses that are compared.
        batch_size: images in a mini-batch, 2 to 2048; 0 for the full data as one batch.

    Raises:
        ValueError: a setting is out of its range.
    """

    imbalance_factor: float = 100.0
    temperature: float = 0.5
    num_classes: int = 4
    losses: Sequence[str] = ("scl", "bcl-class-anchors")
    batch_size: int = 0

    def __post_init__(self) -> None:
        """Refuse values outside the range of their slider."""
        check_imbalance_factor(self.imbalance_factor)
        check_temperature(self.temperature)
        check_num_classes(self.num_classes)
        check_losses(self.losses)
        check_batch_size(self.batch_size)

    @property
    def class_counts(self) -> Float[np.ndarray, " k"]:
        """Images of each class: whole where mini-batches are drawn, elsewhere without the floor and its jumps."""
        if self.batch_size:
            profile = exponential_profile(LARGEST_CLASS, self.num_classes, self.imbalance_factor)
            return profile.numpy().astype(np.float64)
        return LARGEST_CLASS * self.imbalance_factor ** (
            -np.arange(self.num_classes) / (self.num_classes - 1)
        )

    @property
    def compositions(self) -> BatchCompositions:
        """Batch compositions with which `bcl_edu.geometry.certified_optimum` solves the same problem."""
        if self.batch_size:
            return explorer_batches(self.class_counts, self.batch_size, views=VIEWS)
        return full_batch(VIEWS * self.class_counts)


def check_imbalance_factor(value: float) -> None:
    """Refuse an imbalance factor outside 1..1000."""
    if not 1 <= value <= LARGEST_IMBALANCE:
        raise ValueError(f"imbalance factor is {value}; expected 1 (balanced) to {LARGEST_IMBALANCE}")


def check_temperature(value: float) -> None:
    """Refuse a temperature outside 0.05..2."""
    if not (math.isfinite(value) and 0.05 <= value <= 2):
        raise ValueError(f"temperature is {value}; expected 0.05 to 2 (the paper uses 0.1)")


def check_num_classes(value: int) -> None:
    """Refuse a number of classes outside 2..10."""
    if not 2 <= value <= MOST_CLASSES:
        raise ValueError(f"num_classes is {value}; expected 2 to {MOST_CLASSES}")


def check_losses(value: Sequence[str]) -> None:
    """Refuse anything but two known losses."""
    unknown = [name for name in value if name not in LOSSES]
    if unknown or len(value) != 2:
        raise ValueError(f"losses are {list(value)}; expected two of {', '.join(LOSSES)}")


def check_batch_size(value: int) -> None:
    """Refuse a batch size outside 2..2048, except 0."""
    if value != 0 and not 2 <= value <= LARGEST_BATCH:
        raise ValueError(
            f"batch_size is {value}; expected 2 to {LARGEST_BATCH}, or 0 for the full data as one batch"
        )
