"""The last layer of the classifier branch; its weight rows are what the prototypes are made from."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bcl_edu.models.precision import unit_rows


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
_BUILDERS: dict[str, Callable[[int, int], Classifier]] = {
    "linear": LinearClassifier,
    "cosine": CosineClassifier,
}
CLASSIFIER_NAMES: tuple[str, ...] = tuple(_BUILDERS)


def build_classifier(name: str, feature_dim: int, num_classes: int) -> Classifier:
    """Build a classifier by name.

    Args:
        name: ``"linear"``, or ``"cosine"`` (scale 30).
        feature_dim: length of a feature vector.
        num_classes: K.

    Raises:
        ValueError: unknown name or impossible sizes.
    """
    if name not in _BUILDERS:
        raise ValueError(f"unknown classifier {name!r}, expected one of {', '.join(CLASSIFIER_NAMES)}")
    return _BUILDERS[name](feature_dim, num_classes)
