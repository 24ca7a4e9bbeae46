"""Pillow's operations on a batch of images, each image with parameters of its own: geometry, filters, colour.

Images are float tensors that hold whole numbers from 0 to 255. Every operation rounds as Pillow's does, so that the
result is the same whole number; sums stay below 2^24, where float32 is exact.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor
from torch.nn import functional

BOX_PASSES = 3
BOX_REACH = 2  # pixels; no box reaches further up to a standard deviation of 2, the views' largest
RED, GREEN, BLUE = 19595, 38470, 7471  # ITU-R 601 luminance: 0.299, 0.587, 0.114 in 65536ths


def round_half_up(values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Round to the nearest whole number, halves upwards, in place."""
    return values.add_(0.5).floor_()


# ---- geometry: crops, mirror images, shears, shifts, rotations


def resampling_weights(
    start: Int64[np.ndarray, " n"],
    length: Int64[np.ndarray, " n"],
    source: int,
    size: int,
    mirrored: Bool[np.ndarray, " n"],
    device: torch.device,
    dtype: torch.dtype,
) -> Float[Tensor, "n size source"]:
    """Matrices that cut a stretch out of a row of pixels, resize it and, where asked, turn it around.

    Row x holds how much each source pixel adds to pixel x of the result: a triangle around the place that x comes
    from, one source pixel wide on each side when enlarging and wider when reducing (Pillow's BILINEAR).

    Args:
        start: first pixel of the stretch.
        length: of the stretch in pixels.
        source: length of the row.
        size: length of the result.
        mirrored: whether the result is turned around.
        device: where the matrices are needed.
        dtype: of the matrices; in float64 their numbers have 22 binary places, as Pillow's.
    """
    start_, length_ = (
        torch.from_numpy(values).to(device, dtype, non_blocking=True)[:, None, None]
        for values in (start, length)
    )
    pixel = torch.arange(size, dtype=dtype, device=device)[:, None]
    turned = torch.from_numpy(mirrored).to(device, non_blocking=True)[:, None, None]
    pixel = torch.where(turned, size - 1 - pixel, pixel)
    scale = length_ / size
    centre = (pixel + 0.5) * scale
    place = torch.arange(source, dtype=dtype, device=device) + 0.5 - start_  # within the stretch
    weights = ((place - centre).abs_() / -scale.clamp(min=1)).add_(1).clamp_(min=0)
    weights *= (place > 0) & (place < length_)
    weights.div_(weights.sum(dim=2, keepdim=True))
    return weights if dtype == torch.float32 else round_half_up(weights.mul_(2**22)).div_(2**22)


def resized_crop(
    images: Float[Tensor, "n c height width"],
    window: Int64[np.ndarray, "n 4"],
    mirrored: Bool[np.ndarray, " n"],
    size: int,
) -> Float[Tensor, "n c size size"]:
    """Cut a window out of each image, resize it to ``size`` x ``size`` and mirror it where asked.

    Many results lie exactly between two levels, so that the last bit of a weight decides. When enlarging to 32 pixels
    all weights are multiples of 1/64 and float32 adds them up exactly; in general that takes float64. (From version
    13 on, Pillow reduces tall windows in the other order, which may change a level by one for each direction.)

    Args:
        images: whole numbers 0 to 255.
        window: top, left, height and width.
        mirrored: whether left and right change places.
        size: height and width of the result.
    """
    number, channels, height, width = images.shape
    enlarges_evenly = max(height, width) <= size <= 64 and size & (size - 1) == 0  # to a power of two
    dtype = torch.float32 if enlarges_evenly else torch.float64
    never = np.zeros_like(mirrored)
    across = resampling_weights(window[:, 1], window[:, 3], width, size, mirrored, images.device, dtype)
    down = resampling_weights(window[:, 0], window[:, 2], height, size, never, images.device, dtype)
    # first along the rows, then along the columns, rounded after each: as Pillow does
    rows = images.to(dtype).reshape(number, channels * height, width)
    rows = round_half_up(rows @ across.transpose(1, 2)).reshape(number, channels, height, size)
    return round_half_up(down[:, None] @ rows).to(images.dtype)


