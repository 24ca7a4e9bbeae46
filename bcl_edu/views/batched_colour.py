"""Changing grey levels and colours, for a batch in which each image has its own factor.

Images are float tensors that hold whole numbers from 0 to 255; every step rounds as Pillow's does, so that the
result is the same whole number. All sums stay below 2^24, where float32 is exact.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

RED, GREEN, BLUE = 19595, 38470, 7471  # ITU-R 601 luminance: 0.299, 0.587, 0.114 in 65536ths


def luminance(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 1 h w"]:
    """Grey level of each pixel, rounded; a grey image's own."""
    if images.shape[1] == 1:
        return images
    level = images[:, 0:1] * (RED / 65536)  # in 65536ths a sum needs 24 bits: exact
    level.add_(images[:, 1:2], alpha=GREEN / 65536).add_(images[:, 2:3], alpha=BLUE / 65536)
    return level.add_(0.5).floor_()


def mean_level(grey: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 1 1"]:
    """Mean of each image's grey levels, rounded."""
    return grey.mean(dim=(2, 3), keepdim=True).add_(0.5).floor_()


def blend(
    origin: Float[Tensor, "n #c #h #w"], images: Float[Tensor, "n c h w"], factors: Float[Tensor, " n"]
) -> Float[Tensor, "n c h w"]:
    """origin + factor (image - origin), cut off to whole numbers from 0 to 255.

    Brightness moves away from black, contrast from the mean level, saturation from the grey image, sharpness from
    the smoothed one.
    """
    return (images - origin).mul_(factors[:, None, None, None]).add_(origin).clamp_(0, 255).floor_()


def turn_hue(images: Float[Tensor, "n 3 h w"], steps: Int[Tensor, " n"]) -> Float[Tensor, "n 3 h w"]:
    """Turn each image's hue by a number of 256ths of the circle.

    Through bytes of hue, saturation and value, as Pillow does. Hue and saturation are cut off to bytes from
    values that are often whole numbers, so they are computed in Pillow's mixture of precisions: 64 bits where a
    32-bit result would be rounded up to the next byte.
    """
    highest = images.amax(dim=1)
    chroma = highest - images.amin(dim=1)
    below = (
        (highest[:, None] - images).div_(chroma.clamp(min=1)[:, None]).double()
    )  # 0 at the highest channel
    red, green, blue = below.unbind(1)
    sixths = torch.where(green == 0, 2 + red - blue, 4 + green - red)
    sixths = torch.where(red == 0, blue - green, sixths).float()
    circle = sixths.double().div_(6)
    circle += circle < 0
    hue = (circle.float().double() * 255).floor_().float()
    hue = hue.mul_(chroma > 0)  # grey pixels: hue 0
    saturation = ((chroma / highest.clamp(min=1)).double() * 255).floor_().float()

    hue += steps[:, None, None]
    hue -= 256 * (hue >= 256)

    # back: the position on the circle in 85ths of a sixth, seen from where each channel is lowest
    origin = torch.tensor([5 * 85, 3 * 85, 85], dtype=hue.dtype, device=hue.device)[:, None, None]
    position = 2 * hue[:, None] + origin
    position -= 510 * (position >= 510)
    lack = torch.minimum(position, 340 - position).clamp_(0, 85)
    # value (1 - saturation/255 lack/85), rounded: with the denominator 255 * 85 = 21675 nothing is lost
    result = (21675 - saturation[:, None] * lack).mul_(2 * highest[:, None]).add_(21675)
    return result.div_(43350).floor_()


def posterize(images: Float[Tensor, "n c h w"], bits: Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
    """Keep each level's highest bits."""
    step = (2 ** (8 - bits))[:, None, None, None]
    return (images / step).floor_().mul_(step)


def solarize(images: Float[Tensor, "n c h w"], threshold: Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
    """Invert the levels from the threshold on."""
    return torch.where(images < threshold[:, None, None, None], images, 255 - images)


def autocontrast(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Stretch each channel's levels over 0 to 255; a channel of one level stays."""
    low = images.amin(dim=(2, 3), keepdim=True)
    high = images.amax(dim=(2, 3), keepdim=True)
    # levels fall on whole numbers and are cut off, so the product is rounded as in Pillow: in 64 bits
    range_ = (high - low).double()
    scale = torch.full_like(range_, 255) / range_  # 255 / range_ would be 255 times a rounded reciprocal
    stretched = (images.double() * scale).sub_(low * scale).clamp_(0, 255).floor_()
    return torch.where(high > low, stretched.to(images.dtype), images)


def equalize(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Replace each level by its rank, so that each channel's levels spread evenly (Pillow's rounding)."""
    number, channels, height, width = images.shape
    levels = images.reshape(number * channels, height * width).long()
    counts = torch.zeros(number * channels, 256, dtype=torch.int64, device=images.device)
    counts.scatter_add_(1, levels, torch.ones_like(levels))
    highest = levels.amax(dim=1, keepdim=True)
    step = (height * width - counts.gather(1, highest)) // 255
    below = counts.cumsum(dim=1) - counts
    # a step of 0 (nearly all pixels at the highest level) leaves the channel as it is
    table = (below + step // 2) // step.clamp(min=1)
    ranks = table.clamp_(max=255).gather(1, levels)
    return torch.where(step > 0, ranks, levels).reshape(images.shape).to(images.dtype)
