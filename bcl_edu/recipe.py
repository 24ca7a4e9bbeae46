"""A recipe: everything that decides what a run computes.

What does not change the result (device, folders, number of workers) is in `run_options.RunOptions`. Recipes
are frozen; a run stores its recipe in full, and a checkpoint continues only under the recipe that made it.
This file imports no torch, so that a command's help answers at once.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, get_args

import tyro

Profile = Literal["exponential", "step", "pareto", "as-found"]

OWN_IMAGES = ("folder", "lists")
"""Names of the data sets that are the user's own."""

OF_ANY_SIZE = (*OWN_IMAGES, "imagenet-lt", "inaturalist2018")
"""Names of the data sets whose recipe says at which size the network sees an image."""

AUTO = "auto"
"""The value of `backbone` and `views` that leaves the choice to the size of the images."""

Precision = Literal["auto", "float32", "bfloat16", "float16"]
Protocol = Literal["faithful", "common"]


@dataclass(frozen=True, kw_only=True)
class MethodOptions:
    """The options of one training method; each method has a subclass of its own, beside its rows in
    `bcl_edu.rows`.

    Attributes:
        implementation: "module:Class" of the `methods.protocol.Method` that these options configure, or the class.
        idle: names of values, of the recipe or of these options, that the method never uses.
    """

    implementation: ClassVar[Any]
    idle: ClassVar[frozenset[str]] = frozenset()

    @property
    def name(self) -> str:
        """The method's name, as `--method` takes it; a class attribute, unless it depends on an option."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """One line that says what the method is; a class attribute, unless it depends on an option."""
        raise NotImplementedError

    @property
    def set_aside(self) -> int:
        """Images of each class that are set aside before the tail is cut, for a stream of their own; 0 for none."""
        return 0

    def unused(self) -> frozenset[str]:
        """Names of values of the recipe or of these options that the method does not use as it is configured."""
        return self.idle

    def unused_after_start(self) -> frozenset[str]:
        """Names of the values that only the stages use that a start run replaces (`Method.stages_on`)."""
        return frozenset()


ONE_VIEW = frozenset({"crop_scale", "blur"})
"""Values that a method with a single view does not use: SimAugment makes the views of contrastive branches."""


FIRST_STAGE = frozenset(
    {
        "epochs",
        "learning_rate",
        "schedule",
        "warmup_epochs",
        "warmup_from",
        "milestones",
        "decay",
        "rate_per_epoch",
    }
)
"""Values that a stage with epochs and a schedule of its own does not use."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One experiment, completely. Defaults are the paper's for CIFAR (section 4.2) unless said otherwise.

    Raises:
        ValueError: a value is out of its range; the message names it and the range.
    """

    name: tyro.conf.Suppress[str]
    """Name of the run, in its record and its folder."""

    # ---- data
    dataset: tyro.conf.Suppress[str]
    """Name of the data set (see bcl_edu.data)."""
    profile: Profile = "exponential"
    """Profile of the class counts, from head to tail; 'as-found' trains on the training set as it is."""
    imbalance_factor: float = 100.0
    """Largest over smallest class count (IF), at least 1."""
    head_count: int | None = None
    """Images of the largest class; without it, the smallest class of the full training set decides."""
    subset_seed: int = 0
    """Seed of the shuffle that chooses the subset, and the validation split; 0 in every published comparison of
    ours."""
    val_fraction: float = 0.0
    """Share of every class's training images, one at least, that is not trained on but held out as a validation
    split: an epoch (--keep-best) or a value (`python -m bcl_edu.evaluate`) can be chosen on it."""
    image_size: int | None = None
    """Height and width at which the network sees images of your own and photographs; by default, of your own,
    the median of the training images' short sides, from 16 to 224. Other data sets have a size of their own."""
    unreadable_images: Literal["refuse", "replace"] = "refuse"
    """Image files that cannot be read in training: stop at the first, or take the next one of its class and
    say so."""

    upright: bool = False
    """Turn photographs of your own upright as their EXIF data say; other data sets are read as they were published."""

    # ---- views, network, method
    views: str = "cifar"
    """Policy that makes the views of an image (see bcl_edu.augment); auto takes cifar up to 64 x 64 pixels (grey
    where all images are grey), and sim-sim above."""
    crop_scale: tuple[float, float] = (0.2, 1.0)
    """Area range of SimAugment's crop. The paper does not say; 0.08 is the other common lower end."""
    blur: bool = True
    """Gaussian blur in SimAugment. The paper does not say."""
    backbone: str = "resnet32"
    """Feature extractor (see bcl_edu.models); auto takes resnet32 up to 64 x 64 pixels, and resnet50 above."""
    method: MethodOptions
    """The method and its options: the loss, and the network that it needs."""
    protocol: Protocol = "faithful"
    """'faithful' trains the method's own published recipe; 'common' trains it as the paper trains BCL: the same views,
    batches, schedule and epochs, so that methods can be compared. Other values that are given still count."""
    start_from: tyro.conf.Suppress[str | None] = None
    """SHA-256 of the weights that training starts from (--init-from); None for fresh ones."""

    # ---- optimisation
    epochs: int = 200
    """Passes over the long-tailed training set."""
    schedule_epochs: tyro.conf.Suppress[int] = 200
    """Number of epochs for which warm-up and milestones are stated; they scale when --epochs differs."""
    batch_size: int = 256
    """Images in a batch (each seen in all its views), over all processes together."""
    accumulate: int = 1
    """Micro-batches in which a batch is computed, for GPUs too small for it; the loss is that of the whole
    batch (a third slower), batch statistics are those of a micro-batch."""
    learning_rate: float = 0.15
    """Learning rate after the warm-up."""
    schedule: Literal["steps", "cosine"] = "steps"
    """Decay after the warm-up: times `decay` at each milestone, or half a cosine to zero."""
    warmup_epochs: int = 5
    """Epochs of linear warm-up, stated for `schedule_epochs`."""
    warmup_from: float = 0.0
    """Share of the learning rate from which the warm-up rises."""
    milestones: tuple[int, ...] = (160, 180)
    """Epochs at which the learning rate falls, stated for `schedule_epochs`."""
    decay: float = 0.1
    """Factor at each milestone."""
    rate_per_epoch: bool = False
    """Change the learning rate between epochs only, as most published code does; by default, also within them."""
    momentum: float = 0.9
    """Momentum of SGD."""
    nesterov: bool = False
    """Nesterov's form of the momentum."""
    weight_decay: float = 5e-4
    """Weight decay of SGD, on every parameter unless the method exempts some."""
    drop_last: bool = False
    """Leave out the last, smaller batch of an epoch. The paper does not say."""
    seed: int = 0
    """Seed of the initial weights, the order of batches and every view."""
    precision: Precision = "float32"
    """Number format of the forward pass: float32, or autocast to bfloat16 or float16; auto is bfloat16 where the
    processor or GPU has units for it, else float32, chosen once for the whole run. The paper does not say."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        at_least(1, self, "imbalance_factor", "epochs", "batch_size", "accumulate", "schedule_epochs")
        at_least(0, self, "momentum", "weight_decay", "warmup_epochs")
        above(0, self, "learning_rate", "decay")
        require(0 <= self.val_fraction < 1, "val_fraction", self.val_fraction, "at least 0 and below 1")
        require(self.momentum < 1, "momentum", self.momentum, "below 1")
        require(
            self.momentum > 0 or not self.nesterov, "momentum", self.momentum, "above 0 with Nesterov's form"
        )
        at_least(0, self, "seed")
        require(0 <= self.subset_seed < 2**32, "subset_seed", self.subset_seed, "from 0 to 4294967295")
        at_least(1, self, "head_count")
        ascending = (
            list(self.milestones) == sorted(set(self.milestones)) and min(self.milestones, default=0) >= 0
        )
        require(ascending, "milestones", self.milestones, "epochs from 0 on, each later than the one before")
        at_least(8, self, "image_size")
        require(0 <= self.warmup_from < 1, "warmup_from", self.warmup_from, "at least 0 and below 1")
        require(self.protocol in get_args(Protocol), "protocol", self.protocol, "faithful or common")
        low, high = self.crop_scale
        require(0 < low <= high <= 1, "crop_scale", self.crop_scale, "0 < smallest <= largest <= 1")

    def change(self, **values: Any) -> Recipe:
        """Return the recipe with other values, of its own fields or of its method's options.

        Args:
            values: new values by name; `method` may be a method's name, and then keeps the options that both
                methods have at their present values; `protocol="common"` first sets what that protocol shares, and
                under it a method that is named has its own options.

        Raises:
            ValueError: there is no such value or method, or a value is out of range.
        """
        method = values.pop("method", self.method)
        if "common" in (self.protocol, values.get("protocol")):
            base = self._in_common(method, values.get("protocol", self.protocol))
        elif isinstance(method, str):
            base = replace(self, method=_carried_over(self.method, to=_method_named(method)))
        else:
            base = replace(self, method=method)
        own = {field.name for field in fields(Recipe)}
        options = {name: values.pop(name) for name in list(values) if name not in own}
        known = {field.name for field in fields(base.method)}
        if unknown := sorted(options.keys() - known):
            raise ValueError(
                f"neither a recipe nor the method {base.method.name} has a value {' or '.join(map(repr, unknown))}; "
                f"the method has {', '.join(sorted(known)) or 'no options'}"
            )
        return replace(base, method=replace(base.method, **options), **values)

    def _in_common(self, method: str | MethodOptions, protocol: str) -> Recipe:
        """With this method, a named one with its own options, under the common protocol."""
        from bcl_edu.rows.common import common_options, own_options, under_common_protocol

        if protocol != "common":
            raise ValueError(
                f"protocol is {protocol!r}, but the recipe is under the common one already; start from the row"
            )
        options = own_options(method, self) if isinstance(method, str) else method
        if self.protocol != "common":
            return under_common_protocol(replace(self, method=options))
        return replace(self, method=common_options(options, self) if isinstance(method, str) else options)


def _method_named(name: str) -> MethodOptions:
    from bcl_edu.rows.registry import (
        method_options,  # the registry knows recipes, and so comes after this file
    )

    return method_options(name)


def _carried_over(options: MethodOptions, *, to: MethodOptions) -> MethodOptions:
    """The other method's options, with the values of this one's that both have and that do not name the method."""
    shared = {f.name for f in fields(options) if f.init} & {
        f.name for f in fields(to) if f.metadata.get("kept", True)
    }
    return replace(to, **{name: getattr(options, name) for name in shared})


def require(holds: bool, name: str, value: object, expected: str) -> None:
    """Refuse a value that is out of its range, or not finite.

    Raises:
        ValueError: with the value's name, itself and what was expected.
    """
    if not holds or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"{name.rstrip('_')} is {value!r}, but must be {expected}")


def at_least(smallest: float, values: object, *names: str) -> None:
    """Refuse values, None excepted, that are smaller.

    Raises:
        ValueError: with the value's name, itself and what was expected.
    """
    for name in names:
        value = getattr(values, name)
        require(value is None or value >= smallest, name, value, f"at least {smallest}")


def above(limit: float, values: object, *names: str) -> None:
    """Refuse values, None excepted, that are not larger than the limit.

    Raises:
        ValueError: with the value's name, itself and what was expected.
    """
    for name in names:
        value = getattr(values, name)
        require(value is None or value > limit, name, value, f"above {limit}")


IGNORED_WHEN_COMPARING = frozenset({"name", "seed"})
"""Values that comparisons of recipes ignore: the name of a run, and the seed, which is averaged over."""


def flat(recipe: Recipe) -> dict[str, Any]:
    """Every value of a recipe by name, the method's options beside its own; `method` is the method's name."""
    values = {name: value for name, value in _plain(recipe).items() if name != "method"}
    return values | {"method": recipe.method.name} | _plain(recipe.method)


def _plain(values: Any) -> dict[str, Any]:
    return {
        field.name: list(value) if isinstance(value := getattr(values, field.name), tuple) else value
        for field in fields(values)
    }


def recipe_as_dict(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain values that survive JSON unchanged (tuples become lists)."""
    return _plain(recipe) | {"method": {"name": recipe.method.name, **_plain(recipe.method)}}


