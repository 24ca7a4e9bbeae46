"""Focal loss with sigmoids, with and without class weights, and the softmax form with a detached factor."""

from __future__ import annotations

import math

import pytest
import torch

from bcl_edu.losses import class_balanced_focal_loss, class_balanced_weights, focal_loss
from bcl_edu.methods import build_method
from bcl_edu.methods.published_focal import detached_focal_losses, sigmoid_focal_losses
from bcl_edu.rows import RECIPES
from bcl_edu.training.step import TrainingStep
from tests.methods.harness import CPU, NORMALISATION, built, digits

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.1, 0.2, -0.3]], dtype=torch.float64)
LABELS = torch.tensor([0, 2])
COUNTS = torch.tensor([1000, 100, 10])


@pytest.mark.parametrize(
    ("gamma", "plain", "balanced"),
    [
        (0.5, 1.3767513638, 2.4154291322),
        (1.0, 1.0130585785, 1.7928199676),
        (2.0, 0.5651231536, 0.9891420111),
    ],
)
def test_the_mean_over_samples_of_the_sum_over_classes(gamma: float, plain: float, balanced: float) -> None:
    losses = sigmoid_focal_losses(LOGITS, LABELS, gamma)
    weights = class_balanced_weights(COUNTS)[LABELS]
    assert float(losses.mean()) == pytest.approx(plain, abs=1e-10)
    assert float((weights * losses).mean()) == pytest.approx(balanced, abs=1e-10)


@pytest.mark.parametrize(
    ("gamma", "expected"), [(2.0, 0.4142481221), (1.0, 0.5647078403), (0.0, 0.8310694761)]
)
def test_the_mean_of_softmax_focal_loss(gamma: float, expected: float) -> None:
    assert focal_loss(LOGITS, LABELS, gamma=gamma).item() == pytest.approx(expected, abs=1e-10)
    detached = detached_focal_losses(LOGITS, LABELS, gamma).mean()
    assert detached.item() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(("gamma", "expected"), [(2.0, 1.1038083528), (1.0, 1.4558048702)])
def test_the_mean_of_class_balanced_softmax_focal_loss(gamma: float, expected: float) -> None:
    found = class_balanced_focal_loss(LOGITS, LABELS, COUNTS, gamma=gamma, beta=0.9999)
    assert found.item() == pytest.approx(expected, abs=1e-10)


def test_class_weights_are_no_part_of_the_factor_as_they_are_in_ldams_code() -> None:
    found = class_balanced_focal_loss(LOGITS, LABELS, COUNTS, gamma=1.0, beta=0.9999).item()
    weighted = class_balanced_weights(COUNTS)[LABELS] * detached_focal_losses(LOGITS, LABELS, 0.0)
    of_ldams_code = ((1 - (-weighted).exp()) * weighted).mean().item()  # p^w where p is meant
    assert of_ldams_code == pytest.approx(1.8770462558, abs=1e-10)
    assert found < 0.8 * of_ldams_code


@pytest.mark.parametrize(
    ("beta", "expected"),
    [
        (0.9999, [0.0283624011, 0.2712551020, 2.7003824968]),
        (0.999, [0.0421603980, 0.2800001446, 2.6778394573]),
        (0.9, [0.8485683180, 0.8485908577, 1.3028408243]),
    ],
)
def test_weights_of_the_classes(beta: float, expected: list[float]) -> None:
    assert class_balanced_weights(COUNTS, beta=beta).tolist() == pytest.approx(expected, abs=1e-10)


def test_the_loss_is_the_loop_over_samples_and_classes() -> None:
    for row, label, found in zip(
        LOGITS.tolist(), LABELS.tolist(), sigmoid_focal_losses(LOGITS, LABELS, 1.5), strict=True
    ):
        expected = 0.0
        for k, logit in enumerate(row):
            p = 1 / (1 + math.exp(-logit))
            right = p if k == label else 1 - p
            expected += (1 - right) ** 1.5 * -math.log(right)
        assert float(found) == pytest.approx(expected, abs=1e-12)


