"""The views of one image through Pillow, from the parameters that ``bcl_edu.augment.draws`` draws.

The oracle of the batched views: another implementation, one image at a time, whose steps are themselves compared with
torchvision's.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from torch import Tensor
from torchvision.transforms import functional

from bcl_edu.augment.augmentations import OPERATIONS
from bcl_edu.augment.draws import JITTER, ViewParameters, draw_parameters
from bcl_edu.augment.policies import Augmentation, ViewPolicy


def three_views(
    policy: ViewPolicy, image: UInt8[Tensor, "channel height width"], seed: int
) -> UInt8[Tensor, "views channel size size"]:
    """The views of an image: v1, v2 and v3, or as many as the policy has.

    Deterministic in (policy, image, seed); no global random generator is read or written.

    Args:
        policy: what happens in each view.
        image: bytes, one channel (grey) or three (RGB).
        seed: 0 to 2^64 - 1; see ``view_seeds``.

    Raises:
        ValueError: not one or three channels of bytes, or too small an image for the policy.
    """
    if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] not in (1, 3):
        raise ValueError(
            f"image of type {image.dtype} and shape {tuple(image.shape)}, expected torch.uint8 of shape "
            "(1 or 3, height, width)"
        )
    return _channels_first(views_of_picture(policy, _picture(image), seed))


def views_of_picture(
    policy: ViewPolicy, picture: Image.Image, seed: int
) -> UInt8[np.ndarray, "views size size channel"]:
    """What ``three_views`` makes, of a picture in mode L (grey) or RGB, channels last."""
    seeds = np.array([seed], dtype=np.uint64)
    shape = (len(picture.getbands()), picture.height, picture.width)
    parameters = [
        draw_parameters(recipe, seeds, view, shape, policy.image_size)
        for view, recipe in enumerate(policy.views)
    ]
    return _views(policy, picture, parameters, row=0)


def views_from_parameters(
    policy: ViewPolicy,
    image: UInt8[Tensor, "channel height width"],
    parameters: list[ViewParameters],
    row: int,
) -> UInt8[Tensor, "views channel size size"]:
    """The views of one image from parameters drawn before; ``row`` is the image's place in them."""
    return _channels_first(_views(policy, _picture(image), parameters, row))


def _picture(image: UInt8[Tensor, "channel height width"]) -> Image.Image:
    # Pillow wants (height, width, 3), or (height, width) for grey
    pixels = image.numpy()
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)) if len(pixels) == 3 else pixels[0])


def _channels_first(
    views: UInt8[np.ndarray, "views size size channel"],
) -> UInt8[Tensor, "views channel size size"]:
    return torch.from_numpy(np.ascontiguousarray(views.transpose(0, 3, 1, 2)))


def _views(
    policy: ViewPolicy, picture: Image.Image, parameters: list[ViewParameters], row: int
) -> UInt8[np.ndarray, "views size size channel"]:
    return np.stack(
        [
            _one_view(picture, recipe, drawn, row, policy.image_size)
            for recipe, drawn in zip(policy.views, parameters, strict=True)
        ]
    )


def _one_view(
    image: Image.Image, recipe: Augmentation, drawn: ViewParameters, row: int, image_size: int
) -> UInt8[np.ndarray, "size size channel"]:
    if drawn.window is not None:
        top, left, height, width = drawn.window[row].tolist()
        if recipe.mirrored:
            image = functional.pad(image, [recipe.padding] * 4, padding_mode="reflect")
            top, left = top + recipe.padding, left + recipe.padding
        image = image.crop((left, top, left + width, top + height))  # black where it leaves the image
        if (height, width) != (image_size, image_size):
            image = image.resize((image_size, image_size), Image.Resampling.BILINEAR)
    if drawn.flip is not None and drawn.flip[row]:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if drawn.jitter is not None and drawn.jitter[row]:
        assert drawn.jitter_order is not None
        assert drawn.jitter_values is not None
        values = drawn.jitter_values[row].tolist()
        for position in drawn.jitter_order[row].tolist():
            if recipe.jitter[position]:
                image = _JITTER_STEPS[JITTER[position]](image, values[position])
    if drawn.grey is not None and drawn.grey[row]:
        image = image.convert("L").convert(image.mode)
    if drawn.operations is not None:
        assert drawn.magnitudes is not None
        for code, magnitude in zip(
            drawn.operations[row].tolist(), drawn.magnitudes[row].tolist(), strict=True
        ):
            image = apply_operation(image, OPERATIONS[code], magnitude, recipe.fill)
    if drawn.blur is not None and drawn.blur[row]:
        image = image.filter(ImageFilter.GaussianBlur(float(drawn.blur[row])))
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if drawn.noise is not None:
        noise = drawn.noise[row].reshape(-1, image_size, image_size).transpose(1, 2, 0)
        pixels = (pixels + noise).clip(0, 255).astype(np.uint8)
    if drawn.cutout is not None:
        top, left, bottom, right = drawn.cutout[row].tolist()
        pixels = pixels.copy()
        pixels[top:bottom, left:right] = 0
    return pixels


