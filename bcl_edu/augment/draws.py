"""Chance without state: seeds derived from what they are for, and the random parameters of views drawn from them.

The parameters of a view are drawn for any number of images at once, before any is used, so that the batched views can
be checked, image by image, against another implementation that is given the same parameters.

A generator with state would tie a sample's views to the order in which samples are visited. Here a number is a hash of
(sample's seed, purpose, position): the same in any batch, worker or process, for one sample or a thousand at once, and
switching one operation off leaves the numbers of the others as they were.
"""

import hashlib
import math
from dataclasses import dataclass, fields
from enum import IntEnum, auto
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt64

from bcl_edu.augment.augmentations import CIFAR10_POLICY, CODE, OPERATIONS, SIGNED, magnitude_of
from bcl_edu.augment.policies import Augmentation, CropScale

BLUR_SIGMA = (0.1, 2.0)  # pixels
ASPECT_RATIO = (3 / 4, 4 / 3)
CROP_ATTEMPTS = 10  # rectangles tried before the whole image is taken
JITTER = ("brightness", "contrast", "saturation", "hue")
RANDAUGMENT_OPERATIONS = tuple(name for name in OPERATIONS if name != "invert")
RANDAUGMENT_STRONGEST = 30
_IS_SIGNED = np.array([name in SIGNED for name in OPERATIONS])

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio, the step of SplitMix64
_MULTIPLY_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLY_2 = np.uint64(0x94D049BB133111EB)
_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)


def derive_seed(*parts: int | str) -> int:
    """A 63-bit seed from the run's seed and what it is used for.

    The first eight bytes of SHA-256 over the parts, so that neighbouring seeds, epochs and samples give unrelated
    streams, on every platform and in every process alike.
    """
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def _mix(bits: UInt64[np.ndarray, "..."]) -> UInt64[np.ndarray, "..."]:
    """Scramble 64 bits reversibly, so that each input bit flips about half of the output bits."""
    bits = (bits ^ (bits >> _SHIFT_1)) * _MULTIPLY_1
    bits = (bits ^ (bits >> _SHIFT_2)) * _MULTIPLY_2
    return bits ^ (bits >> _SHIFT_3)


def uniforms(seeds: UInt64[np.ndarray, " n"], purpose: int, count: int) -> Float64[np.ndarray, "n count"]:
    """Independent numbers, uniform on [0, 1), for each seed.

    Args:
        seeds: one unsigned 64-bit seed a sample, shape (n,).
        purpose: what the numbers are for; another purpose gives unrelated numbers.
        count: how many numbers each sample gets; the first ones do not depend on it.

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014), Fig. 16.
    """
    # arrays, not scalars: numpy lets arrays of unsigned integers wrap around in silence, as is meant here
    purposes = np.array([purpose + 1], dtype=np.uint64)
    streams = _mix(seeds ^ _mix(purposes * _GOLDEN))
    positions = np.arange(1, count + 1, dtype=np.uint64)
    bits = _mix(streams[:, None] + positions * _GOLDEN)
    return (bits >> np.uint64(11)) * 2.0**-53  # a double holds 53 bits


class Purpose(IntEnum):
    """Purpose of a random number; view 1's crop and view 2's crop are different purposes."""

    CROP = 0
    FLIP = auto()
    JITTER = auto()
    GREY = auto()
    AUGMENT = auto()
    BLUR = auto()
    NOISE = auto()
    CUTOUT = auto()


@dataclass(frozen=True)
class ViewParameters:
    """Everything random about one view of n samples; a step that the recipe leaves out is None.

    Attributes:
        window: top, left, height and width of the crop; negative or too large where it reaches into the padding.
        flip: whether the image is mirrored.
        jitter: whether colours are jittered.
        jitter_order: the order of brightness (0), contrast (1), saturation (2) and hue (3).
        jitter_values: their three factors and the turn of the hue (1 is the whole circle).
        grey: whether the image turns grey.
        operations: codes of the augmentations in order, 0 (identity) where chance left one out.
        magnitudes: their magnitudes, with sign.
        blur: standard deviation in pixels, 0 for none.
        noise: what is added to each pixel, in grey levels, shape (n, channels * height * width).
        cutout: top, left, bottom and right of the black rectangle (bottom and right excluded).
    """

    window: Int64[np.ndarray, "n 4"] | None = None
    flip: Bool[np.ndarray, " n"] | None = None
    jitter: Bool[np.ndarray, " n"] | None = None
    jitter_order: Int64[np.ndarray, "n 4"] | None = None
    jitter_values: Float64[np.ndarray, "n 4"] | None = None
    grey: Bool[np.ndarray, " n"] | None = None
    operations: Int64[np.ndarray, "n steps"] | None = None
    magnitudes: Float64[np.ndarray, "n steps"] | None = None
    blur: Float64[np.ndarray, " n"] | None = None
    noise: Int64[np.ndarray, "n pixels"] | None = None
    cutout: Int64[np.ndarray, "n 4"] | None = None

    def rows(self, part: slice) -> "ViewParameters":
        """The parameters of some of the samples."""
        drawn = {field.name: getattr(self, field.name) for field in fields(self)}
        return ViewParameters(**{name: v if v is None else v[part] for name, v in drawn.items()})


