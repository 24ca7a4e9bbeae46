"""Settings of the training sphere, and the problem that they pose for `bcl_edu.geometry`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from bcl_edu.geometry.compositions import BatchCompositions, full_batch

VIEWS = 2
"""Every picture is in its batch with two views."""

LOSSES = (
    "scl",
    "bcl",
    "bcl-class-anchors",
    "bcl-inside",
    "bcl-prototypes",
    "scl-averaging",
    "scl-complement",
    "ce",
    "lc",
)
"""Losses that can be chosen, in the order of the menu."""

MOST_POINTS = 400
"""Points of balanced classes together, at most."""
MOST_OF_A_CLASS = 100

_CHOICES: dict[str, tuple[Any, ...]] = {
    "num_classes": (3, 4, 5, 6, 7, 8, 9, 10),
    "dimension": (2, 3),
    "batch_size": (0, 8, 32),
    "prototypes": ("means", "free", "off"),
    "start": ("cone", "random"),
    "speed": (0.25, 1, 4),
}
_RANGES = {
    "imbalance_factor": (1, 100),
    "temperature": (0.05, 2),
    "learning_rate": (0.005, 0.5),
    "seed": (0, 9999),
}


@dataclass(frozen=True)
class TrainingSettings:
    """One position of all controls.

    Attributes:
        imbalance_factor: IF, 1 to 100; no class gets less than one picture, so that fewer may be possible.
        temperature: tau, 0.05 to 2.
        num_classes: K, 3 to 10.
        dimension: 2 for the circle, 3 for the sphere.
        losses: of the left and the right side, names of `LOSSES`.
        batch_size: pictures in a batch, 8 or 32; 0 for all.
        learning_rate: 0.005 to 0.5; a picture steps on the sum of the batch's losses, a prototype on their mean.
        prototypes: at the class "means", "free", or "off".
        start: "cone", all points near each other, or "random".
        seed: of the start and the batches, 0 to 9999.
        speed: 0.25, 1 or 4 times 60 steps a second.

    Raises:
        ValueError: a setting is out of its range.
    """

    imbalance_factor: float = 100.0
    temperature: float = 0.5
    num_classes: int = 4
    dimension: int = 3
    losses: Sequence[str] = ("scl", "bcl-class-anchors")
    batch_size: int = 0
    learning_rate: float = 0.05
    prototypes: str = "means"
    start: str = "cone"
    seed: int = 8
    speed: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what no control can say."""
        for name in ("losses", *_CHOICES, *_RANGES):
            check_setting(name, getattr(self, name))

    @property
    def class_counts(self) -> Int[np.ndarray, " k"]:
        """Points of each class: n_k = n_max IF^(-k / (K - 1)), rounded, at least 1."""
        largest = min(MOST_OF_A_CLASS, MOST_POINTS // self.num_classes)
        factor = min(self.imbalance_factor, float(largest))
        profile = largest * factor ** (-np.arange(self.num_classes) / (self.num_classes - 1))
        return np.maximum(1, np.floor(profile + 0.5)).astype(np.int64)

    @property
    def compositions(self) -> BatchCompositions:
        """All pictures as one batch: what `bcl_edu.geometry.certified_optimum` needs to find the optimum shown."""
        return full_batch(VIEWS * self.class_counts.astype(np.float64))

    def in_browser(self) -> dict[str, Any]:
        """The settings as the browser's code calls them."""
        return {
            "imbalanceFactor": self.imbalance_factor,
            "temperature": self.temperature,
            "numClasses": self.num_classes,
            "dimension": self.dimension,
            "losses": list(self.losses),
            "batchSize": self.batch_size,
            "learningRate": self.learning_rate,
            "prototypes": self.prototypes,
            "start": self.start,
            "seed": self.seed,
            "speed": self.speed,
        }


def check_setting(name: str, value: Any) -> None:
    """Refuse a setting out of its range.

    Raises:
        ValueError: the message names the setting, the value and what was expected.
    """
    if name == "losses":
        unknown = [loss for loss in value if loss not in LOSSES]
        if unknown or len(value) != 2:
            raise ValueError(f"losses are {list(value)}; expected two of {', '.join(LOSSES)}")
    elif name in _CHOICES:
        if value not in _CHOICES[name]:
            raise ValueError(f"{name} is {value!r}; expected one of {', '.join(map(repr, _CHOICES[name]))}")
    else:
        least, most = _RANGES[name]
        if not (math.isfinite(value) and least <= value <= most):
            raise ValueError(f"{name} is {value}; expected {least} to {most}")
