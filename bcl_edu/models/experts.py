"""Backbones that are shared up to a stage and exist once for each expert from there on.

The experts' own stages are narrower, three quarters of the channels, so that two experts cost about as much as
the whole network.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bcl_edu.models.backbones import BasicBlock, DigitsNet, require_images, start_convolutions


class Experts(nn.Module):
    """Shared layers, then each expert's own, then the mean over all positions.

    Args:
        shared: from images to maps.
        own: of each expert, from those maps to its own.
        expert_dim: channels of an expert's maps.
        in_channels: of the images.

    Attributes:
        feature_dim: length of a feature vector, all experts' side by side.
        expert_dim: length of one expert's part of it.
    """

    def __init__(self, shared: nn.Module, own: list[nn.Module], expert_dim: int, in_channels: int) -> None:
        super().__init__()
        self.shared, self.own = shared, nn.ModuleList(own)
        self.expert_dim, self.in_channels = expert_dim, in_channels
        self.feature_dim = len(own) * expert_dim
        start_convolutions(self)

    def forward(self, images: Float[Tensor, "n c height width"]) -> Float[Tensor, "n feature_dim"]:
        """Features of the first expert, then of the second, and so on."""
        require_images(images, self.in_channels)
        maps = self.shared(images)
        # an expert's first block may work in place on what it gets
        parts = [torch.mean(expert(maps.clone()), dim=(2, 3)) for expert in self.own]
        return torch.cat(parts, dim=1)


def build_experts(name: str, in_channels: int, number: int, *, narrow: bool = True) -> Experts:
    """The experts' form of a backbone.

    CIFAR's ResNet-32 is shared up to its first stage, ResNet-50 and ResNeXt-50 up to their second, the digits'
    network up to its first layer.

    Args:
        name: of the backbone: "digits_net", "resnet32", "resnet50" or "resnext50".
        in_channels: of the images.
        number: of experts.
        narrow: three quarters of the channels in the experts' own stages.

    Raises:
        ValueError: the backbone has no such form.

    Source: Wang et al. (ICLR 2021), their code: 24 and 48 channels for ResNet-32, 192 and 384 planes for the
    others.
    """
    builders = {
        "digits_net": _digits,
        "resnet32": _resnet32,
        "resnet50": _resnet(width=64, groups=1),
        "resnext50": _resnet(width=4, groups=32),
    }
    if name not in builders:
        raise ValueError(
            f"the backbone {name!r} cannot be split into experts; use one of {', '.join(builders)}"
        )
    share = 3 / 4 if narrow else 1.0
    return builders[name](in_channels, number, share)


def _digits(in_channels: int, number: int, share: float) -> Experts:
    width = round(64 * share)
    whole = DigitsNet(in_channels).layers

    def own() -> nn.Module:
        layers: list[nn.Module] = []
        for before, stride in ((32, 2), (width, 1)):
            layers += [
                nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
        return nn.Sequential(*layers)

    return Experts(whole[:3], [own() for _ in range(number)], width, in_channels)


def _resnet32(in_channels: int, number: int, share: float) -> Experts:
    def stage(before: int, width: int) -> list[nn.Module]:
        return [BasicBlock(before if block == 0 else width, width) for block in range(5)]

    middle, last = round(32 * share), round(64 * share)
    stem = [nn.Conv2d(in_channels, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)]
    shared = nn.Sequential(*stem, *stage(16, 16))
    own: list[nn.Module] = [nn.Sequential(*stage(16, middle), *stage(middle, last)) for _ in range(number)]
    return Experts(shared, own, last, in_channels)


def _resnet(*, width: int, groups: int) -> Callable[[int, int, float], Experts]:
    def build(in_channels: int, number: int, share: float) -> Experts:
        from torchvision.models.resnet import Bottleneck

        def stage(before: int, planes: int, blocks: int, stride: int) -> nn.Module:
            after = planes * Bottleneck.expansion
            shortcut = nn.Sequential(
                nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
            )
            first = Bottleneck(before, planes, stride, shortcut, groups, width)
            rest = [Bottleneck(after, planes, groups=groups, base_width=width) for _ in range(blocks - 1)]
            return nn.Sequential(first, *rest)

        third, fourth = round(256 * share), round(512 * share)
        shared = nn.Sequential(
            nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
            stage(64, 64, 3, 1),
            stage(256, 128, 4, 2),
        )
        own: list[nn.Module] = [
            nn.Sequential(stage(512, third, 6, 2), stage(4 * third, fourth, 3, 2)) for _ in range(number)
        ]
        return Experts(shared, own, 4 * fourth, in_channels)

    return build