def apply_operation(image: Image.Image, operation: str, magnitude: float, fill: int) -> Image.Image:
    """Apply one of AutoAugment's operations.

    Args:
        image: RGB or grey.
        operation: one of ``OPERATIONS``.
        magnitude: with its sign, in the unit stated there.
        fill: grey level where a shear, translation or rotation looks outside the image.
    """
    if operation in _AFFINE_MAPS:
        colour = fill if image.mode == "L" else (fill,) * 3
        mapping = _AFFINE_MAPS[operation](magnitude)
        return image.transform(
            image.size, Image.Transform.AFFINE, mapping, Image.Resampling.NEAREST, fillcolor=colour
        )
    if operation == "rotate":
        colour = fill if image.mode == "L" else (fill,) * 3
        return image.rotate(magnitude, Image.Resampling.NEAREST, fillcolor=colour)
    return _PIXEL_STEPS[operation](image, magnitude)


def _brightness(image: Image.Image, factor: float) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(factor)


def _contrast(image: Image.Image, factor: float) -> Image.Image:
    """Away from the mean grey level; as ImageEnhance.Contrast, which spends its time on a histogram."""
    mean = int(np.asarray(image.convert("L")).mean() + 0.5)
    level = Image.new("L", image.size, mean).convert(image.mode)
    return Image.blend(level, image, factor)


def _saturation(image: Image.Image, factor: float) -> Image.Image:
    return ImageEnhance.Color(image).enhance(factor)


def _hue(image: Image.Image, turn: float) -> Image.Image:
    """Turn the hue by a share of the circle; as torchvision does, in steps of 1/256."""
    if image.mode == "L":
        return image
    pixels = np.array(image.convert("HSV"))
    pixels[:, :, 0] += np.uint8(int(turn * 255) % 256)  # bytes wrap around, as hues do
    return Image.frombytes("HSV", image.size, pixels.tobytes()).convert("RGB")


Step = Callable[[Image.Image, float], Image.Image]
_JITTER_STEPS: dict[str, Step] = {
    "brightness": _brightness,
    "contrast": _contrast,
    "saturation": _saturation,
    "hue": _hue,
}
# where the pixel (x, y) of the result is read: (a x + b y + c, d x + e y + f)
_AFFINE_MAPS: dict[str, Callable[[float], tuple[float, ...]]] = {
    "shear_x": lambda tangent: (1, tangent, 0, 0, 1, 0),
    "shear_y": lambda tangent: (1, 0, 0, tangent, 1, 0),
    "translate_x": lambda pixels: (1, 0, -pixels, 0, 1, 0),
    "translate_y": lambda pixels: (1, 0, 0, 0, 1, -pixels),
}
_PIXEL_STEPS: dict[str, Step] = {
    "identity": lambda image, _: image,
    "brightness": lambda image, change: _brightness(image, 1 + change),
    "color": lambda image, change: _saturation(image, 1 + change),
    "contrast": lambda image, change: _contrast(image, 1 + change),
    "sharpness": lambda image, change: ImageEnhance.Sharpness(image).enhance(1 + change),
    "posterize": lambda image, bits: ImageOps.posterize(image, int(bits)),
    "solarize": lambda image, threshold: ImageOps.solarize(image, threshold),  # type: ignore[arg-type]
    "autocontrast": lambda image, _: ImageOps.autocontrast(image),
    "equalize": lambda image, _: ImageOps.equalize(image),
    "invert": lambda image, _: ImageOps.invert(image),
}
