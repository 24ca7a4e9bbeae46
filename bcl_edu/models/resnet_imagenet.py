"""ResNet-50 and ResNeXt-50 32x4d, the networks of the paper's ImageNet-LT and iNaturalist tables.

The layers are torchvision's (stride on the 3x3 convolution, as in the authors' code), with random weights:
a long-tailed result from pre-trained weights would not be comparable.
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from bcl_edu.models.images import require_images


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
