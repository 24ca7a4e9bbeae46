"""What a model knows after an epoch: accuracy on the balanced test set, and the geometry of its class means."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from bcl_edu.datasets import LabelledImages
from bcl_edu.geometry import class_means, simplex_deviation
from bcl_edu.methods import Method
from bcl_edu.training.metrics import Accuracy, accuracy
from bcl_edu.views import normalise


@dataclass(frozen=True)
class Normalisation:
    """Channel means and standard deviations, in units of the [0, 1] scale."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Evaluation:
    """Accuracy and class-mean geometry on a test set.

    Attributes:
        accuracy: top-1, by shot group, and of each class, in percent.
        predictions: predicted class of each test image, shape (n,).
        class_means: of the embeddings z on the unit sphere, shape (k, d); of the centred, normalised backbone
            features where the method has no contrastive branch.
        space: "embeddings" or "features": which of the two that is.
        simplex_deviation: root-mean-square of <mu_i, mu_j> + 1/(k-1) of those class means; None if some class
            has no test image.
        feature_simplex_deviation: the same of the centred backbone features, comparable between all methods.
    """

    accuracy: Accuracy
    predictions: Int[Tensor, " n"]
    class_means: Float[Tensor, "k d"] | None
    space: str
    simplex_deviation: float | None
    feature_simplex_deviation: float | None

    def summary(self) -> dict[str, Any]:
        """The plain numbers, for a record."""
        return {
            "top1": self.accuracy.top1,
            "many": self.accuracy.many,
            "medium": self.accuracy.medium,
            "few": self.accuracy.few,
            "simplex_deviation": self.simplex_deviation,
            "simplex_space": self.space,
            "feature_simplex_deviation": self.feature_simplex_deviation,
        }


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """Autocast to the recipe's precision; nothing for float32."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=getattr(torch, precision))


@torch.no_grad()
def evaluate_method(
    method: Method,
    test: LabelledImages,
    class_counts: Int[Tensor, " k"],
    normalisation: Normalisation,
    *,
    device: torch.device,
    precision: str = "float32",
    batch_size: int = 1000,
) -> Evaluation:
    """Accuracy and geometry on the whole test set, in evaluation mode; the model's mode is restored.

    Args:
        method: with its model on `device`.
        test: the test images.
        class_counts: training images of each class, which define the shot groups.
        normalisation: of the training set.
        device: where to compute.
        precision: of the forward pass.
        batch_size: images at a time.
    """
    was_training = method.model.training
    method.model.eval()
    logits, features, embeddings = [], [], []
    for images in test.images.split(batch_size):
        with autocast(device, precision):
            inputs = normalise(images.to(device), normalisation.mean, normalisation.std)
            hidden = method.features(inputs.contiguous(memory_format=torch.channels_last))
            z = method.embeddings(hidden)
            logits.append(method.logits(hidden).float().cpu())
        features.append(hidden.float().cpu())
        if z is not None:
            embeddings.append(z.float().cpu())
    method.model.train(was_training)

    # Features after a ReLU share a large mean: like neural collapse, compare what is left without it
    labels, num_classes = test.labels, len(class_counts)
    complete = bool((test.class_counts > 0).all())
    hidden_means = z_means = None
    if complete:
        raw = class_means(torch.cat(features), labels, num_classes)
        hidden_means = functional.normalize(raw - raw.mean(dim=0), dim=1)
        z_means = hidden_means
        if embeddings:
            z_means = functional.normalize(class_means(torch.cat(embeddings), labels, num_classes), dim=1)
    scores = torch.cat(logits)
    return Evaluation(
        accuracy=accuracy(scores, labels, class_counts),
        predictions=scores.argmax(dim=1),
        class_means=z_means,
        space="embeddings" if embeddings else "features",
        simplex_deviation=None if z_means is None else simplex_deviation(z_means).rms,
        feature_simplex_deviation=None if hidden_means is None else simplex_deviation(hidden_means).rms,
    )
