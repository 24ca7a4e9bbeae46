"""Backbones by name, as a recipe writes them."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from bcl_edu.models.digits_net import digits_net
from bcl_edu.models.resnet_cifar import resnet32
from bcl_edu.models.resnet_imagenet import resnet50, resnext50


@runtime_checkable
class Backbone(Protocol):
    """A module that turns images (n, channels, height, width) into features (n, feature_dim)."""

    feature_dim: int
    in_channels: int

    def __call__(self, images: Tensor) -> Tensor:
        """Features of a batch of normalised images."""
        ...


_BUILDERS: dict[str, Callable[[int], nn.Module]] = {
    "digits_net": digits_net,
    "resnet32": resnet32,
    "resnet50": resnet50,
    "resnext50": resnext50,
}
BACKBONE_NAMES: tuple[str, ...] = tuple(_BUILDERS)
"""Of this package's backbones; those of a user's own are not among them."""


def add_backbone(name: str, build: Callable[[int], nn.Module]) -> None:
    """Make a backbone of one's own known: see `bcl_edu.plugins.register_backbone`.

    Raises:
        ValueError: a backbone of this package has the name.
    """
    if name in BACKBONE_NAMES:
        raise ValueError(f"there is a backbone {name!r} already; choose another name")
    _BUILDERS[name] = build


def build_backbone(name: str, in_channels: int = 3) -> nn.Module:
    """Build a backbone with random weights (drawn from torch's global generator).

    Args:
        name: one of ``BACKBONE_NAMES``, or one that was added.
        in_channels: channels of the images, 3 for colour or 1 for grey.

    Returns:
        A module with the ``Backbone`` interface.

    Raises:
        ValueError: unknown name, a number of channels below one, or an own backbone without `feature_dim`.
    """
    if name not in _BUILDERS:
        raise ValueError(
            f"unknown backbone {name!r}, expected one of {', '.join(_BUILDERS)}, or one of your own (--plugin FILE)"
        )
    if in_channels < 1:
        raise ValueError(f"in_channels = {in_channels}, expected 3 for colour or 1 for grey images")
    backbone = _BUILDERS[name](in_channels)
    if not isinstance(getattr(backbone, "feature_dim", None), int):
        raise ValueError(
            f"the backbone {name!r} says no feature_dim; set it to the length of its feature vectors, a whole number"
        )
    return backbone
