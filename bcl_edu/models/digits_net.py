"""A network small enough to train while the reader waits: 8x8 digits in seconds on one core."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bcl_edu.models.images import require_images


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
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, images: Float[Tensor, "n c height width"]) -> Float[Tensor, "n feature_dim"]:
        """Features of normalised images of any size, made for 8x8."""
        require_images(images, self.in_channels)
        features: Tensor = self.layers(images)
        return torch.mean(features, dim=(2, 3))


def digits_net(in_channels: int = 1) -> DigitsNet:
    """The network of the digits recipes: 55,904 parameters for grey images, 64 features."""
    return DigitsNet(in_channels)