def test_the_loss_with_a_detached_factor_is_the_loop_over_samples_and_classes() -> None:
    found = detached_focal_losses(LOGITS, LABELS, 1.5).tolist()
    for row, label, loss in zip(LOGITS.tolist(), LABELS.tolist(), found, strict=True):
        p = math.exp(row[label]) / sum(math.exp(logit) for logit in row)
        assert loss == pytest.approx((1 - p) ** 1.5 * -math.log(p), abs=1e-12)


def test_the_gradient_with_a_detached_factor_is_that_of_differences_while_the_factor_stays() -> None:
    logits = LOGITS.clone().requires_grad_()
    (found,) = torch.autograd.grad(detached_focal_losses(logits, LABELS, 2.0).sum(), logits)
    cross_entropies = detached_focal_losses(LOGITS, LABELS, 0.0)
    factors = detached_focal_losses(LOGITS, LABELS, 2.0) / cross_entropies
    for i in range(2):
        for k in range(3):
            step = torch.zeros(2, 3, dtype=torch.float64)
            step[i, k] = 1e-6
            up, down = (factors * detached_focal_losses(LOGITS + h, LABELS, 0.0) for h in (step, -step))
            assert found[i, k].item() == pytest.approx(((up - down).sum() / 2e-6).item(), abs=1e-8)
    assert torch.autograd.gradcheck(lambda z: detached_focal_losses(z, LABELS, 0.0), logits)


def test_the_gradient_is_that_of_the_loss_also_where_the_answer_is_certain() -> None:
    logits = LOGITS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: sigmoid_focal_losses(z, LABELS, 0.5), logits)
    certain = torch.tensor([[200.0, -200.0, -200.0]], requires_grad=True)
    sigmoid_focal_losses(certain, torch.tensor([0]), 0.5).sum().backward()
    assert certain.grad is not None
    assert bool(certain.grad.isfinite().all())


def test_a_detached_factor_has_the_value_of_focal_loss_and_a_multiple_of_cross_entropys_gradient() -> None:
    logits = LOGITS.clone().requires_grad_()
    losses = detached_focal_losses(logits, LABELS, 2.0)
    assert losses.mean().item() == pytest.approx(focal_loss(LOGITS, LABELS, gamma=2.0).item(), abs=1e-12)
    assert losses.tolist() == pytest.approx([0.0110927501, 0.8174034942], abs=1e-10)
    (gradient,) = torch.autograd.grad(losses.sum(), logits)
    p = LOGITS.softmax(dim=1)
    hot = torch.nn.functional.one_hot(LABELS, 3)
    factor = (1 - p[torch.arange(2), LABELS]) ** 2
    torch.testing.assert_close(gradient, factor[:, None] * (p - hot))


@pytest.mark.parametrize(("classes", "expected"), [(10, -2.1972245773), (100, -4.5951198501)])
def test_the_bias_starts_low_and_does_not_decay(classes: int, expected: float) -> None:
    recipe = RECIPES[f"cifar{classes}-lt-if100-cb-focal-sigmoid"][1].change(backbone="digits_net")
    method = build_method(recipe, torch.ones(classes, dtype=torch.int64), (3, 32, 32))
    bias = method.classifier.bias
    assert bias.tolist() == pytest.approx([expected] * classes, abs=1e-6)
    step = TrainingStep(method, method.stages()[0], NORMALISATION, CPU)
    decays = {id(p): group["weight_decay"] for group in step.optimizer.param_groups for p in group["params"]}
    assert decays[id(bias)] == 0.0
    assert decays[id(method.classifier.weight)] == 2e-4


def test_the_softmax_form_has_a_usual_bias() -> None:
    assert not bool((built(digits("focal-detached")).classifier.bias == -math.log(2)).any())
    assert built(digits("focal-detached")).stages()[0].groups == ()
