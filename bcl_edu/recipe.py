"""A recipe: everything that decides what a run computes.

What does not change the result (device, folders, number of workers) is in `options.RunOptions`. Recipes are
frozen; a run stores its recipe in full, and a checkpoint continues only under the recipe that made it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import tyro

from bcl_edu.methods import OBJECTIVES, LossName

Profile = Literal["exponential", "step", "pareto", "as-found"]
Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One experiment, completely. Defaults are the paper's for CIFAR (section 4.2) unless said otherwise.

    Raises:
        ValueError: a value is out of its range; the message names it and the range.
    """

    name: tyro.conf.Suppress[str]
    """What the run is called in its record and its folder."""

    # ---- data
    dataset: tyro.conf.Suppress[str]
    """Which data set is opened (see bcl_edu.data)."""
    profile: Profile = "exponential"
    """How class counts fall from head to tail; 'as-found' trains on the training set as it is."""
    imbalance_factor: float = 100.0
    """Largest over smallest class count (IF), at least 1."""
    head_count: int | None = None
    """Images of the largest class; without it, the smallest class of the full training set decides."""
    subset_seed: int = 0
    """Seed of the shuffle that chooses the subset; 0 in every published comparison of ours."""
    image_size: int | None = None
    """Height and width of views of photographs (imagenet-lt, inaturalist2018, folder); other sets have their own."""
    unreadable_images: Literal["refuse", "replace"] = "refuse"
    """Image files that cannot be read in training: stop at the first, or take the next one of its class and say so."""

    # ---- model
    backbone: str = "resnet32"
    """Feature extractor (see bcl_edu.models)."""
    classifier: Literal["linear", "cosine"] = "linear"
    """Last layer. The paper does not say which one for CIFAR; 'cosine' has scale 30."""
    head_hidden: int = 512
    """Width of the hidden layer of the projection and prototype heads."""
    head_dim: int = 128
    """Dimension D of the embeddings and the prototypes."""

    # ---- loss
    loss: LossName = "bcl"
    """What is minimised (`python -m bcl_edu.train --list` shows the names)."""
    lambda_: Annotated[float, tyro.conf.arg(name="lambda")] = 2.0
    """Weight λ of the classification loss (Eq. 11)."""
    mu: float = 0.6
    """Weight μ of the contrastive loss (Eq. 11)."""
    temperature: float = 0.1
    """Temperature τ of the contrastive loss."""
    focal_gamma: float = 2.0
    """Exponent γ of the losses focal and cb-focal; 2 as in Lin et al. (2017)."""
    class_balanced_beta: float = 0.9999
    """β of cb-focal's effective numbers; one of the values of Cui et al. (2019)."""

    # ---- views
    views: str = "cifar"
    """Policy that makes the three views v1, v2, v3 (see bcl_edu.augment)."""
    crop_scale: tuple[float, float] = (0.2, 1.0)
    """Area range of SimAugment's crop. The paper does not say; 0.08 is the other common lower end."""
    blur: bool = True
    """Gaussian blur in SimAugment. The paper does not say."""

    # ---- optimisation
    epochs: int = 200
    """Passes over the long-tailed training set."""
    schedule_epochs: tyro.conf.Suppress[int] = 200
    """Number of epochs for which warm-up and milestones are stated; they scale when --epochs differs."""
    batch_size: int = 256
    """Images in a batch (each seen in three views), over all processes together."""
    accumulate: int = 1
    """Parts in which a batch is computed, for GPUs too small for it; batch statistics are those of a part."""
    contrast: Literal["batch", "part"] = "batch"
    """With several parts, what an anchor is compared with: the whole batch (a third slower), or only its part."""
    learning_rate: float = 0.15
    """Learning rate after the warm-up."""
    schedule: Literal["steps", "cosine"] = "steps"
    """Decay after the warm-up: times `decay` at each milestone, or half a cosine to zero."""
    warmup_epochs: int = 5
    """Epochs of linear warm-up, stated for `schedule_epochs`."""
    milestones: tuple[int, ...] = (160, 180)
    """Epochs at which the learning rate falls, stated for `schedule_epochs`."""
    decay: float = 0.1
    """Factor at each milestone."""
    momentum: float = 0.9
    """Momentum of SGD."""
    weight_decay: float = 5e-4
    """Weight decay of SGD, on every parameter."""
    drop_last: bool = False
    """Leave out the last, smaller batch of an epoch. The paper does not say."""
    seed: int = 0
    """Seed of the initial weights, the order of batches and every view."""
    precision: Precision = "float32"
    """Number format of the forward pass: float32, or autocast to bfloat16 or float16. Our choice."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        if self.loss not in OBJECTIVES:
            raise ValueError(f"loss {self.loss!r} is not known; choose one of {', '.join(OBJECTIVES)}")
        _require(self.imbalance_factor >= 1, "imbalance_factor", self.imbalance_factor, "at least 1")
        for name in ("epochs", "batch_size", "accumulate", "head_hidden", "head_dim", "schedule_epochs"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        for name in ("lambda_", "mu", "momentum", "weight_decay", "warmup_epochs", "focal_gamma"):
            _require(getattr(self, name) >= 0, name.rstrip("_"), getattr(self, name), "at least 0")
        for name in ("learning_rate", "temperature", "decay"):
            _require(getattr(self, name) > 0, name, getattr(self, name), "above 0")
        _require(self.momentum < 1, "momentum", self.momentum, "below 1")
        _require(self.seed >= 0, "seed", self.seed, "at least 0")
        _require(0 <= self.subset_seed < 2**32, "subset_seed", self.subset_seed, "from 0 to 4294967295")
        _require(self.head_count is None or self.head_count >= 1, "head_count", self.head_count, "at least 1")
        ascending = (
            list(self.milestones) == sorted(set(self.milestones)) and min(self.milestones, default=0) >= 0
        )
        _require(ascending, "milestones", self.milestones, "epochs from 0 on, each later than the one before")
        beta = self.class_balanced_beta
        _require(0 <= beta < 1, "class_balanced_beta", beta, "at least 0 and below 1")
        _require(
            self.image_size is None or self.image_size >= 32, "image_size", self.image_size, "at least 32"
        )
        low, high = self.crop_scale
        _require(0 < low <= high <= 1, "crop_scale", self.crop_scale, "0 < smallest <= largest <= 1")


def _require(holds: bool, name: str, value: object, expected: str) -> None:
    if not holds or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"{name} is {value!r}, but must be {expected}")


def recipe_as_dict(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain values that survive JSON unchanged (tuples become lists)."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(recipe).items()}


WITHOUT_THE_FIELD: dict[str, Any] = {
    "focal_gamma": 2.0,
    "class_balanced_beta": 0.9999,
    "image_size": None,
    "unreadable_images": "refuse",
    "accumulate": 1,
    "contrast": "batch",
}
"""Fields that records and checkpoints from before them lack, with the value that those runs in effect had.

