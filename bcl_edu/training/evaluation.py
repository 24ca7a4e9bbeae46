"""Evaluation of a model: accuracy on a test set, calibration, and the geometry of its class means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from bcl_edu.augment import Normalisation, normalise
from bcl_edu.data import Images
from bcl_edu.geometry import simplex_deviation
from bcl_edu.methods import Method
from bcl_edu.training.batches import load_images
from bcl_edu.training.distributed import Rank, all_reduce_sum, gather
from bcl_edu.training.metrics import Accuracy, accuracy, expected_calibration_error
from bcl_edu.training.step import autocast


@dataclass(frozen=True)
class Evaluation:
    """Accuracy and class-mean geometry on a test set.

    Attributes:
        accuracy: top-1, by shot group, and of each class, in percent.
        predictions: predicted class of each test image, shape (n,).
        calibration_error: expected calibration error (ECE) of the softmax of the logits, in percent.
        class_means: of the embeddings z on the unit sphere, shape (k, d); of the centred, normalised backbone
            features where the method has no contrastive branch. None if some class has no test image, or its
            mean no direction, as in a network that answers every image alike.
        space: "embeddings" or "features": which of the two that is.
        simplex_deviation: root-mean-square of <mu_i, mu_j> + 1/(k-1) of those class means; None if there
            are none.
        feature_simplex_deviation: the same of the centred backbone features, comparable between all methods.
    """

    accuracy: Accuracy
    predictions: Int[Tensor, " n"]
    calibration_error: float
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
            "class_average": self.accuracy.class_average,
            "calibration_error": self.calibration_error,
            "simplex_deviation": self.simplex_deviation,
            "simplex_space": self.space,
            "feature_simplex_deviation": self.feature_simplex_deviation,
        }


@torch.no_grad()
def evaluate_method(
    method: Method,
    test: Images,
    class_counts: Int[Tensor, " k"],
    normalisation: Normalisation,
    *,
    device: torch.device,
    precision: str = "float32",
    batch_size: int = 1000,
    rank: Rank | None = None,
    workers: int = 0,
    stop: Callable[[], bool] = lambda: False,
) -> Evaluation:
    """Accuracy and geometry on the whole test set, in evaluation mode; the model's mode is restored.

    Among several processes each computes its share of the images, every image in exactly one share, and all return
    the evaluation of the whole.

    Args:
        method: with its model on `device`.
        test: the test images.
        class_counts: training images of each class, which define the shot groups.
        normalisation: of the training set.
        device: where to compute.
        precision: of the forward pass.
        batch_size: images at a time.
        rank: this process among those that share the work.
        workers: processes that decode image files.
        stop: asked before each batch of images and while one is waited for; of a single process only.

    Raises:
        UnreadableImage: an image file cannot be read.
        LoadingStopped: `stop` said so.
    """
    rank = rank or Rank()
    num_classes = len(class_counts)
    was_training = method.training
    method.eval()
    guesses: list[Tensor] = []
    confidences: list[Tensor] = []
    of_features, of_embeddings = _ClassSums(num_classes), _ClassSums(num_classes)
    shares = torch.arange(len(test)).tensor_split(rank.world_size)
    for chosen, images in load_images(test, shares[rank.rank], device, workers, batch_size, stop):
        with autocast(device, precision):
            inputs = normalise(images, normalisation.mean, normalisation.std)
            prediction = method.predict(inputs.contiguous(memory_format=torch.channels_last))
        guesses.append(prediction.logits.argmax(dim=1))
        confidences.append(prediction.logits.float().softmax(dim=1).amax(dim=1))
        of_features.add(prediction.features, test.labels[chosen])
        if prediction.embeddings is not None:
            of_embeddings.add(prediction.embeddings, test.labels[chosen])
    method.train(was_training)
    sizes = [len(share) for share in shares]
    predictions = gather(torch.cat(guesses), sizes).cpu()
    confidence = gather(torch.cat(confidences), sizes).cpu()

    # Features after a ReLU share a large mean: like neural collapse, compare what is left without it
    hidden_means = z_means = None
    if bool((test.class_counts > 0).all()):
        raw = of_features.means(test.class_counts, device)
        hidden_means = _directions(raw - raw.mean(dim=0))
        z_means = hidden_means
        if of_embeddings.sums is not None:
            z_means = _directions(of_embeddings.means(test.class_counts, device))
    return Evaluation(
        accuracy=accuracy(predictions, test.labels, class_counts),
        predictions=predictions,
        calibration_error=expected_calibration_error(confidence, predictions == test.labels),
        class_means=z_means,
        space="features" if of_embeddings.sums is None else "embeddings",
        simplex_deviation=None if z_means is None else simplex_deviation(z_means).rms,
        feature_simplex_deviation=None if hidden_means is None else simplex_deviation(hidden_means).rms,
    )


def _directions(means: Float[Tensor, "k d"]) -> Float[Tensor, "k d"] | None:
    """Unit rows; None if a row has no direction."""
    directions = functional.normalize(means, dim=1)
    return directions if bool((directions.norm(dim=1) > 0.5).all()) else None


class _ClassSums:
    """Sums of each class's rows, so that the means of a large test set do not need its rows in memory."""

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.sums: Tensor | None = None

    def add(self, rows: Float[Tensor, "n d"], labels: Int[Tensor, " n"]) -> None:
        """Add the rows of one batch, in float64, so that the mean depends on neither batches nor processes."""
        wide = rows.cpu().double()
        if self.sums is None:
            self.sums = wide.new_zeros(self.num_classes, wide.shape[1])
        self.sums.index_add_(0, labels, wide)

    def means(self, counts: Int[Tensor, " k"], device: torch.device) -> Float[Tensor, "k d"]:
        """Mean row of each class over all processes, given how many there are of each."""
        assert self.sums is not None
        return (all_reduce_sum(self.sums, device) / counts[:, None]).float()
