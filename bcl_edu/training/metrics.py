"""Accuracy as the paper reports it, the mean over classes where test sets are not balanced, and calibration."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bcl_edu.counting import counted
from bcl_edu.data import shot_groups


@dataclass(frozen=True)
class Accuracy:
    """Top-1 accuracies in percent; a shot group without classes is None and prints as n/a, never as 0."""

    top1: float
    many: float | None
    medium: float | None
    few: float | None
    class_average: float
    """Mean of the classes' accuracies; equals top1 where every class has as many test images."""
    per_class: tuple[float | None, ...]
    """Of each class; None where the test set has no image of it."""


def accuracy(
    predictions: Int[Tensor, " n"], labels: Int[Tensor, " n"], class_counts: Int[Tensor, " k"]
) -> Accuracy:
    """Top-1 accuracy in percent, over all samples, and over the samples of each shot group.

    Args:
        predictions: predicted classes, shape (n,).
        labels: true classes, shape (n,).
        class_counts: *training* images of each class, shape (k,), which decide the shot groups.

    Raises:
        ValueError: there is no sample, or predictions and labels differ in number or are not classes 0..k-1.
    """
    if len(labels) == 0:
        raise ValueError("no label, so there is no accuracy; is the test set empty?")
    _require_classes(predictions, labels, class_counts)
    num_classes = len(class_counts)
    hits = (predictions == labels).to(torch.int64)
    right = (
        torch.zeros(num_classes, dtype=torch.int64, device=labels.device).index_add_(0, labels, hits).cpu()
    )
    seen = torch.bincount(labels, minlength=num_classes).cpu()

    def percent(classes: Tensor) -> float | None:
        total = int(seen[classes].sum())
        return 100 * int(right[classes].sum()) / total if total else None

    groups = shot_groups(class_counts.cpu())
    tested = seen > 0
    return Accuracy(
        top1=100 * int(right.sum()) / len(labels),
        many=percent(groups["many"]),
        medium=percent(groups["medium"]),
        few=percent(groups["few"]),
        class_average=100 * float((right[tested].double() / seen[tested]).mean()),
        per_class=tuple(percent(torch.tensor([k])) for k in range(num_classes)),
    )


def expected_calibration_error(
    confidences: Float[Tensor, " n"], right: Bool[Tensor, " n"], bins: int = 15
) -> float:
    """Expected calibration error in percent: sum_b n_b / n |accuracy of b - mean confidence of b|.

    Args:
        confidences: probability of the predicted class, 0 to 1, shape (n,), n at least 1.
        right: whether the prediction is right, shape (n,).
        bins: of equal width; a confidence on a border belongs to the lower bin.

    Source: Guo et al. (ICML 2017), Eq. 3, with their 15 bins.
    """
    confidences, hits = confidences.double().cpu(), right.double().cpu()
    bin_of = (confidences * bins).ceil().long().clamp(1, bins) - 1
    gaps = torch.zeros(bins, dtype=torch.float64).index_add_(0, bin_of, hits - confidences)
    return 100 * float(gaps.abs().sum()) / len(confidences)


def _require_classes(predictions: Tensor, labels: Tensor, class_counts: Tensor) -> None:
    if predictions.shape != labels.shape:
        raise ValueError(
            f"{counted(len(predictions), 'prediction')} for {counted(len(labels), 'label')}; expected one each"
        )
    for name, classes in (("prediction", predictions), ("label", labels)):
        if len(classes) and not 0 <= int(classes.min()) <= int(classes.max()) < len(class_counts):
            raise ValueError(
                f"{name}s from {int(classes.min())} to {int(classes.max())}, but there are {len(class_counts)} "
                f"class counts (expected 0..{len(class_counts) - 1})"
            )
