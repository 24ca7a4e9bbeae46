"""Sheets of small images as one picture: pixels go into a figure as a PNG, a tenth of the size of their numbers."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor


def image_sheet(
    columns: Sequence[Sequence[UInt8[Tensor, "channel height width"]]],
    size: tuple[int, int],
    *,
    rows: int,
    pitch: int,
) -> UInt8[Tensor, "sheet_height sheet_width 4"]:
    """Columns of images from the top down, RGBA; where there is no image, the page shows through.

    Args:
        columns: for each column its images, grey or RGB; more than `rows` are left out.
        size: height and width of every image.
        rows: images that a column has room for.
        pitch: pixels from one column's left edge to the next one's.

    Raises:
        ValueError: an image is neither grey nor RGB.
    """
    height, width = size
    sheet = torch.zeros(rows * (height + 1), len(columns) * pitch, 4, dtype=torch.uint8)
    for column, images in enumerate(columns):
        for row, image in enumerate(images[:rows]):
            if len(image) not in (1, 3):
                raise ValueError(f"images have {len(image)} channels; expected 1 (grey) or 3 (RGB)")
            top, left = row * (height + 1), column * pitch
            patch = sheet[top : top + height, left : left + width]
            patch[..., :3] = image.expand(3, -1, -1).permute(1, 2, 0)
            patch[..., 3] = 255
    return sheet


def png_uri(sheet: UInt8[Tensor, "height width 4"]) -> str:
    """An RGBA sheet as a data URI."""
    encoded = io.BytesIO()
    Image.fromarray(sheet.numpy()).save(encoded, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(encoded.getvalue()).decode("ascii")
