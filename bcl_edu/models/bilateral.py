"""Backbones whose last block exists twice: one copy for the usual samples, one for rare classes."""

from __future__ import annotations

import copy
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bcl_edu.models.backbones import (
    DigitsNet,
    ResNetCifar,
    ResNetImageNet,
    build_backbone,
    require_images,
    start_convolutions,
)

Side = Literal["conventional", "rebalancing"]


class Bilateral(nn.Module):
    """Shared layers, then two copies of the last block side by side, then the mean over all positions.

    Args:
        shared: from images to maps.
        last: the last block, of which a second one with weights of its own is made.
        feature_dim: channels of its maps.
        in_channels: of the images.

    Attributes:
        feature_dim: length of a feature vector, both sides' together.
        in_channels: channels of the images it takes.
    """

    def __init__(self, shared: nn.Module, last: nn.Module, feature_dim: int, in_channels: int) -> None:
        super().__init__()
        self.shared, self.conventional, self.rebalancing = shared, last, copy.deepcopy(last)
        start_convolutions(self.rebalancing)
        self.feature_dim, self.in_channels = 2 * feature_dim, in_channels

    def forward(
        self, images: Float[Tensor, "n c height width"], side: Side | None = None
    ) -> Float[Tensor, "n feature_dim"]:
        """Features of the conventional block, then of the rebalancing one; of one side alone if it is named."""
        require_images(images, self.in_channels)
        maps = self.shared(images)
        sides = {"conventional": self.conventional, "rebalancing": self.rebalancing}
        blocks = list(sides.values()) if side is None else [sides[side]]
        # a block may work in place on what it gets
        return torch.cat([torch.mean(block(maps.clone()), dim=(2, 3)) for block in blocks], dim=1)


def build_bilateral(name: str, in_channels: int) -> Bilateral:
    """The bilateral form of a backbone: ResNet-32, ResNet-50 and ResNeXt-50 have their last residual block twice, the
    digits' network its last layer.

    Args:
        name: of the backbone.
        in_channels: of the images.

    Raises:
        ValueError: the backbone has no such form.

    Source: Zhou et al., "BBN" (CVPR 2020), section 4.1 and their code.
    """
    whole = build_backbone(name, in_channels)
    if isinstance(whole, ResNetCifar):
        shared = nn.Sequential(whole.conv, whole.norm, nn.ReLU(inplace=True), *whole.blocks[:-1])
        return Bilateral(shared, whole.blocks[-1], whole.feature_dim, in_channels)
    if isinstance(whole, DigitsNet):
        return Bilateral(whole.layers[:-3], whole.layers[-3:], whole.feature_dim, in_channels)
    if isinstance(whole, ResNetImageNet):
        stem, stages = _parts(whole.network)
        *before, last = stages[-1]
        shared = nn.Sequential(*stem, *stages[:-1], *before)
        return Bilateral(shared, last, whole.feature_dim, in_channels)
    raise ValueError(f"the backbone {name!r} has no bilateral form")


def _parts(network: nn.Module) -> tuple[list[nn.Module], list[nn.Sequential]]:
    """The layers before the stages of one of torchvision's residual networks, and the stages."""
    parts = dict(network.named_children())
    stem = [parts[name] for name in ("conv1", "bn1", "relu", "maxpool")]
    stages = [parts[f"layer{number}"] for number in range(1, 5)]
    assert all(isinstance(stage, nn.Sequential) for stage in stages)
    return stem, stages  # type: ignore[return-value]