def draw_parameters(
    recipe: Augmentation,
    seeds: UInt64[np.ndarray, " n"],
    view: int,
    image_shape: tuple[int, int, int],
    image_size: int,
) -> ViewParameters:
    """Draw the parameters of one view for each sample's seed.

    Args:
        recipe: what the view does.
        seeds: one seed a sample, shape (n,).
        view: 0, 1 or 2; the same seed gives unrelated parameters in another view.
        image_shape: channels, height and width of the stored images.
        image_size: height and width of the view.
    """
    channels, height, width = image_shape

    def draw(purpose: Purpose, count: int) -> Float64[np.ndarray, "n count"]:
        return uniforms(seeds, view * len(Purpose) + purpose, count)

    drawn: dict[str, np.ndarray] = {}
    if recipe.crop_scale is not None:
        numbers = draw(Purpose.CROP, 2 * CROP_ATTEMPTS + 2)
        drawn["window"] = _resized_crop(numbers, recipe.crop_scale, height, width)
    elif recipe.padding:
        drawn["window"] = _padded_crop(draw(Purpose.CROP, 2), recipe.padding, height, width, image_size)
    if recipe.flip:
        drawn["flip"] = draw(Purpose.FLIP, 1)[:, 0] < recipe.flip
    if recipe.jitter_probability:
        numbers = draw(Purpose.JITTER, 9)
        largest = np.array(recipe.jitter)
        drawn["jitter"] = numbers[:, 0] < recipe.jitter_probability
        drawn["jitter_order"] = numbers[:, 1:5].argsort(axis=1)
        # factors around 1 and never negative, the hue's turn around 0
        low = np.maximum(np.array([1.0, 1.0, 1.0, 0.0]) - largest, [0.0, 0.0, 0.0, -0.5])
        high = np.array([1.0, 1.0, 1.0, 0.0]) + largest
        drawn["jitter_values"] = low + numbers[:, 5:] * (high - low)
    if recipe.grey:
        drawn["grey"] = draw(Purpose.GREY, 1)[:, 0] < recipe.grey
    if recipe.augment == "autoaugment":
        numbers = draw(Purpose.AUGMENT, 5)
        drawn["operations"], drawn["magnitudes"] = _auto_augment(numbers, image_size)
    elif recipe.augment == "randaugment":
        steps, magnitude = recipe.randaugment
        numbers = draw(Purpose.AUGMENT, 2 * steps)
        drawn["operations"], drawn["magnitudes"] = _rand_augment(numbers, magnitude, image_size)
    elif recipe.augment == "rotation":
        angles = recipe.rotation * (2 * draw(Purpose.AUGMENT, 1) - 1)
        drawn["operations"], drawn["magnitudes"] = np.full(angles.shape, CODE["rotate"]), angles
    if recipe.blur:
        numbers = draw(Purpose.BLUR, 2)
        low_sigma, high_sigma = BLUR_SIGMA
        sigma = low_sigma + numbers[:, 1] * (high_sigma - low_sigma)
        drawn["blur"] = np.where(numbers[:, 0] < recipe.blur, sigma, 0.0)
    if recipe.noise:
        numbers = draw(Purpose.NOISE, channels * image_size * image_size)
        drawn["noise"] = np.floor(numbers * (2 * recipe.noise + 1)).astype(np.int64) - recipe.noise
    if recipe.cutout:
        drawn["cutout"] = _cutout(draw(Purpose.CUTOUT, 2), recipe.cutout, image_size)
    return ViewParameters(**drawn)


def _padded_crop(
    numbers: Float64[np.ndarray, "n 2"], padding: int, height: int, width: int, image_size: int
) -> Int64[np.ndarray, "n 4"]:
    room = np.array([height, width]) + 2 * padding - image_size
    if room.min() < 0:
        raise ValueError(
            f"an image of {height}x{width} pixels with a border of {padding} has no window of "
            f"{image_size}x{image_size}; build the policy with image_size={min(height, width)}"
        )
    corner = np.floor(numbers * (room + 1)).astype(np.int64) - padding
    return np.concatenate([corner, np.full_like(corner, image_size)], axis=1)


