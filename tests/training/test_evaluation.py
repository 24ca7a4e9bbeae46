"""An evaluation of what a network knows, also of one that knows nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bcl_edu.augment import Normalisation
from bcl_edu.data import open_dataset
from bcl_edu.methods import Method, Prediction
from bcl_edu.training.evaluation import evaluate_method


def alike(value: float, contrastive: bool) -> Method:
    """A method that gives every image the same features and embeddings."""

    def rows(images: Tensor) -> Tensor:
        return torch.full((len(images), 4), value)

    class Alike(Method):
        def __init__(self) -> None:
            nn.Module.__init__(self)

        def predict(self, images: Tensor) -> Prediction:
            embeddings = rows(images) if contrastive else None
            return Prediction(rows(images), torch.zeros(len(images), 10), embeddings)

    return Alike()


@pytest.mark.parametrize("value", [0.0, float("nan")])
@pytest.mark.parametrize("contrastive", [False, True])
def test_a_network_that_answers_every_image_alike_is_evaluated_without_class_means(
    value: float, contrastive: bool
) -> None:
    test = open_dataset("digits").test
    evaluation = evaluate_method(
        alike(value, contrastive),
        test,
        torch.full((10,), 50),
        Normalisation((0.5,), (0.5,)),
        device=torch.device("cpu"),
    )
    assert evaluation.accuracy.top1 == 10.0  # always class 0
    assert evaluation.class_means is None
    assert evaluation.summary()["simplex_deviation"] is None
    assert evaluation.summary()["feature_simplex_deviation"] is None
