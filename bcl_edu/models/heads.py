"""Layers on top of a backbone: classifiers, and the multilayer perceptrons of contrastive branches.

A classifier's weight rows are what prototypes are made from. Projection and prototype head are Linear, batch
normalisation, ReLU, Linear, and end on the unit sphere (Figure 3 of the paper; the authors' code normalises in both).
The paper's sizes are 64 -> 512 -> 128 on CIFAR and 2048 -> 2048 -> 1024 on ImageNet-LT and iNaturalist.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


def unit_rows(rows: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
    """Scale every row to length one, in float32 at least.

    bfloat16 keeps 8 bits: a row normalised there misses length one by a few tenths of a per cent, and a
    similarity divided by tau = 0.1 would carry ten times that error. So half-precision rows come back as
    float32. A row of zeros stays zero.
    """
    return functional.normalize(rows.to(torch.promote_types(rows.dtype, torch.float32)), dim=1)


def _require_sizes(feature_dim: int, num_classes: int) -> None:
    if feature_dim < 1:
        raise ValueError(f"feature_dim = {feature_dim}, expected the backbone's feature_dim, at least 1")
    if num_classes < 2:
        raise ValueError(f"num_classes = {num_classes}, expected at least 2 classes to tell apart")


class LinearClassifier(nn.Linear):
    """Logits x W^T + b.

    Args:
        feature_dim: length of a feature vector x.
        num_classes: K.

    Attributes:
        weight: one row a class, shape (K, feature_dim).
    """

    def __init__(self, feature_dim: int, num_classes: int) -> None:
        _require_sizes(feature_dim, num_classes)
        super().__init__(feature_dim, num_classes)


class CosineClassifier(nn.Module):
    """Logits scale * cos(x, w_k): neither long features nor long weight rows can favour a class.

    Args:
        feature_dim: length of a feature vector x.
        num_classes: K.
        scale: what the cosines are multiplied with, 30 in the authors' code.

    Attributes:
        weight: one row a class, shape (K, feature_dim), of length one at the start and free afterwards.
    """

    def __init__(self, feature_dim: int, num_classes: int, scale: float = 30.0) -> None:
        super().__init__()
        _require_sizes(feature_dim, num_classes)
        if not scale > 0:
            raise ValueError(f"scale = {scale}, expected a positive number (30 in the authors' code)")
        self.scale = scale
        self.weight = nn.Parameter(functional.normalize(torch.randn(num_classes, feature_dim), dim=1))

    def forward(self, features: Float[Tensor, "n feature_dim"]) -> Float[Tensor, "n classes"]:
        """Logits of shape (n, K) in [-scale, scale], in float32 at least."""
        # bfloat16 would round a logit of 30 to a multiple of an eighth; the product is small, so use float32
        with torch.autocast(features.device.type, enabled=False):
            return self.scale * unit_rows(features) @ unit_rows(self.weight).T

    def extra_repr(self) -> str:
        """Shown by ``print(model)``."""
        return f"feature_dim={self.weight.shape[1]}, num_classes={self.weight.shape[0]}, scale={self.scale}"


Classifier = LinearClassifier | CosineClassifier
_CLASSIFIERS: dict[str, Callable[[int, int], Classifier]] = {
    "linear": LinearClassifier,
    "cosine": CosineClassifier,
}
CLASSIFIER_NAMES: tuple[str, ...] = tuple(_CLASSIFIERS)


def build_classifier(name: str, feature_dim: int, num_classes: int) -> Classifier:
    """Build a classifier by name.

    Args:
        name: ``"linear"``, or ``"cosine"`` (scale 30).
        feature_dim: length of a feature vector.
        num_classes: K.

    Raises:
        ValueError: unknown name or impossible sizes.
    """
    if name not in _CLASSIFIERS:
        raise ValueError(f"unknown classifier {name!r}, expected one of {', '.join(CLASSIFIER_NAMES)}")
    return _CLASSIFIERS[name](feature_dim, num_classes)


class ProjectionHead(nn.Module):
    """Features to embeddings z_i on the unit sphere.

    Args:
        in_dim: length of a feature vector.
        hidden_dim: width of the hidden layer.
        out_dim: D, dimension of the sphere's space.
    """

    def __init__(self, in_dim: int, hidden_dim: int = 512, out_dim: int = 128) -> None:
        super().__init__()
        for name, value in (("in_dim", in_dim), ("hidden_dim", hidden_dim), ("out_dim", out_dim)):
            if value < 1:
                raise ValueError(f"{name} = {value}, expected at least 1")
        self.layers = nn.Sequential(
            nn.Linear(in_dim, hidden_dim),
            nn.BatchNorm1d(hidden_dim),
            nn.ReLU(inplace=True),
            nn.Linear(hidden_dim, out_dim),
        )

    def forward(self, rows: Float[Tensor, "n in_dim"]) -> Float[Tensor, "n out_dim"]:
        """Unit vectors of shape (n, out_dim), in float32 at least, also under autocast."""
        return unit_rows(self.layers(rows))


class PrototypeHead(ProjectionHead):
    """Classifier weight rows to class prototypes c_k on the same sphere: the same layers, other weights.

    Its batch normalisation averages over the K classes, each counted once whatever the imbalance.

    Attributes:
        same_on_every_rank: its input is the same on all ranks of a run, so its batch statistics need no exchange.
    """

    same_on_every_rank = True


class PlainHead(nn.Module):
    """Features to unit vectors through one linear layer, or two with a ReLU between them.

    Args:
        in_dim: length of a feature vector.
        hidden: width of the hidden layer; 0 for none.
        out_dim: D.
    """

    def __init__(self, in_dim: int, hidden: int, out_dim: int) -> None:
        super().__init__()
        layers = (
            [nn.Linear(in_dim, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, out_dim)]
            if hidden
            else [nn.Linear(in_dim, out_dim)]
        )
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Float[Tensor, "n in_dim"]) -> Float[Tensor, "n out_dim"]:
        """Unit vectors, in float32 at least."""
        return unit_rows(self.layers(features))
