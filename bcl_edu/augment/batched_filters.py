"""Smoothing and blurring, for a batch in which each image has its own strength.

Images are float tensors that hold whole numbers from 0 to 255.
"""

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from bcl_edu.augment.batched_geometry import round_half_up

BOX_PASSES = 3
BOX_REACH = 2  # pixels; no box reaches further up to a standard deviation of 2, the views' largest


def smooth(images: Float[Tensor, "n c height width"]) -> Float[Tensor, "n c height width"]:
    """Weighted mean of 3x3 pixels, the middle one counted five times; the border stays (Pillow's SMOOTH)."""
    if min(images.shape[2:]) < 3:
        return images
    rows = images[:, :, :-2] + images[:, :, 1:-1] + images[:, :, 2:]
    total = rows[:, :, :, :-2] + rows[:, :, :, 1:-1] + rows[:, :, :, 2:]
    total.add_(images[:, :, 1:-1, 1:-1], alpha=4)
    result = images.clone()
    result[:, :, 1:-1, 1:-1] = round_half_up(total.div_(13))
    return result


def box_weights(sigma: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, "n reach"]:
    """The box that, applied three times, spreads as far as a Gaussian: what a pixel 0, 1 or 2 places away adds.

    The box's radius need not be whole: 1.5 means full weight for the pixel and its two neighbours, half weight for
    the next two. Weights have 24 binary places, as in Pillow.

    Args:
        sigma: standard deviation of the Gaussian in pixels, from 0 to 2.

    Source: Gwosdek et al., "Theoretical foundations of Gaussian convolution by extended box filtering" (SSVM 2011).
    """
    variance = sigma**2 / BOX_PASSES
    whole = np.floor((np.sqrt(12 * variance + 1) - 1) / 2)
    part = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance) / (6 * (variance - (whole + 1) ** 2))
    full_weight = np.floor(2**24 / (2 * (whole + part) + 1)) / 2**24
    last_weight = (1 - (2 * whole + 1) * full_weight) / 2
    distance = np.arange(BOX_REACH + 1)
    inside, last = distance <= whole[:, None], distance == whole[:, None] + 1
    return inside * full_weight[:, None] + last * last_weight[:, None]


def blur_rows(
    images: Float[Tensor, "n c height width"], weights: Float[Tensor, "n reach"]
) -> Float[Tensor, "n c height width"]:
    """Blur each row three times with its image's box; beyond the ends the last pixel is repeated."""
    number, channels, height, width = images.shape
    pixel = torch.arange(width, device=images.device)
    # neighbours[k, x, y]: how often pixel y is k places away from pixel x
    neighbours = torch.zeros(BOX_REACH + 1, width, width, device=images.device)
    for k in range(BOX_REACH + 1):
        for offset in {-k, k}:
            neighbours[k, pixel, (pixel + offset).clamp(0, width - 1)] += 1
    across = torch.tensordot(weights, neighbours, dims=1).transpose(1, 2)
    rows = images.reshape(number, channels * height, width)
    for _ in range(BOX_PASSES):
        rows = round_half_up(rows @ across)
    return rows.reshape(images.shape)


def blur_columns(
    images: Float[Tensor, "n c height width"], weights: Float[Tensor, "n reach"]
) -> Float[Tensor, "n c height width"]:
    """Likewise each column; whole rows of pixels are added here, faster than a matrix product."""
    height = images.shape[2]
    weight = weights[:, :, None, None, None].unbind(1)
    for _ in range(BOX_PASSES):
        framed = torch.cat([images[:, :, :1]] * BOX_REACH + [images] + [images[:, :, -1:]] * BOX_REACH, dim=2)
        images = images * weight[0]
        for k in range(1, BOX_REACH + 1):
            above = framed[:, :, BOX_REACH - k : BOX_REACH - k + height]
            below = framed[:, :, BOX_REACH + k : BOX_REACH + k + height]
            images += (above + below).mul_(weight[k])
        images = round_half_up(images)
    return images


def gaussian_blur(
    images: Float[Tensor, "n c height width"], weights: Float[Tensor, "n reach"]
) -> Float[Tensor, "n c height width"]:
    """Blur each image, along the rows and then along the columns, rounded after each box as Pillow does.

    Args:
        images: whole numbers 0 to 255.
        weights: each image's ``box_weights``.
    """
    return blur_columns(blur_rows(images, weights), weights)
