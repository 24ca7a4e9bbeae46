"""Smoothing and blurring, for a batch in which each image has its own strength.

Images are float tensors that hold whole numbers from 0 to 255.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from bcl_edu.views.batched_geometry import round_half_up

BOX_PASSES = 3


def smooth(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Weighted mean of 3x3 pixels, the middle one counted five times; the border stays (Pillow's SMOOTH)."""
    if min(images.shape[2:]) < 3:
        return images
    rows = images[:, :, :-2] + images[:, :, 1:-1] + images[:, :, 2:]
    total = rows[:, :, :, :-2] + rows[:, :, :, 1:-1] + rows[:, :, :, 2:]
    total.add_(images[:, :, 1:-1, 1:-1], alpha=4)
    result = images.clone()
    result[:, :, 1:-1, 1:-1] = round_half_up(total.div_(13))
    return result


def box_radius(sigma: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Radius of the box that, applied three times, spreads as far as a Gaussian.

    A radius of 1.5 means full weight for the pixel and its two neighbours, half weight for the next two.

    Source: Gwosdek et al., "Theoretical foundations of Gaussian convolution by extended box filtering" (SSVM 2011).
    """
    variance = sigma.square() / BOX_PASSES
    whole = (((12 * variance + 1).sqrt() - 1) / 2).floor()
    part = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance) / (6 * (variance - (whole + 1).square()))
    return whole + part


def box_matrices(radius: Float[Tensor, " n"], size: int) -> Float[Tensor, "n size size"]:
    """Matrices that blur a row of pixels with a box; beyond the ends the last pixel is repeated."""
    reach = math.ceil(radius.max().item()) if len(radius) else 0
    weights = torch.zeros(len(radius), size, size, dtype=radius.dtype, device=radius.device)
    place = torch.arange(size, device=radius.device)
    full = 1 / (2 * radius + 1)
    for offset in range(-reach, reach + 1):
        weight = full * (radius + 1 - abs(offset)).clamp(0, 1)
        source = (place + offset).clamp(0, size - 1)
        weights[:, place, source] += weight[:, None]
    return weights


def gaussian_blur(images: Float[Tensor, "n c h w"], sigma: Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
    """Blur each image with a standard deviation in pixels: three boxes along the rows, then three along the columns.

    Rounded after each box, as Pillow does.
    """
    number, channels, height, width = images.shape
    radius = box_radius(sigma.double())
    across = box_matrices(radius, width).float().transpose(1, 2)
    down = box_matrices(radius, height).float()[:, None]
    rows = images.reshape(number, channels * height, width)
    for _ in range(BOX_PASSES):
        rows = round_half_up(rows @ across)
    columns = rows.reshape(images.shape)
    for _ in range(BOX_PASSES):
        columns = round_half_up(down @ columns)
    return columns
