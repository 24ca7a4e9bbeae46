"""The views of a whole batch at once, as tensor operations on the device where the images are.

Every image has random parameters of its own, and every operation rounds as Pillow's. The tests make the same views
through Pillow, one image at a time: they agree to the last bit, except for the blur (one grey level in one of 100,000
pixels) and for crops of images larger than the view (see ``resized_crop``).
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from torch.nn import functional

from bcl_edu.augment.augmentations import CODE, OPERATIONS
from bcl_edu.augment.draws import ViewParameters, derive_seed, draw_parameters
from bcl_edu.augment.pixel_operations import (
    adjust_hue,
    affine,
    affine_maps,
    autocontrast,
    blend,
    box_weights,
    cutout,
    equalize,
    gaussian_blur,
    mean_level,
    posterize,
    resized_crop,
    rgb_to_grayscale,
    smooth,
    solarize,
    window_maps,
)
from bcl_edu.augment.policies import Augmentation, ViewPolicy
from bcl_edu.counting import counted

ViewBatch = tuple[UInt8[Tensor, "views n channel size size"], Int64[Tensor, " n"], Int64[Tensor, " n"]]
"""Views (all v1, then all v2, then all v3), labels and indices of a batch."""

CPU_CHUNK = 256  # images worked on together: fewer waste calls, more leave the cache; a GPU takes all at once


def view_seeds(seed: int, epoch: int, indices: Sequence[int]) -> list[int]:
    """The seeds of images' views in a shuffled epoch, where every image occurs once.

    Each depends on the run's seed, the epoch and the image's index alone, so neither the order nor the composition
    of batches changes what is trained on. A stream that draws with replacement must seed by slot instead: an image
    that occurs twice in an epoch would otherwise get the same views twice.
    """
    return [derive_seed("views", seed, epoch, index) for index in indices]


class BatchedTrainingViews:
    """Batches of training views of images in memory, made together where the network is.

    For images of one size that fit into the device's memory, so without worker processes.

    Args:
        images: uint8, shape (n, channels, height, width).
        labels: class of each image, shape (n,).
        policy: how views are made.
        device: where images are kept and views are made.

    Raises:
        ValueError: images and labels disagree, or images are not uint8 with one or three channels.
    """

    def __init__(
        self,
        images: UInt8[Tensor, "n channel height width"],
        labels: Int64[Tensor, " n"],
        policy: ViewPolicy,
        device: torch.device | str = "cpu",
    ) -> None:
        _require_bytes(images)
        if labels.shape != images.shape[:1]:
            raise ValueError(
                f"{counted(len(images), 'image')}, but labels of shape {tuple(labels.shape)}; expected one each"
            )
        self.images = images.to(device)
        self.labels = labels.to(device)
        self.policy = policy

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, pairs: Sequence[tuple[int, int]]) -> ViewBatch:
        """The batch of these (index, seed) pairs, as ``FileViews`` takes them."""
        return self.views([index for index, _ in pairs], [seed for _, seed in pairs])

    def views(self, indices: Sequence[int], seeds: Sequence[int]) -> ViewBatch:
        """The views of the images at these positions, each with its own seed (see ``view_seeds``).

        Returns:
            The views (v1 of all images, then v2, then v3), the labels and the indices, all on the device.
        """
        chosen = torch.tensor(indices, dtype=torch.int64).to(self.images.device, non_blocking=True)
        return batched_views(self.policy, self.images[chosen], seeds), self.labels[chosen], chosen


def batched_views(
    policy: ViewPolicy, images: UInt8[Tensor, "n channel height width"], seeds: Sequence[int]
) -> UInt8[Tensor, "views n channel size size"]:
    """The views of each image, all images at once.

    An image's views depend on its own seed and the policy, not on the other images of the batch.

    Args:
        policy: what happens in each view.
        images: bytes, one channel (grey) or three (RGB), on any device.
        seeds: one for each image, as ``view_seeds`` makes them.

    Returns:
        v1 of all images, then v2, then v3, on the images' device.

    Raises:
        ValueError: not bytes with one or three channels, or not one seed for each image.
    """
    _require_bytes(images)
    if len(seeds) != len(images):
        raise ValueError(
            f"{counted(len(seeds), 'seed')} for {counted(len(images), 'image')}, expected one each"
        )
    number, channels, height, width = images.shape
    size = policy.image_size
    if all(recipe == Augmentation() for recipe in policy.views):
        return images.repeat(len(policy.views), 1, 1, 1, 1)
    views = images.new_empty(len(policy.views), number, channels, size, size)
    chunk = CPU_CHUNK if images.device.type == "cpu" else max(number, 1)
    all_seeds = np.array(seeds, dtype=np.uint64)
    # a surrounding autocast would turn the matrix products to bfloat16, which holds no grey level above 256 exactly
    with torch.inference_mode(), torch.autocast(images.device.type, enabled=False):
        for view, recipe in enumerate(policy.views):
            drawn = draw_parameters(recipe, all_seeds, view, (channels, height, width), size)
            for first in range(0, number, chunk):
                part = slice(first, first + chunk)
                made = _one_view(images[part].float(), recipe, drawn.rows(part), size)
                views[view, part] = made.to(
                    torch.int16
                )  # on its own much faster than from float to bytes at once
    return views


def _require_bytes(images: Tensor) -> None:
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(
            f"images of type {images.dtype} and shape {tuple(images.shape)}, expected torch.uint8 of shape "
            "(n, 1 or 3, height, width)"
        )


def _one_view(images: Tensor, recipe: Augmentation, drawn: ViewParameters, size: int) -> Tensor:
    """One view of every image: the recipe's steps, in their order."""
    flip = drawn.flip if drawn.flip is not None else np.zeros(len(images), dtype=bool)
    if recipe.crop_scale is not None:
        assert drawn.window is not None
        images = resized_crop(images, drawn.window, flip, size)
    elif drawn.window is not None:
        window = drawn.window
        if recipe.mirrored:
            images = functional.pad(images, (recipe.padding,) * 4, mode="reflect")
            window = window + np.array([recipe.padding, recipe.padding, 0, 0])
        images = affine(images, window_maps(window, flip), 0, size)
    elif flip.any():
        images = _on_rows(images, flip, lambda some: some.flip(3))
    if drawn.jitter is not None:
        images = _jitter(images, recipe, drawn)
    if drawn.grey is not None:
        images = _on_rows(images, drawn.grey, lambda some: rgb_to_grayscale(some).expand_as(some))
    if drawn.operations is not None:
        assert drawn.magnitudes is not None
        for codes, magnitudes in zip(drawn.operations.T, drawn.magnitudes.T, strict=True):
            images = _augment(images, codes, magnitudes, recipe.fill)
    if drawn.blur is not None:
        images = _on_rows(images, drawn.blur > 0, gaussian_blur, box_weights(drawn.blur))
    if drawn.noise is not None:
        images = (
            images + torch.from_numpy(drawn.noise).to(images, non_blocking=True).reshape(images.shape)
        ).clamp_(0, 255)
    if drawn.cutout is not None:
        images = cutout(images, drawn.cutout)
    return images


