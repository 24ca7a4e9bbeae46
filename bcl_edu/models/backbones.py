"""Backbones: ResNet-32, ResNet-50, ResNeXt-50, the small network of the digits, and all of them by name.

ResNet-32 is that of the paper's CIFAR tables (He et al., CVPR 2016, section 4.2): a 3x3 convolution, three stages of
five blocks with 16, 32 and 64 channels at 32x32, 16x16 and 8x8 pixels, then the mean over all positions. ResNet-50 and
ResNeXt-50 32x4d, of its ImageNet-LT and iNaturalist tables, have torchvision's layers (stride on the 3x3 convolution,
as in the authors' code) with random weights: a long-tailed result from pre-trained weights would not be comparable.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bcl_edu.counting import counted


@runtime_checkable
class Backbone(Protocol):
    """A module that turns images (n, channels, height, width) into features (n, feature_dim)."""

    feature_dim: int
    in_channels: int

    def __call__(self, images: Tensor) -> Tensor:
        """Features of a batch of normalised images."""
        ...


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


def shortcut_option_a(x: Float[Tensor, "n c height width"], out_channels: int) -> Float[Tensor, "n d h2 w2"]:
    """Halve the resolution and fill up the channels with zeros, without any parameter.

    Every second row and column is kept, the new channels are split evenly before and after the old ones.

    Args:
        x: input of a block whose first convolution has stride 2, shape (n, c, h, w).
        out_channels: d >= c, the number of channels that leave the block.

    Returns:
        shape (n, out_channels, ceil(h / 2), ceil(w / 2)), in x's memory format.

    Source: He et al. (CVPR 2016), section 3.3, option A. Where the zeros stand only permutes the channels.
    """
    missing = out_channels - x.shape[1]
    before = missing // 2
    # pad counts from the last dimension: width, height, then channels
    return functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, before, missing - before))


def start_convolutions(network: nn.Module) -> None:
    """Draw the weights of all convolutions from Kaiming's normal distribution for ReLU, in the order of the modules.

    Source: He et al., "Delving Deep into Rectifiers" (ICCV 2015).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut without parameters (He et al., Fig. 5 left)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.halves = in_channels != out_channels
        stride = 2 if self.halves else 1
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)

    def forward(self, x: Float[Tensor, "n c height width"]) -> Float[Tensor, "n d h2 w2"]:
        """Return relu(shortcut(x) + F(x))."""
        shortcut = shortcut_option_a(x, self.conv2.out_channels) if self.halves else x
        hidden = functional.relu(self.norm1(self.conv1(x)), inplace=True)
        return functional.relu(self.norm2(self.conv2(hidden)).add_(shortcut), inplace=True)