A field that joins `Recipe` later gets a line here: the value that describes what runs did without it, which need not
be its default.
"""


def recipe_from_dict(values: Mapping[str, Any]) -> Recipe:
    """The inverse of `recipe_as_dict`; records from before a field get what `WITHOUT_THE_FIELD` says.

    Raises:
        ValueError: another field is missing, or one is unknown, as in a record of another version of this package; or
            a value is one that no recipe can have.
    """
    values = WITHOUT_THE_FIELD | dict(values)
    known = {field.name for field in fields(Recipe)}
    if known != set(values):
        raise ValueError(
            f"this recipe is of another version of bcl_edu: missing {sorted(known - set(values))}, "
            f"unknown {sorted(set(values) - known)}"
        )
    restored: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    for name, value in restored.items():
        if not _is_a(value, _kinds()[name]):
            raise ValueError(
                f"the stored recipe was changed: its {name} is {value!r}, which no recipe can have"
            )
    return Recipe(**restored)


@cache
def _kinds() -> dict[str, Any]:
    return get_type_hints(Recipe)


def _is_a(value: object, kind: Any) -> bool:
    """Whether a value from a file is of a field's type; what is not listed in a Literal is left to the recipe."""
    origin, of = get_origin(kind), get_args(kind)
    if origin is Literal:
        return isinstance(value, str)
    if origin in (Union, UnionType):
        return any(_is_a(value, option) for option in of)
    if origin is tuple:
        if not isinstance(value, tuple) or (of[-1] is not Ellipsis and len(value) != len(of)):
            return False
        return all(_is_a(one, of[0]) for one in value)
    if kind in (int, float):  # a whole number is also a number; True is neither
        return isinstance(value, (int, kind)) and not isinstance(value, bool)
    return isinstance(value, kind)


def recipe_differences(stored: Recipe, asked: Recipe) -> list[str]:
    """One line for each field in which two recipes differ; empty if they are the same."""
    ours, theirs = recipe_as_dict(asked), recipe_as_dict(stored)
    return [
        f"{name}: stored {theirs[name]!r}, asked {ours[name]!r}"
        for name in ours
        if ours[name] != theirs[name]
    ]
