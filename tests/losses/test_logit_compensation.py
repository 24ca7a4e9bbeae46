"""Eq. 10, written out sample by sample."""

import math

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.autograd import gradcheck
from torch.nn.functional import cross_entropy

from bcl_edu.losses import logit_compensated_cross_entropy

COUNTS = torch.tensor([500, 50, 5])
LABELS = torch.tensor([0, 2, 1, 2])


def logits(dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return (3 * torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).to(dtype)


def test_is_equation_10() -> None:
    phi, delta = logits().tolist(), [math.log(count / 555) for count in COUNTS.tolist()]
    losses = [
        math.log(
            1
            + sum(math.exp(delta[j] - delta[y]) * math.exp(phi[i][j] - phi[i][y]) for j in range(3) if j != y)
        )
        for i, y in enumerate(LABELS.tolist())
    ]
    loss = logit_compensated_cross_entropy(logits(), LABELS, COUNTS)
    assert loss.item() == pytest.approx(sum(losses) / 4, abs=1e-12)


def test_equal_counts_are_plain_cross_entropy() -> None:
    loss = logit_compensated_cross_entropy(logits(), LABELS, torch.tensor([7, 7, 7]))
    assert loss.item() == pytest.approx(cross_entropy(logits(), LABELS).item(), abs=1e-12)


def test_without_evidence_the_loss_is_the_surprise_of_the_prior() -> None:
    loss = logit_compensated_cross_entropy(torch.zeros(1, 3, dtype=torch.float64), torch.tensor([2]), COUNTS)
    assert loss.item() == pytest.approx(math.log(555 / 5), abs=1e-12)


def test_gradient_equals_finite_differences() -> None:
    assert gradcheck(
        lambda phi: logit_compensated_cross_entropy(phi, LABELS, COUNTS), (logits().requires_grad_(),)
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    phi = logits(dtype)
    loss = logit_compensated_cross_entropy(phi, LABELS, COUNTS)
    assert loss.dtype == torch.float32
    expected = logit_compensated_cross_entropy(phi.double(), LABELS, COUNTS).item()
    assert loss.item() == pytest.approx(expected, abs=1e-5)


def test_autocast_changes_nothing() -> None:
    phi = logits(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = logit_compensated_cross_entropy(phi, LABELS, COUNTS)
    assert torch.equal(loss, logit_compensated_cross_entropy(phi, LABELS, COUNTS))


def test_large_logits_do_not_overflow() -> None:
    phi = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    loss = logit_compensated_cross_entropy(phi, torch.tensor([1]), COUNTS)
    loss.backward()
    assert loss.item() == pytest.approx(2e4 + math.log(10), rel=1e-6)
    assert phi.grad.tolist() == [[1.0, -1.0, 0.0]]


def test_without_value_checks_no_value_is_read_on_the_host() -> None:
    with FakeTensorMode():
        phi = torch.empty(4, 3, requires_grad=True)
        y, counts = torch.empty(4, dtype=torch.int64), torch.empty(3, dtype=torch.int64)
        logit_compensated_cross_entropy(phi, y, counts, check=False).backward()
        assert phi.grad.shape == phi.shape
        with pytest.raises(DataDependentOutputException):
            logit_compensated_cross_entropy(phi, y, counts)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"logits": torch.zeros(3)}, r"\(n, k\) .*got \(3,\)"),
        ({"logits": torch.zeros(0, 3)}, r"\(n, k\) .*got \(0, 3\)"),
        ({"logits": torch.zeros(4, 3, dtype=torch.int64)}, r"floating point, got torch.int64"),
        ({"logits": torch.full((4, 3), torch.nan)}, r"logits\[0\] is not finite"),
        ({"class_counts": torch.tensor([5, 5])}, r"class_counts must have shape \(3,\).*got \(2,\)"),
        ({"class_counts": torch.tensor([5, 0, 5])}, r"class_counts\[1\] is 0, expected at least 1"),
        ({"class_counts": torch.tensor([5, 5, -2])}, r"class_counts\[2\] is -2, expected at least 1"),
        ({"labels": torch.tensor([0, 1, 2, 3])}, r"label 3 at position 3, .*3 classes"),
        ({"labels": torch.tensor([0, -100, 2, 1])}, r"label -100 at position 1, but"),
        ({"labels": torch.tensor([0, 1])}, r"labels .*\(4,\), .*logits"),
        (
            {"labels": torch.zeros(4, device="meta", dtype=torch.int64)},
            "labels on meta",
        ),
    ],
)
def test_bad_input_is_named(changed: dict, message: str) -> None:
    good = {"logits": logits(), "labels": LABELS, "class_counts": COUNTS}
    with pytest.raises(ValueError, match=message):
        logit_compensated_cross_entropy(**(good | changed))
