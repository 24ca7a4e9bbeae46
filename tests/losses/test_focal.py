"""Focal and class-balanced focal loss, written out sample by sample."""

import math

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import gradcheck
from torch.nn.functional import cross_entropy

from bcl_edu.losses import class_balanced_focal_loss, class_balanced_weights, focal_loss

COUNTS = torch.tensor([500, 50, 5])
LABELS = torch.tensor([0, 2, 1, 2])


def logits(dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return (3 * torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).to(dtype)


def by_loops(gamma: float, weights: list[float]) -> float:
    total = 0.0
    for phi, y in zip(logits().tolist(), LABELS.tolist(), strict=True):
        p = math.exp(phi[y]) / sum(math.exp(phi_j) for phi_j in phi)
        total -= weights[y] * (1 - p) ** gamma * math.log(p)
    return total / len(LABELS)


def weights_by_loops(beta: float) -> list[float]:
    effective = [sum(beta**m for m in range(n)) for n in COUNTS.tolist()]  # 1 + beta + ... + beta^(N-1)
    inverse = [1 / number for number in effective]
    return [len(COUNTS) * value / sum(inverse) for value in inverse]


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_loss_is_equation_4_of_lin_et_al(gamma: float) -> None:
    loss = focal_loss(logits(), LABELS, gamma=gamma)
    assert loss.item() == pytest.approx(by_loops(gamma, [1.0, 1.0, 1.0]), abs=1e-12)


def test_gamma_zero_is_cross_entropy() -> None:
    loss = focal_loss(logits(), LABELS, gamma=0.0)
    assert loss.item() == pytest.approx(cross_entropy(logits(), LABELS).item(), abs=1e-12)


@pytest.mark.parametrize("beta", [0.0, 0.9, 0.9999])
def test_weights_are_the_inverse_effective_numbers_of_cui_et_al(beta: float) -> None:
    weights = class_balanced_weights(COUNTS, beta=beta)
    assert weights.tolist() == pytest.approx(weights_by_loops(beta), rel=1e-12)
    assert weights.sum().item() == pytest.approx(3)


def test_beta_zero_weighs_all_classes_alike_and_beta_near_one_by_inverse_frequency() -> None:
    assert class_balanced_weights(COUNTS, beta=0.0).tolist() == [1.0, 1.0, 1.0]
    near = class_balanced_weights(COUNTS, beta=1 - 1e-12)
    assert (near[2] / near[0]).item() == pytest.approx(100, rel=1e-3)


@pytest.mark.parametrize(("gamma", "beta"), [(2.0, 0.9999), (1.0, 0.99), (0.0, 0.9)])
def test_class_balanced_focal_loss_is_the_weighted_mean_over_the_batch(gamma: float, beta: float) -> None:
    loss = class_balanced_focal_loss(logits(), LABELS, COUNTS, gamma=gamma, beta=beta)
    assert loss.item() == pytest.approx(by_loops(gamma, weights_by_loops(beta)), abs=1e-12)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_gradient_equals_finite_differences(gamma: float) -> None:
    assert gradcheck(lambda phi: focal_loss(phi, LABELS, gamma=gamma), (logits().requires_grad_(),))
    assert gradcheck(
        lambda phi: class_balanced_focal_loss(phi, LABELS, COUNTS, gamma=gamma), (logits().requires_grad_(),)
    )


def test_a_sample_that_is_surely_right_or_surely_wrong_has_a_finite_gradient() -> None:
    phi = torch.tensor([[1e4, -1e4, 0.0], [1e4, -1e4, 0.0]], requires_grad=True)
    loss = focal_loss(phi, torch.tensor([0, 1]), gamma=0.5)
    loss.backward()
    assert loss.item() == pytest.approx(1e4)  # the mean of 0 and 2e4
    assert phi.grad.isfinite().all()


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_of_a_single_class_there_is_nothing_to_learn(gamma: float) -> None:
    logits = torch.tensor([[0.3], [-2.0]], requires_grad=True)
    loss = focal_loss(logits, torch.tensor([0, 0]), gamma=gamma)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros(2, 1))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    phi = logits(dtype)
    loss = class_balanced_focal_loss(phi, LABELS, COUNTS)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(
        class_balanced_focal_loss(phi.double(), LABELS, COUNTS).item(), abs=1e-5
    )


def test_without_value_checks_no_value_is_read_on_the_host() -> None:
    with FakeTensorMode():
        phi = torch.empty(4, 3, requires_grad=True)
        y, counts = torch.empty(4, dtype=torch.int64), torch.empty(3, dtype=torch.int64)
        class_balanced_focal_loss(phi, y, counts, check=False).backward()
        assert phi.grad.shape == phi.shape


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"logits": torch.full((4, 3), torch.nan)}, r"logits\[0\] is not finite"),
        ({"labels": torch.tensor([0, 1, 2, 3])}, "label 3 at position 3, .*3 classes"),
        ({"class_counts": torch.tensor([5, 0, 5])}, r"class_counts\[1\] is 0, expected at least 1"),
        ({"class_counts": torch.tensor([5, 5])}, r"class_counts must have shape \(3,\)"),
        ({"gamma": -1.0}, "gamma .*at least 0, got -1"),
        ({"beta": 1.0}, "beta .*below 1, got 1"),
    ],
)
def test_bad_input_is_named(changed: dict, message: str) -> None:
    good = {"logits": logits(), "labels": LABELS, "class_counts": COUNTS}
    with pytest.raises(ValueError, match=message):
        class_balanced_focal_loss(**(good | changed))