def unused(recipe: Recipe) -> frozenset[str]:
    """Names of the values that do not change what this recipe computes, as milestones under a cosine schedule."""
    return frozenset(why_unused(recipe))


def why_unused(recipe: Recipe, *, started: bool = False) -> dict[str, str]:
    """The same names, each with the reason and what would use the value.

    Args:
        recipe: with all its changes.
        started: whether the run starts from the weights of a finished one.
    """
    found: dict[str, str] = {}

    def add(names: str, why: str) -> None:
        found.update(dict.fromkeys(names.split(), why))

    add(
        " ".join(sorted(recipe.method.unused())),
        f"the method {recipe.method.name} does not use it; leave it out",
    )
    if recipe.schedule == "cosine":
        add("milestones decay", "a cosine schedule has none; leave it out, or add --schedule steps")
    if recipe.profile == "as-found":
        why = "the training set is taken as it is; leave it out, or cut a tail with --profile exponential"
        add("imbalance_factor head_count", why)
        if not recipe.val_fraction:
            add("subset_seed", f"nothing is drawn: {why}, or a validation split with --val-fraction")
    if recipe.dataset not in OF_ANY_SIZE:
        why = (
            f"it is for {', '.join(OF_ANY_SIZE)}, not for {recipe.dataset}, which has one size; leave it out"
        )
        add("image_size unreadable_images", why)
    if recipe.dataset not in OWN_IMAGES:
        add(
            "upright",
            f"it is for {' and '.join(OWN_IMAGES)}; {recipe.dataset} is read as published; leave it out",
        )
    if "sim" not in recipe.views and recipe.views not in ("cifar", "grey", AUTO):
        add(
            "crop_scale blur",
            f"the views {recipe.views} have no SimAugment; leave it out, or choose other --views",
        )
    if started:
        method = recipe.method
        unused_then = method.unused_after_start()
        used = [one.name for one in fields(method) if one.name not in unused_then]
        for name in unused_then - found.keys():
            instead = [f"--{one.replace('_', '-')}" for one in used if one.endswith(f"_{name}")]
            why = (
                f"the run starts from finished weights (--init-from), so that the method {method.name} trains its "
                f"later stages alone; leave it out"
            )
            add(name, why + (f", or change {' or '.join(instead)}" if instead else ""))
    return found


