"""From an image file to uint8 pixels: which conversions are made, and which files are refused."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# modes in which Pillow returns one 16-bit (or wider) channel
_DEEP_GREY = ("I", "I;16", "I;16L", "I;16B", "I;16N")


def decode_image(path: Path, image_size: int | None = None) -> NDArray[np.uint8]:
    """Pixels of one image file, shape (1, height, width) if it is grey and (3, height, width) if it is in colour.

    - Bilevel and grey images are grey; palettes, CMYK and other colour spaces become RGB.
    - Transparency is composited over black: what lies under a transparent pixel is arbitrary.
    - 16-bit grey is scaled so that 65535 becomes 255. (16-bit colour Pillow itself cuts to its high bytes.)
    - Of an animation the first frame is read. EXIF orientation is not applied, as in torchvision's ImageFolder.

    Args:
        path: any file that Pillow reads.
        image_size: if given, the short side is resized to it (bicubic) and the centre square is cut out.

    Raises:
        ValueError: the file is missing, damaged or not an image, or its pixels are floating-point or wider
            than 16 bits.
    """
    image = _open(path)
    if image_size is not None:
        image = _centre_square(image, image_size)
    pixels = np.asarray(image)
    return pixels[None] if image.mode == "L" else pixels.transpose(2, 0, 1)


def open_picture(path: Path) -> Image.Image:
    """One image file as RGB picture, with the conversions of ``decode_image``; grey repeats its channel.

    Raises:
        ValueError: as ``decode_image``.
    """
    return _open(path).convert("RGB")


def centre_of_resized(picture: Image.Image, image_size: int) -> Image.Image:
    """What is evaluated of a photograph: short side resized to 256/224 of ``image_size``, and the centre square of it.

    At 224 this is torchvision's Resize(256) and CenterCrop(224) to the last bit.
    """
    short = max(image_size, round(image_size * 256 / 224))
    width, height = picture.size
    if width <= height:
        width, height = short, int(short * height / width)
    else:
        width, height = int(short * width / height), short
    left, top = round((width - image_size) / 2), round((height - image_size) / 2)
    resized = picture.resize((width, height), Image.Resampling.BILINEAR)
    return resized.crop((left, top, left + image_size, top + image_size))


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as opened:
            opened.load()
            return _eight_bit(opened)
    except Exception as error:  # Pillow's plugins raise many types for damaged files
        raise ValueError(f"cannot read the image {path}: {error}") from error


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


def _centre_square(image: Image.Image, side: int) -> Image.Image:
    scale = side / min(image.size)
    width, height = (max(side, round(length * scale)) for length in image.size)
    left, top = (width - side) // 2, (height - side) // 2
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    return resized.crop((left, top, left + side, top + side))