def _resized_crop(
    numbers: Float64[np.ndarray, "n 22"], scale: CropScale, height: int, width: int
) -> Int64[np.ndarray, "n 4"]:
    """The first of ten random rectangles that fits, else the largest central one of an allowed shape."""
    low, high = scale
    low_ratio, high_ratio = (math.log(ratio) for ratio in ASPECT_RATIO)
    area = height * width * (low + numbers[:, :CROP_ATTEMPTS] * (high - low))
    ratio = np.exp(low_ratio + numbers[:, CROP_ATTEMPTS:-2] * (high_ratio - low_ratio))
    # the fallback stands in the last column: it is taken when no attempt fits
    widest, tallest = round(height * ASPECT_RATIO[1]), round(width / ASPECT_RATIO[0])
    widths = np.column_stack([np.rint(np.sqrt(area * ratio)), np.full(len(area), min(width, widest))])
    heights = np.column_stack([np.rint(np.sqrt(area / ratio)), np.full(len(area), min(height, tallest))])
    fits = (widths >= 1) & (widths <= width) & (heights >= 1) & (heights <= height)
    first = fits.argmax(axis=1)
    rows = np.arange(len(first))
    size = np.column_stack([heights[rows, first], widths[rows, first]])
    room = np.array([height, width]) - size
    corner = np.floor(numbers[:, -2:] * (room + 1))
    corner = np.where((first == CROP_ATTEMPTS)[:, None], room // 2, corner)
    return np.concatenate([corner, size], axis=1).astype(np.int64)


@lru_cache
def _auto_augment_table(image_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes, probabilities and magnitudes of the 25 sub-policies, each of shape (25, 2)."""
    steps = [step for pair in CIFAR10_POLICY for step in pair]
    codes = np.array([CODE[name] for name, _, _ in steps])
    chances = np.array([chance for _, chance, _ in steps])
    magnitudes = np.array([magnitude_of(name, tenth / 9, image_size, image_size) for name, _, tenth in steps])
    return codes.reshape(-1, 2), chances.reshape(-1, 2), magnitudes.reshape(-1, 2)


@lru_cache
def _rand_augment_table(magnitude: int, image_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes and magnitudes of RandAugment's operations."""
    strength = magnitude / RANDAUGMENT_STRONGEST
    magnitudes = [magnitude_of(name, strength, image_size, image_size) for name in RANDAUGMENT_OPERATIONS]
    return np.array([CODE[name] for name in RANDAUGMENT_OPERATIONS]), np.array(magnitudes)


def _auto_augment(
    numbers: Float64[np.ndarray, "n 5"], image_size: int
) -> tuple[Int64[np.ndarray, "n 2"], Float64[np.ndarray, "n 2"]]:
    codes, chances, magnitudes = _auto_augment_table(image_size)
    chosen = np.floor(numbers[:, 0] * len(codes)).astype(np.int64)
    operations = np.where(numbers[:, 1:3] < chances[chosen], codes[chosen], CODE["identity"])
    return operations, _with_sign(operations, magnitudes[chosen], numbers[:, 3:])


def _rand_augment(
    numbers: Float64[np.ndarray, "n numbers"], magnitude: int, image_size: int
) -> tuple[Int64[np.ndarray, "n steps"], Float64[np.ndarray, "n steps"]]:
    codes, magnitudes = _rand_augment_table(magnitude, image_size)
    steps = numbers.shape[1] // 2
    chosen = np.floor(numbers[:, :steps] * len(codes)).astype(np.int64)
    return codes[chosen], _with_sign(codes[chosen], magnitudes[chosen], numbers[:, steps:])


def _with_sign(
    operations: Int64[np.ndarray, "n steps"],
    magnitudes: Float64[np.ndarray, "n steps"],
    numbers: Float64[np.ndarray, "n steps"],
) -> Float64[np.ndarray, "n steps"]:
    return np.where(_IS_SIGNED[operations] & (numbers < 0.5), -magnitudes, magnitudes)


def _cutout(numbers: Float64[np.ndarray, "n 2"], side: int, image_size: int) -> Int64[np.ndarray, "n 4"]:
    """A square whose centre is any pixel, clipped at the border: so it is often smaller than side x side."""
    centre = np.floor(numbers * image_size).astype(np.int64)
    corner = centre - side // 2
    return np.concatenate([corner, corner + side], axis=1).clip(0, image_size)
