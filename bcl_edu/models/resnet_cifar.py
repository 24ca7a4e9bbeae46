"""ResNet-32, the network of the paper's CIFAR tables.

He et al. (CVPR 2016), section 4.2: a 3x3 convolution, three stages of five blocks with 16, 32 and 64
channels at 32x32, 16x16 and 8x8 pixels, then the mean over all positions.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bcl_edu.models.images import require_images


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
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, images: Float[Tensor, "n c height width"]) -> Float[Tensor, "n feature_dim"]:
        """Features of normalised images: non-negative, the mean over all positions of the last block."""
        require_images(images, self.in_channels)
        hidden = functional.relu(self.norm(self.conv(images)), inplace=True)
        features: Tensor = self.blocks(hidden)
        return torch.mean(features, dim=(2, 3))


def resnet32(in_channels: int = 3) -> ResNetCifar:
    """ResNet-32 for 32x32 images: 463,504 parameters (without classifier), 64 features."""
    return ResNetCifar(blocks_per_stage=5, in_channels=in_channels)
