"""The common protocol: a method trained as the paper trains BCL, so that methods are compared, not their recipes.

Views, batches, schedule, epochs and the optimiser are those of BCL's recipe for the same images; the network, the
loss and all other options stay the method's own. Further stages come on top, with the method's own rates and, but for
pretext tasks, lengths, and with batches of the common size.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from bcl_edu.recipe import FIRST_STAGE, MethodOptions, Recipe
from bcl_edu.rows.bcl_rows import BENCHMARKS
from bcl_edu.rows.registry import METHODS, RECIPES, method_options
from bcl_edu.rows.starters import SHORT_NAMES, STARTERS

COMMON = (
    "views",
    "crop_scale",
    "blur",
    *sorted(FIRST_STAGE),
    "schedule_epochs",
    "batch_size",
    "momentum",
    "nesterov",
    "weight_decay",
    "drop_last",
)
"""Names of the values that every method shares under the protocol."""

_BATCH_SIZES = (
    "second_batch_size",
    "linear_batch_size",
    "router_batch_size",
    "balanced_batch_size",
    "pretext_batch_size",
)
"""Options that are the batch size of another stage than the main one, or of a further stream."""

ON_DIGITS: dict[str, Any] = {
    "head_hidden": 64,
    "head_dim": 32,
    "queue_size": 320,
    "key_momentum": 0.9,
    "meta_batch_size": 64,
    "second_epochs": 3,
    "router_epochs": 3,
    "feature_epochs": 12,
    "classifier_epochs": 3,
    "linear_epochs": 15,
    "linear_milestones": (9, 12),
    "target_epochs": 30,
}
"""Options that fit the long-tailed digits, 371 images, for every method that has them: heads of the digits' recipe, a
queue of one epoch, a key encoder that follows within 180 steps as one of momentum 0.999 does within tens of thousands,
and later stages that are as long beside 30 epochs as the published ones beside 200 or 90."""


def under_common_protocol(recipe: Recipe) -> Recipe:
    """The recipe's method and images under the common protocol.

    Raises:
        ValueError: the paper has no recipe of BCL for the data set, and neither have we.
    """
    reference = _reference(recipe)
    shared = {name: getattr(reference, name) for name in COMMON}
    return replace(recipe, protocol="common", method=common_options(recipe.method, recipe), **shared)


def common_options(options: MethodOptions, recipe: Recipe) -> MethodOptions:
    """A method's options with what the protocol shares of them: the size of batches and, on the digits, of queues.

    Args:
        options: of the method.
        recipe: says on which images.
    """
    batch_size = _reference(recipe).batch_size
    has = {one.name for one in fields(options)}
    values: dict[str, Any] = {
        one.name: None if one.default is None else batch_size  # None: that of the recipe, whatever it is
        for one in fields(options)
        if one.name in _BATCH_SIZES
    }
    queue_size = getattr(options, "queue_size", 0)  # whole batches
    values["queue_size"] = max(1, round(queue_size / batch_size)) * batch_size
    values |= {"pretext_epochs": None, "pretext_views": "recipe"}
    if recipe.dataset == "digits":
        values |= ON_DIGITS
    return replace(options, **{name: value for name, value in values.items() if name in has})


def own_options(name: str, recipe: Recipe) -> MethodOptions:
    """A method's own options on the recipe's images: those of its row there, or else its defaults.

    Raises:
        ValueError: there is no such method.
    """
    beside = f"{_benchmark(recipe)}-{name}"
    return RECIPES[beside][1].method if beside in RECIPES else method_options(name)


def _reference(recipe: Recipe) -> Recipe:
    """BCL's recipe for the same images: its row beside the recipe's, or that of the data set."""
    beside = f"{_benchmark(recipe)}-bcl"
    if beside in RECIPES:
        return RECIPES[beside][1]
    starters = {one.dataset: one for _, one in STARTERS.values()}
    known = starters | BENCHMARKS
    if recipe.dataset not in known:
        raise ValueError(
            f"there is no common protocol for the data set {recipe.dataset!r}, but for {', '.join(known)}; leave out "
            "--protocol common"
        )
    return known[recipe.dataset]


def _benchmark(recipe: Recipe) -> str:
    """Beginning of the names of the rows on the recipe's images, before the method."""
    row = SHORT_NAMES.get(recipe.name, recipe.name)
    methods = sorted((name for name in METHODS if row.endswith(f"-{name}")), key=len)
    return row.removesuffix(f"-{methods[-1]}") if methods else row
