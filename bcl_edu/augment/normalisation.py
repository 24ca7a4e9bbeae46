"""From stored bytes to what a network reads, in batches and on the device."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from bcl_edu.counting import counted


@dataclass(frozen=True)
class Normalisation:
    """Channel means and standard deviations, in units of the [0, 1] scale."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def coefficients(
        self, device: torch.device, dtype: torch.dtype = torch.float32
    ) -> tuple[Float[Tensor, "channel 1 1"], Float[Tensor, "channel 1 1"]]:
        """Factor and shift of each channel: a normalised image is image * factor + shift.

        Raises:
            ValueError: mean and std differ in number, or a standard deviation is not positive.
        """
        if len(self.mean) != len(self.std):
            raise ValueError(
                f"mean has {counted(len(self.mean), 'value')} and std {len(self.std)}; take both from "
                "channel_statistics of the training images"
            )
        if not all(value > 0 for value in self.std):
            raise ValueError(f"std = {self.std}, expected positive values; is a channel constant?")
        # one multiplication and one addition: image * (1 / (255 std)) - mean / std
        factors = [1 / (255 * s) for s in self.std]
        shifts = [-m / s for m, s in zip(self.mean, self.std, strict=True)]
        # non_blocking: a GPU's host queues the copy instead of waiting for all work before it
        factor, shift = torch.tensor([factors, shifts], dtype=dtype).to(device, non_blocking=True)[
            ..., None, None
        ]
        return factor, shift


def normalise(
    images: UInt8[Tensor, "*batch channel height width"],
    mean: Sequence[float],
    std: Sequence[float],
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "*batch channel height width"]:
    """(image / 255 - mean) / std for each channel, on the images' own device.

    Args:
        images: bytes, any leading dimensions.
        mean: of each channel, on the scale 0 (black) to 1 (white).
        std: of each channel, positive.
        dtype: of the result.

    Returns:
        The same shape and memory format as ``images``.

    Raises:
        ValueError: not bytes, or mean and std do not fit the channels.
    """
    if images.dtype != torch.uint8:
        raise ValueError(f"images of type {images.dtype}, expected torch.uint8; were they normalised before?")
    if len(mean) != images.shape[-3]:
        raise ValueError(
            f"images of shape {tuple(images.shape)} have {counted(images.shape[-3], 'channel')}, but mean has "
            f"{counted(len(mean), 'value')}; take it from channel_statistics of the training images"
        )
    factor, shift = Normalisation(tuple(mean), tuple(std)).coefficients(images.device, dtype)
    return torch.addcmul(shift, images.to(dtype), factor)


def channel_statistics(
    images: UInt8[Tensor, "n channel height width"],
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over all pixels of all images, on the scale 0 to 1.

    Exact: computed from a histogram of the 256 values, so memory does not grow with the number of images.

    Args:
        images: bytes, the training images (and no others).

    Returns:
        (mean, std), one value a channel each; std divides by the number of pixels.

    Raises:
        ValueError: not bytes, not four-dimensional, or no pixel at all.
    """
    if images.dtype != torch.uint8 or images.ndim != 4:
        raise ValueError(
            f"images of type {images.dtype} and shape {tuple(images.shape)}, "
            "expected torch.uint8 of shape (n, channels, height, width)"
        )
    if images.numel() == 0:
        raise ValueError(f"images of shape {tuple(images.shape)} have no pixel to average over")
    value = torch.arange(256, dtype=torch.float64) / 255
    means, deviations = [], []
    for channel in images.unbind(dim=1):
        counts = torch.zeros(256, dtype=torch.float64)
        for part in channel.split(4096):  # bincount makes 64-bit copies of what it counts
            counts += torch.bincount(part.flatten().cpu(), minlength=256)
        share = counts / counts.sum()
        mean = (share * value).sum()
        means.append(mean.item())
        deviations.append((share * (value - mean).square()).sum().sqrt().item())
    return tuple(means), tuple(deviations)
