"""Moving pixels, for a batch in which each image has its own crop, mirror image, shear, shift or rotation.

Images are float tensors that hold whole numbers from 0 to 255, as Pillow's bytes would be after each step.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor
from torch.nn import functional


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


def round_half_up(values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """To the nearest whole number, a half upwards, in place."""
    return values.add_(0.5).floor_()


def affine_maps(
    operations: list[str], magnitudes: Float64[np.ndarray, " n"], size: int
) -> Float64[np.ndarray, "n 6"]:
    """Where pixel (x, y) of the result is read, (a x + b y + c, d x + e y + f), for each image.

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
