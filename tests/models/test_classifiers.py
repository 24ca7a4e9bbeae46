"""Linear and cosine classifier against their formulas."""

import math

import pytest
import torch

from bcl_edu.models import CosineClassifier, LinearClassifier, build_classifier


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def test_cosine_logits_are_thirty_times_the_cosine_of_the_angle() -> None:
    classifier = CosineClassifier(2, 3)
    with torch.no_grad():
        classifier.weight.copy_(torch.tensor([[5.0, 0.0], [0.0, 0.1], [-1.0, -1.0]]))
    logits = classifier(torch.tensor([[3.0, 4.0]]))  # length 5
    expected = [30 * 3 / 5, 30 * 4 / 5, -30 * 7 / (5 * math.sqrt(2))]
    assert logits[0].tolist() == pytest.approx(expected, abs=1e-5)


def test_cosine_logits_ignore_the_length_of_features_and_weights() -> None:
    classifier = CosineClassifier(16, 5)
    features = torch.randn(4, 16)
    before = classifier(features)
    with torch.no_grad():
        classifier.weight *= torch.tensor([[0.1], [1.0], [3.0], [10.0], [100.0]])
    torch.testing.assert_close(classifier(7 * features), before)


def test_cosine_rows_start_at_length_one() -> None:
    torch.testing.assert_close(CosineClassifier(64, 100).weight.norm(dim=1), torch.ones(100))


def test_cosine_logits_under_autocast_keep_float32_precision() -> None:
    classifier = CosineClassifier(64, 10)
    features = torch.randn(8, 64)
    exact = classifier(features)
    with torch.autocast("cpu", torch.bfloat16):
        logits = classifier(features)
    assert logits.dtype == torch.float32
    assert torch.equal(logits, exact)


def test_cosine_of_a_zero_feature_is_zero_and_has_a_finite_gradient() -> None:
    classifier = CosineClassifier(4, 3)
    features = torch.zeros(1, 4, requires_grad=True)
    logits = classifier(features)
    logits.sum().backward()
    assert torch.equal(logits, torch.zeros(1, 3))
    assert features.grad is not None
    assert features.grad.isfinite().all()


def test_linear_logits_are_the_affine_map() -> None:
    classifier = LinearClassifier(3, 4)
    x = torch.randn(5, 3)
    torch.testing.assert_close(classifier(x), x @ classifier.weight.T + classifier.bias)


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_weight_rows_belong_to_classes(name: str) -> None:
    classifier = build_classifier(name, 64, 10)
    assert classifier.weight.shape == (10, 64)
    assert classifier(torch.randn(2, 64)).shape == (2, 10)


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'mlp', expected .*linear, cosine"):
        build_classifier("mlp", 64, 10)
    with pytest.raises(ValueError, match="num_classes = 1"):
        LinearClassifier(64, 1)
    with pytest.raises(ValueError, match="feature_dim = 0"):
        CosineClassifier(0, 10)
    with pytest.raises(ValueError, match=r"scale = -1\.0"):
        CosineClassifier(64, 10, scale=-1.0)
