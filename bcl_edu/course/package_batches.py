"""Batches and random numbers of views of the package's runs, for code that takes its steps by itself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from bcl_edu.augment import BatchedTrainingViews, ViewPolicy, batched_views, view_policy, view_seeds
from bcl_edu.augment.draws import derive_seed, draw_parameters
from bcl_edu.recipe import Recipe
from bcl_edu.training import RunOptions
from bcl_edu.training.data import prepare_data

Batch = tuple[UInt8[Tensor, "views n c h w"], Int[Tensor, " n"]]

Drawn = tuple[Int[Tensor, "n 2"], Float[Tensor, " n"], Int[Tensor, "n 1 h w"]]
"""Of one view: shifts (from 0, the window at the top left), factors of brightness, and grey levels to add."""


def digit_views(images: UInt8[Tensor, "n 1 h w"]) -> Iterator[tuple[Drawn, UInt8[Tensor, "n 1 h w"]]]:
    """The random numbers of v1, v2 and v3 of some digits, and what the package makes of the images with them."""
    seeds = range(len(images))
    policy: ViewPolicy = view_policy("digits", image_size=images.shape[-1])
    for view, made in enumerate(batched_views(policy, images, seeds)):
        recipe, (channels, height, width) = policy.views[view], images.shape[1:]
        size = (channels, height, width)
        drawn = draw_parameters(recipe, np.array(seeds, dtype=np.uint64), view, size, policy.image_size)
        assert drawn.window is not None
        assert drawn.jitter_values is not None
        assert drawn.noise is not None
        shift = torch.from_numpy(drawn.window[:, :2]) + recipe.padding
        factor = torch.from_numpy(drawn.jitter_values[:, 0]).float()
        yield (shift, factor, torch.from_numpy(drawn.noise).view(images.shape)), made


def package_batches(recipe: Recipe, epoch: int) -> Iterator[Batch]:
    """The views and labels of an epoch's batches, as `bcl_edu.training.train` sees them on one process.

    Args:
        recipe: of images that are in memory, such as "digits-lt"; its seed decides the order and the views.
        epoch: counted from 0.
    """
    data = prepare_data(recipe, RunOptions()).train
    policy = view_policy(
        recipe.views, image_size=data.image_shape[1], crop_scale=recipe.crop_scale, blur=recipe.blur
    )
    views = BatchedTrainingViews(data.images, data.labels, policy)  # type: ignore[union-attr]
    generator = torch.Generator().manual_seed(derive_seed(recipe.seed, "order of batches", epoch))
    for chosen in torch.randperm(len(data), generator=generator).split(recipe.batch_size):
        indices = chosen.tolist()
        images, labels, _ = views.views(indices, view_seeds(recipe.seed, epoch, indices))
        yield images, labels
