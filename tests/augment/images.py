"""Pictures for the tests: not noise, so that crops, edges and colours mean something, yet every value occurs."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def pictures(number: int, channels: int = 3, size: int = 32, seed: int = 0) -> Tensor:
    """Smooth colour gradients with a bright disc and a little noise, uint8 of shape (n, channels, size, size)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    images = np.empty((number, channels, size, size), dtype=np.uint8)
    for image in images:
        centre, radius = random.uniform(0.2, 0.8, 2), random.uniform(0.1, 0.4)
        disc = np.hypot(y - centre[0], x - centre[1]) < radius
        for channel in image:
            slope = random.uniform(-200, 200, 2)
            level = random.uniform(0, 255) + slope[0] * (y - 0.5) + slope[1] * (x - 0.5)
            level = np.where(disc, random.uniform(0, 255), level) + random.normal(0, 8, (size, size))
            channel[:] = level.clip(0, 255)
    return torch.from_numpy(images)


def to_pillow(image: Tensor) -> Image.Image:
    """A uint8 tensor (channels, height, width) as RGB or grey picture."""
    pixels = image.numpy()
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def from_pillow(image: Image.Image) -> Tensor:
    """The way back."""
    pixels = np.array(image)
    return torch.from_numpy(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1).copy())