def window_maps(
    window: Int64[np.ndarray, "n 4"], mirrored: Bool[np.ndarray, " n"]
) -> Float64[np.ndarray, "n 6"]:
    """Affine maps (see ``affine_maps``) of windows that keep their size: a shift, and a mirror image where asked."""
    top, left, _, width = window.T
    maps = np.tile([1.0, 0.0, 0.0, 0.0, 1.0, 0.0], (len(window), 1))
    maps[:, 0] = np.where(mirrored, -1, 1)
    maps[:, 2] = np.where(mirrored, left + width, left)
    maps[:, 5] = top
    return maps


def cutout(
    images: Float[Tensor, "n c height width"], square: Int64[np.ndarray, "n 4"]
) -> Float[Tensor, "n c height width"]:
    """Blacken the rectangle from (top, left) to (bottom, right), those excluded, in each image."""
    top, left, bottom, right = (
        torch.from_numpy(square).to(images.device, non_blocking=True)[:, :, None].unbind(1)
    )
    row = torch.arange(images.shape[2], device=images.device)
    column = torch.arange(images.shape[3], device=images.device)
    rows = ((row >= top) & (row < bottom)).to(images.dtype)
    columns = ((column >= left) & (column < right)).to(images.dtype)
    return images * (1 - rows[:, None, :, None] * columns[:, None, None, :])


def affine_maps(
    operations: list[str], magnitudes: Float64[np.ndarray, " n"], size: int
) -> Float64[np.ndarray, "n 6"]:
    """Affine map of each image's operation: pixel (x, y) of the result is read at (a x + b y + c, d x + e y + f).

    Args:
        operations: ``shear_x``, ``shear_y``, ``translate_x``, ``translate_y`` or ``rotate``.
        magnitudes: tangent of the angle, pixels to the right or down, or degrees counter-clockwise.
        size: height and width of the images; rotations turn about their middle.
    """
    maps = np.tile([1.0, 0.0, 0.0, 0.0, 1.0, 0.0], (len(operations), 1))
    for row, (operation, magnitude) in enumerate(zip(operations, magnitudes, strict=True)):
        if operation == "shear_x":
            maps[row, 1] = magnitude
        elif operation == "shear_y":
            maps[row, 3] = magnitude
        elif operation == "translate_x":
            maps[row, 2] = -magnitude
        elif operation == "translate_y":
            maps[row, 5] = -magnitude
        else:
            cosine, sine = np.cos(np.radians(magnitude)), np.sin(np.radians(magnitude))
            middle = size / 2
            maps[row] = [
                cosine,
                -sine,
                middle - cosine * middle + sine * middle,
                sine,
                cosine,
                middle - sine * middle - cosine * middle,
            ]
    return maps


def affine(
    images: Float[Tensor, "n c height width"], maps: Float64[np.ndarray, "n 6"], fill: int, size: int
) -> Float[Tensor, "n c size size"]:
    """Read each pixel from the nearest source pixel of its image's affine map, or take the grey level ``fill``.

    Source positions have 16 binary places, as in Pillow, so that both take the same pixel.
    """
    number, channels, height, width = images.shape
    maps = maps.copy()
    maps[:, 2] += (maps[:, 0] + maps[:, 1]) / 2  # from the middle of a pixel
    maps[:, 5] += (maps[:, 3] + maps[:, 4]) / 2
    fixed = torch.from_numpy(np.floor(maps * 65536 + 0.5).astype(np.int32)).to(
        images.device, non_blocking=True
    )
    a, b, c, d, e, f = fixed[:, :, None, None].unbind(1)
    x = torch.arange(size, dtype=torch.int32, device=images.device)
    y = x[:, None]
    # a frame of one pixel in the colour of ``fill`` stands for everything outside
    source_x = ((a * x + b * y + c) >> 16).clamp_(-1, width).add_(1)
    source_y = ((d * x + e * y + f) >> 16).clamp_(-1, height).add_(1)
    framed = functional.pad(images, (1, 1, 1, 1), value=float(fill)).flatten(2)
    place = source_y.mul_(width + 2).add_(source_x).to(torch.int64).reshape(number, 1, size * size)
    moved = framed.gather(2, place.expand(-1, channels, -1))
    return moved.reshape(number, channels, size, size)


# ---- filters: smoothing and blurring


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


# ---- grey levels and colours


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