def _on_rows(
    images: Tensor, chosen: np.ndarray, step: Callable[..., Tensor], *parameters: np.ndarray
) -> Tensor:
    """Apply a step to the chosen images, with their own parameters, and leave the others as they are."""
    if not chosen.any():
        return images
    rows = np.flatnonzero(chosen)
    index = torch.from_numpy(rows).to(images.device, non_blocking=True)
    own = (
        torch.from_numpy(values[rows]).to(images.device, torch.float32, non_blocking=True)
        for values in parameters
    )
    return images.index_copy_(0, index, step(images.index_select(0, index), *own))


def _jitter(images: Tensor, recipe: Augmentation, drawn: ViewParameters) -> Tensor:
    """Brightness, contrast, saturation and hue in each image's own order."""
    assert drawn.jitter is not None
    assert drawn.jitter_order is not None
    assert drawn.jitter_values is not None
    used = np.array(recipe.jitter) > 0
    for order in drawn.jitter_order.T:
        values = np.take_along_axis(drawn.jitter_values, order[:, None], axis=1)[:, 0]
        for code, step in enumerate(_JITTER_STEPS):
            if used[code]:
                images = _on_rows(images, drawn.jitter & (order == code), step, values)
    return images


def _augment(images: Tensor, codes: np.ndarray, magnitudes: np.ndarray, fill: int) -> Tensor:
    """One of AutoAugment's operations on each image."""
    moving = np.isin(codes, [CODE[name] for name in _MOVING])
    if moving.any():
        names = [OPERATIONS[code] for code in codes[moving]]
        maps = affine_maps(names, magnitudes[moving], images.shape[-1])
        images = _on_rows(images, moving, lambda some: affine(some, maps, fill, some.shape[-1]))
    for name, step in _PIXEL_STEPS.items():
        # a change of brightness, color, contrast or sharpness says how far the factor is from 1
        values = 1 + magnitudes if name in _FACTORS else magnitudes
        images = _on_rows(images, codes == CODE[name], step, values)
    return images


def _brightness(images: Tensor, factors: Tensor) -> Tensor:
    return blend(images.new_zeros(()), images, factors[:, None, None, None])


def _contrast(images: Tensor, factors: Tensor) -> Tensor:
    return blend(mean_level(rgb_to_grayscale(images)), images, factors[:, None, None, None])


def _saturation(images: Tensor, factors: Tensor) -> Tensor:
    return blend(rgb_to_grayscale(images), images, factors[:, None, None, None])


def _sharpness(images: Tensor, factors: Tensor) -> Tensor:
    return blend(smooth(images), images, factors[:, None, None, None])


def _hue(images: Tensor, turns: Tensor) -> Tensor:
    if images.shape[1] == 1:
        return images
    return adjust_hue(images, (turns.double() * 255).trunc().remainder(256))


_JITTER_STEPS = (_brightness, _contrast, _saturation, _hue)  # in the order of parameters.JITTER
_MOVING = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
_FACTORS = ("brightness", "color", "contrast", "sharpness")
_PIXEL_STEPS: dict[str, Callable[..., Tensor]] = {
    "brightness": _brightness,
    "color": _saturation,
    "contrast": _contrast,
    "sharpness": _sharpness,
    "posterize": posterize,
    "solarize": solarize,
    "autocontrast": lambda images, _: autocontrast(images),
    "equalize": lambda images, _: equalize(images),
    "invert": lambda images, _: 255 - images,
}
