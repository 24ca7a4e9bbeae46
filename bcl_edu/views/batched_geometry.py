"""Moving pixels, for a batch in which each image has its own crop, mirror image, shear, shift or rotation.

Images are float tensors that hold whole numbers from 0 to 255, as Pillow's bytes would be after each step.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor


def resampling_weights(
    start: Int64[np.ndarray, " n"],
    length: Int64[np.ndarray, " n"],
    source: int,
    size: int,
    mirrored: Bool[np.ndarray, " n"],
    device: torch.device,
) -> Float[Tensor, "n size source"]:
    """Matrices that cut a stretch out of a row of pixels, resize it and, where asked, turn it around.

    Row x holds how much each source pixel adds to pixel x of the result: a triangle around the place that x comes
    from, one source pixel wide on each side when enlarging and wider when reducing (Pillow's BILINEAR). A stretch
    of the result's own length is only shifted. Beyond the ends of the row everything is black.

    Args:
        start: first pixel of the stretch, may be negative.
        length: of the stretch in pixels.
        source: length of the row.
        size: length of the result.
        mirrored: whether the result is turned around.
        device: where the matrices are needed.
    """
    start_, length_ = (
        torch.from_numpy(values).to(device, torch.float32)[:, None, None] for values in (start, length)
    )
    pixel = torch.arange(size, dtype=torch.float32, device=device)[:, None]
    turned = torch.from_numpy(mirrored).to(device)[:, None, None]
    pixel = torch.where(turned, size - 1 - pixel, pixel)
    scale = length_ / size
    centre = (pixel + 0.5) * scale
    place = torch.arange(source, dtype=torch.float32, device=device) + 0.5 - start_  # within the stretch
    weights = ((place - centre).abs_() / -scale.clamp(min=1)).add_(1).clamp_(min=0)
    weights *= (place > 0) & (place < length_)
    return weights.div_(weights.sum(dim=2, keepdim=True).clamp_(min=1e-6))


def cut_windows(
    images: Float[Tensor, "n c h w"],
    window: Int64[np.ndarray, "n 4"],
    mirrored: Bool[np.ndarray, " n"],
    size: int,
) -> Float[Tensor, "n c size size"]:
    """Cut a window out of each image, resize it to ``size`` x ``size`` and mirror it where asked.

    Args:
        images: whole numbers 0 to 255.
        window: top, left, height and width; what lies outside the image is black.
        mirrored: whether left and right change places.
        size: height and width of the result.
    """
    number, channels, height, width = images.shape
    never = np.zeros_like(mirrored)
    across = resampling_weights(window[:, 1], window[:, 3], width, size, mirrored, images.device)
    down = resampling_weights(window[:, 0], window[:, 2], height, size, never, images.device)
    # first along the rows, then along the columns, rounded after each: as Pillow does
    rows = round_half_up(images.reshape(number, channels * height, width) @ across.transpose(1, 2))
    rows = rows.reshape(number, channels, height, size)
    return round_half_up(down[:, None] @ rows)


def mirror(images: Float[Tensor, "n c h w"], mirrored: Bool[np.ndarray, " n"]) -> Float[Tensor, "n c h w"]:
    """Exchange left and right where asked."""
    chosen = torch.from_numpy(mirrored).to(images.device)[:, None, None, None]
    return torch.where(chosen, images.flip(3), images)


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


def move(
    images: Float[Tensor, "n c size size"], maps: Float64[np.ndarray, "n 6"], fill: int
) -> Float[Tensor, "n c size size"]:
    """Read each pixel from the nearest source pixel of its image's affine map, or take the grey level ``fill``.

    Source positions have 16 binary places, as in Pillow, so that both take the same pixel.
    """
    number, channels, height, width = images.shape
    maps = maps.copy()
    maps[:, 2] += (maps[:, 0] + maps[:, 1]) / 2  # from the middle of a pixel
    maps[:, 5] += (maps[:, 3] + maps[:, 4]) / 2
    fixed = torch.from_numpy(np.floor(maps * 65536 + 0.5).astype(np.int32)).to(images.device)
    a, b, c, d, e, f = fixed[:, :, None, None].unbind(1)
    x = torch.arange(width, dtype=torch.int32, device=images.device)
    y = torch.arange(height, dtype=torch.int32, device=images.device)[:, None]
    source_x = (a * x + b * y + c) >> 16
    source_y = (d * x + e * y + f) >> 16
    inside = (source_x >= 0) & (source_x < width) & (source_y >= 0) & (source_y < height)
    place = torch.where(inside, source_y * width + source_x, 0).to(torch.int64)
    flat = images.reshape(number, channels, height * width)
    moved = flat.gather(2, place.reshape(number, 1, -1).expand(-1, channels, -1)).reshape(images.shape)
    return torch.where(inside[:, None], moved, float(fill))
