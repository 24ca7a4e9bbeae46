"""Changing grey levels and colours, for a batch in which each image has its own factor.

Images are float tensors that hold whole numbers from 0 to 255; every step rounds as Pillow's does, so that the
result is the same whole number. All sums stay below 2^24, where float32 is exact.
"""

import torch
from jaxtyping import Float
from torch import Tensor

RED, GREEN, BLUE = 19595, 38470, 7471  # ITU-R 601 luminance: 0.299, 0.587, 0.114 in 65536ths


def rgb_to_grayscale(images: Float[Tensor, "n c height width"]) -> Float[Tensor, "n 1 h w"]:
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
    origin: Tensor, images: Float[Tensor, "n c height width"], factors: Tensor
) -> Float[Tensor, "n c height width"]:
    """origin + factor (image - origin), cut off to whole numbers from 0 to 255.

    Brightness moves away from black, contrast from the mean level, saturation from the grey image, sharpness from
    the smoothed one. ``origin`` and ``factors`` need only be broadcastable to the images' shape.
    """
    return (images - origin).mul_(factors).add_(origin).clamp_(0, 255).floor_()


def adjust_hue(images: Float[Tensor, "n 3 h w"], steps: Float[Tensor, " n"]) -> Float[Tensor, "n 3 h w"]:
    """Turn each image's hue by a whole number (0 to 255) of 256ths of the circle.

    Through bytes of hue, saturation and value, as Pillow does; equal to Pillow for every colour and every turn.
    """
    red, green, blue = images.unbind(1)
    highest = torch.maximum(torch.maximum(red, green), blue)
    chroma = highest - torch.minimum(torch.minimum(red, green), blue)
    # which channel is highest, the first of equals: exactly one of three masks is 1 at each pixel
    # (comparisons written into floats: on a CPU, booleans take several times as long)
    red_highest = red.clone().eq_(highest)
    green_highest = green.clone().eq_(highest).mul_(1 - red_highest)
    blue_highest = 1 - red_highest - green_highest
    lead = red_highest * (green - blue)  # of the channel that follows on the circle over the one before
    lead.add_((blue - red).mul_(green_highest)).add_((red - green).mul_(blue_highest))

    # hue in sixths of the circle: the highest channel's 0, 2 or 4 plus lead / chroma, but rounded once, as Pillow
    # does, by way of the neighbouring odd number and what is missing to it
    side = lead.sign()
    missing = (chroma - lead.abs()).div_(chroma.clamp(min=1))
    sixths = side.add(green_highest, alpha=2).add_(blue_highest, alpha=4).sub_(missing.mul_(side))
    circle = sixths.div_(6)
    circle.sub_(circle.floor())
    hue = circle.mul_(255).floor_()
    saturation = (chroma * 255).div_(highest.clamp(min=1)).floor_()

    hue.add_(steps[:, None, None])
    hue.sub_((hue / 256).floor_(), alpha=256)

    # back: how much of the chroma a channel lacks, in 85ths, depends on the way from where it lacks all of it
    # (red at cyan, green at magenta, blue at yellow) around a circle of 510
    opposite = torch.tensor([255.0, 425.0, 85.0]).to(hue.device, non_blocking=True)[:, None, None]
    lack = hue.mul_(2)[:, None].sub(opposite).abs_().sub_(255).abs_().sub_(85).clamp_(0, 85)
    # value (1 - saturation/255 lack/85), rounded: with the denominator 255 * 85 = 21675 all numbers are exact
    scaled = (21675 * highest).add_(10837.5)
    return lack.mul_((-saturation * highest)[:, None]).add_(scaled[:, None]).div_(21675).floor_()


def posterize(
    images: Float[Tensor, "n c height width"], bits: Float[Tensor, " n"]
) -> Float[Tensor, "n c height width"]:
    """Keep each level's highest bits."""
    step = (2 ** (8 - bits))[:, None, None, None]
    return (images / step).floor_().mul_(step)


def solarize(
    images: Float[Tensor, "n c height width"], threshold: Float[Tensor, " n"]
) -> Float[Tensor, "n c height width"]:
    """Invert the levels from the threshold on."""
    inverted = images.clone().ge_(threshold[:, None, None, None])
    return inverted.mul_(255 - 2 * images).add_(images)


def autocontrast(images: Float[Tensor, "n c height width"]) -> Float[Tensor, "n c height width"]:
    """Stretch each channel's levels over 0 to 255; a channel of one level stays."""
    low = images.amin(dim=(2, 3), keepdim=True).double()
    high = images.amax(dim=(2, 3), keepdim=True).double()
    flat = high == low
    # levels fall on whole numbers and are cut off, so the product is rounded as in Pillow: in 64 bits, and not as
    # 255 / range, which torch computes as 255 times a rounded reciprocal
    scale = torch.where(flat, 1.0, torch.full_like(low, 255) / (high - low))
    offset = torch.where(flat, 0.0, low * scale)
    return (images.double() * scale).sub_(offset).clamp_(0, 255).floor_().to(images.dtype)


def equalize(images: Float[Tensor, "n c height width"]) -> Float[Tensor, "n c height width"]:
    """Replace each level by its rank, so that each channel's levels spread evenly (Pillow's rounding)."""
    number, channels, height, width = images.shape
    levels = images.reshape(number * channels, height * width).long()
    counts = torch.zeros(number * channels, 256, dtype=torch.int64, device=images.device)
    counts.scatter_add_(1, levels, torch.ones_like(levels))
    highest = levels.amax(dim=1, keepdim=True)
    step = (height * width - counts.gather(1, highest)) // 255
    below = counts.cumsum(dim=1) - counts
    ranks = ((below + step // 2) // step.clamp(min=1)).clamp_(max=255)
    # a step of 0 (nearly all pixels at the highest level) leaves the channel as it is
    table = torch.where(step > 0, ranks, torch.arange(256, device=images.device))
    return table.to(images.dtype).gather(1, levels).reshape(images.shape)
