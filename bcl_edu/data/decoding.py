"""From an image file to uint8 pixels: which formats are read, which conversions are made, which files are refused."""

import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from bcl_edu.files import explain_error, open_regular

Result = TypeVar("Result")

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "TGA", "ICO", "AVIF", "DIB", "MPO")
"""Raster formats, as Pillow names them. Others are not tried: for some, such as EPS, Pillow starts another program."""

LARGEST_PIXELS = 178_956_970
"""Pixels of the largest image that is decoded: Pillow's own limit, twice its ``MAX_IMAGE_PIXELS``."""

# modes in which Pillow returns one 16-bit (or wider) channel
_DEEP_GREY = ("I", "I;16", "I;16L", "I;16B", "I;16N")

# pixels of a picture after its short side was resized; beyond it, the centre is cut out before resizing
_LARGEST_RESIZED = 64 * 10**6


def decode_image(path: Path, image_size: int | None = None, *, upright: bool = False) -> NDArray[np.uint8]:
    """Pixels of one image file, shape (1, height, width) if it is grey and (3, height, width) if it is in colour.

    - Bilevel and grey images are grey; palettes, CMYK and other colour spaces become RGB.
    - Transparency is composited over black: what lies under a transparent pixel is arbitrary.
    - 16-bit grey is scaled so that 65535 becomes 255. (16-bit colour Pillow itself cuts to its high bytes.)
    - Of an animation the first frame is read.

    Args:
        path: a file in one of FORMATS, whatever its name.
        image_size: if given, the short side is resized to it (bicubic) and the centre square is cut out.
        upright: turn and mirror it as the orientation in its EXIF data says; damaged EXIF data say nothing. Published
            data sets are read as they are stored, as torchvision's ImageFolder does.

    Raises:
        ValueError: the file is missing, damaged, too large, no image or no regular file, or its pixels are
            floating-point or wider than 16 bits.
    """
    image = _open(path, upright)
    if image_size is not None:
        image = _resized_centre(image, image_size, image_size, Image.Resampling.BICUBIC, round)
    pixels = np.asarray(image)
    return pixels[None] if image.mode == "L" else pixels.transpose(2, 0, 1)


def open_picture(path: Path, *, upright: bool = False) -> Image.Image:
    """One image file as RGB picture, with the conversions of ``decode_image``; grey repeats its channel.

    Args:
        path: as for ``decode_image``.
        upright: likewise.

    Raises:
        ValueError: as ``decode_image``.
    """
    return _open(path, upright).convert("RGB")


def image_dimensions(path: Path) -> tuple[int, int]:
    """Width and height of an image file as it is stored, from its header alone.

    Raises:
        ValueError: as ``decode_image``, as far as a header tells.
    """
    return _with_image(path, lambda image: image.size)


def resize_center_crop(picture: Image.Image, image_size: int) -> Image.Image:
    """The part of a photograph that is evaluated: short side resized to 256/224 of ``image_size``, centre square.

    At 224 this equals torchvision's Resize(256) and CenterCrop(224) to the last bit, except for pictures so
    elongated that they would exceed 64 megapixels after resizing: of these the centre is cut out first.
    """
    short = max(image_size, round(image_size * 256 / 224))
    return _resized_centre(picture, image_size, short, Image.Resampling.BILINEAR, int)


def _resized_centre(
    picture: Image.Image,
    side: int,
    short: int,
    filter: Image.Resampling,
    whole: Callable[[float], int],
) -> Image.Image:
    """Resize the short side to ``short`` and cut out the centre square; ``whole`` rounds the long side."""
    shortest = min(picture.size)
    width, height = (
        short if length == shortest else max(short, whole(short * length / shortest))
        for length in picture.size
    )
    if width * height > _LARGEST_RESIZED:
        half = side * shortest / short / 2
        across, down = (length / 2 for length in picture.size)
        box = (across - half, down - half, across + half, down + half)
        return picture.resize((side, side), filter, box=box)
    left, top = round((width - side) / 2), round((height - side) / 2)
    resized = picture.resize((width, height), filter)
    return resized.crop((left, top, left + side, top + side))


def _open(path: Path, upright: bool) -> Image.Image:
    def load(image: Image.Image) -> Image.Image:
        image.load()
        turn = _to_turn_upright(image) if upright else None
        return _eight_bit(image) if turn is None else _eight_bit(image).transpose(turn)

    return _with_image(path, load)


def _to_turn_upright(image: Image.Image) -> Image.Transpose | None:
    """The transposition that turns a picture upright; None if it needs none, or its EXIF data are damaged."""
    try:
        return _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation))
    except _DAMAGED_EXIF:
        return None


_DAMAGED_EXIF = (
    *(struct.error, KeyError, SyntaxError, TypeError, ValueError, ZeroDivisionError),
    IndexError,
    UserWarning,
)
"""Errors that mean damaged EXIF data: those that Pillow catches itself when it reads a resolution there, IndexError for
a damaged header, and its warning of other damage, where warnings are errors."""


_UPRIGHT: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Transpositions by the EXIF tag Orientation; 1 is upright."""


@cache
def _readable_formats() -> tuple[str, ...]:
    """The members of FORMATS that this build of Pillow can read."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _with_image(path: Path, use: Callable[[Image.Image], Result]) -> Result:
    try:
        with open_regular(path) as file, Image.open(file, formats=_readable_formats()) as opened:
            if opened.width * opened.height > LARGEST_PIXELS:
                raise Image.DecompressionBombError
            return use(opened)
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"cannot read the image {path}: it has more than {LARGEST_PIXELS // 10**6} megapixels; save a smaller "
            "copy of it, since no network here sees more than a few hundred pixels a side"
        ) from error
    except UnidentifiedImageError as error:
        raise ValueError(f"cannot read the image {path}: it is none of {', '.join(FORMATS)}") from error
    except Exception as error:  # Pillow's plugins raise many types for damaged files
        reason = explain_error(error).replace(f"{path}: ", "")
        raise ValueError(f"cannot read the image {path}: {reason}") from error


def _eight_bit(image: Image.Image) -> Image.Image:
    """The same image in mode L or RGB."""
    if image.mode in _DEEP_GREY:
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(f"grey values {values.min()}..{values.max()} do not fit 16 bits (0..65535)")
        return Image.fromarray(((values + 128) // 257).astype(np.uint8))  # 65535 = 257 * 255, rounded
    if image.mode == "F":
        raise ValueError("its pixels are floating-point; convert it to 8 or 16 bits, whose range is known")
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        composited = Image.alpha_composite(black, opaque)
        return composited.convert("L" if image.mode in ("L", "LA", "La", "1") else "RGB")
    return image.convert("L" if image.mode in ("L", "1") else "RGB")