class ResNetCifar(nn.Module):
    """Residual network for small images: 6 n + 2 layers with n = ``blocks_per_stage``.

    Args:
        blocks_per_stage: n; 5 gives ResNet-32.
        in_channels: 3 for colour, 1 for grey images.

    Attributes:
        feature_dim: length of a feature vector, 64.
        in_channels: channels of the images it takes.
    """

    def __init__(self, blocks_per_stage: int, in_channels: int = 3) -> None:
        super().__init__()
        if blocks_per_stage < 1:
            raise ValueError(f"blocks_per_stage = {blocks_per_stage}, expected at least 1")
        widths = (16, 32, 64)
        self.in_channels = in_channels
        self.feature_dim = widths[-1]
        self.conv = nn.Conv2d(in_channels, widths[0], 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(widths[0])
        blocks: list[nn.Module] = []
        channels = widths[0]
        for width in widths:
            for _ in range(blocks_per_stage):
                blocks.append(BasicBlock(channels, width))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        start_convolutions(self)

    def forward(self, images: Float[Tensor, "n c height width"]) -> Float[Tensor, "n feature_dim"]:
        """Features of normalised images: non-negative, the mean over all positions of the last block."""
        require_images(images, self.in_channels)
        hidden = functional.relu(self.norm(self.conv(images)), inplace=True)
        features: Tensor = self.blocks(hidden)
        return torch.mean(features, dim=(2, 3))


def resnet32(in_channels: int = 3) -> ResNetCifar:
    """ResNet-32 for 32x32 images: 463,504 parameters (without classifier), 64 features."""
    return ResNetCifar(blocks_per_stage=5, in_channels=in_channels)


class ResNetImageNet(nn.Module):
    """A torchvision residual network without its last layer.

    Args:
        network: a torchvision ``ResNet``; its ``fc`` is taken away, its first layer replaced if it must read
            another number of channels.
        in_channels: 3 for colour, 1 for grey images.

    Attributes:
        feature_dim: length of a feature vector, 2048 for the 50-layer networks.
        in_channels: channels of the images it takes.
    """

    def __init__(self, network: nn.Module, in_channels: int = 3) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.feature_dim = int(network.fc.in_features)  # type: ignore[arg-type, union-attr]
        network.fc = nn.Identity()
        if in_channels != 3:
            network.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
            nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.network = network

    def forward(self, images: Float[Tensor, "n c height width"]) -> Float[Tensor, "n feature_dim"]:
        """Features of normalised images: non-negative, the mean over all positions of the last block."""
        require_images(images, self.in_channels)
        features: Tensor = self.network(images)
        return features


def _from_torchvision(build: Callable[..., nn.Module], in_channels: int) -> ResNetImageNet:
    return ResNetImageNet(build(weights=None), in_channels)


def resnet50(in_channels: int = 3) -> ResNetImageNet:
    """ResNet-50 for 224x224 images: 23,508,032 parameters (without classifier), 2048 features."""
    from torchvision.models import resnet50 as build

    return _from_torchvision(build, in_channels)


def resnext50(in_channels: int = 3) -> ResNetImageNet:
    """ResNeXt-50 32x4d for 224x224 images: 22,979,904 parameters (without classifier), 2048 features."""
    from torchvision.models import resnext50_32x4d as build

    return _from_torchvision(build, in_channels)


class DigitsNet(nn.Module):
    """Three 3x3 convolutions with batch normalisation and ReLU, then the mean over all positions.

    Args:
        in_channels: 1 for grey, 3 for colour images.

    Attributes:
        feature_dim: length of a feature vector, 64.
        in_channels: channels of the images it takes.
    """

    def __init__(self, in_channels: int = 1) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.feature_dim = 64
        layers: list[nn.Module] = []
        channels = in_channels
        for width, stride in ((32, 1), (64, 2), (64, 2)):
            layers += [
                nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            channels = width
        self.layers = nn.Sequential(*layers)
        start_convolutions(self)

    def forward(self, images: Float[Tensor, "n c height width"]) -> Float[Tensor, "n feature_dim"]:
        """Features of normalised images of any size, made for 8x8."""
        require_images(images, self.in_channels)
        features: Tensor = self.layers(images)
        return torch.mean(features, dim=(2, 3))


def digits_net(in_channels: int = 1) -> DigitsNet:
    """The network of the digits recipes: 55,904 parameters for grey images, 64 features."""
    return DigitsNet(in_channels)


_BUILDERS: dict[str, Callable[[int], nn.Module]] = {
    "digits_net": digits_net,
    "resnet32": resnet32,
    "resnet50": resnet50,
    "resnext50": resnext50,
}
BACKBONE_NAMES: tuple[str, ...] = tuple(_BUILDERS)
"""Names of this package's backbones, without those that a user adds."""


def add_backbone(name: str, build: Callable[[int], nn.Module]) -> None:
    """Add a user's own backbone: see `bcl_edu.plugins.register_backbone`.

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


def parameter_count(module: nn.Module) -> int:
    """Number of trainable scalars in ``module``, each shared tensor counted once.

    Buffers (the running statistics of batch normalisation) are not parameters and are not counted.
    """
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