def refuse_unused(recipe: Recipe, given: Collection[str], *, started: bool = False) -> None:
    """Refuse values that were asked for by name but are not used; no command takes an option for nothing.

    Options that name a file or a value are treated alike everywhere: data sets refuse theirs in
    `bcl_edu.data.open`, runs in `RunOptions`. Those that say how a machine is used (workers, device, progress) are
    limits, which any run keeps to.

    Args:
        recipe: with all its changes.
        given: names of the values that were asked for.
        started: whether the run starts from the weights of a finished one.

    Raises:
        ValueError: with the first of them, why it is not used and what to do.
    """
    values = flat(recipe)
    without_effect = why_unused(recipe, started=started)
    if not recipe.warmup_epochs:
        without_effect["warmup_from"] = "there is no warm-up; leave it out, or add --warmup-epochs 5"
    for name, why in without_effect.items():
        if name in given:
            raise ValueError(f"{name.rstrip('_')} is {values[name]!r}, but {why}")


def recipe_differences(stored: Recipe, asked: Recipe) -> list[str]:
    """One line for each value in which two recipes differ; empty if they are the same."""
    ours, theirs = flat(asked), flat(stored)
    return [
        f"{name.rstrip('_')}: stored {theirs.get(name, 'none')!r}, asked {ours.get(name, 'none')!r}"
        for name in dict.fromkeys([*ours, *theirs])
        if not same_value(name, ours.get(name, ...), theirs.get(name, ...))
    ]


def same_value(name: str, one: object, other: object) -> bool:
    """True if a value of two recipes is the same; "auto" equals any precision that it may have become."""
    return one == other or (name == "precision" and "auto" in (one, other))
