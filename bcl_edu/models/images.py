"""What every backbone asks of its input."""

from torch import Tensor

from bcl_edu.counting import counted


def require_images(images: Tensor, channels: int) -> None:
    """Refuse anything but a batch of floating-point images with ``channels`` channels.

    Looks only at shape and type, so it costs no synchronisation with a device.

    Raises:
        ValueError: not four-dimensional, another number of channels, or integers.
    """
    if images.ndim != 4:
        raise ValueError(
            f"images of shape {tuple(images.shape)}, expected four dimensions (n, channels, height, width); "
            "for a single image add images[None]"
        )
    if images.shape[1] != channels:
        raise ValueError(
            f"images of shape {tuple(images.shape)} have {counted(images.shape[1], 'channel')}, but this backbone was "
            f"built for {channels}; build it with in_channels={images.shape[1]}"
        )
    if not images.is_floating_point():
        raise ValueError(
            f"images of type {images.dtype}, expected a floating-point type; "
            "bring them there with bcl_edu.augment.normalise"
        )
