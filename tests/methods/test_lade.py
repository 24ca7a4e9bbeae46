"""LADE's regulariser in both forms, and Balanced Softmax, against the values of the paper and the code."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from bcl_edu.losses import logit_compensated_cross_entropy
from bcl_edu.methods.lade import lader, log_normalisers, own_logits
from bcl_edu.training.distributed import Rank
from tests.methods.harness import built, clock_of, digits, stage_batch

LOGITS = torch.tensor([[2, 0.5, -1], [0.3, 1.2, 0.1], [1, 0.9, 0.7], [-0.4, 0.2, 1.5]], dtype=torch.float64)
LABELS = torch.tensor([0, 0, 1, 2])
COUNTS = torch.tensor([100, 10, 1])


def regulariser(
    logits: Tensor = LOGITS, labels: Tensor = LABELS, *, strength: float = 0.1, by_sample: bool = False
) -> Tensor:
    return lader(logits, labels, COUNTS, strength=strength, by_sample=by_sample)


DIGITS = 1e-10


def test_the_regulariser_as_in_the_code_and_as_in_the_paper() -> None:
    assert float(regulariser()) == pytest.approx(-0.7441910325, abs=DIGITS)
    assert float(regulariser(by_sample=True)) == pytest.approx(1.7049695080, abs=DIGITS)


@pytest.mark.parametrize(
    ("by_sample", "expected"),
    [
        (False, [0.1149303504, 2.0795797519, 4.3001188341]),
        (True, [2.2537331052, 2.6413921677, 3.7717167682]),
    ],
)
def test_the_terms_of_the_regulariser(by_sample: bool, expected: list[float]) -> None:
    found = log_normalisers(LOGITS, LABELS, (COUNTS.double() / 111).log(), by_sample=by_sample)
    assert found.tolist() == pytest.approx(expected, abs=DIGITS)
    assert own_logits(LOGITS, LABELS).tolist() == pytest.approx([1.15, 0.9, 1.5], abs=1e-12)


def test_the_code_differs_by_its_epsilons_alone() -> None:
    total = 0.0
    for c, count in enumerate(COUNTS.tolist()):
        prior = count / 111
        own = [row[c] for row, y in zip(LOGITS.tolist(), LABELS.tolist(), strict=True) if y == c]
        mean = sum(math.exp(row[c]) for row in LOGITS.tolist()) / 4
        s = math.log(mean) + math.log(1 / 3 + 1e-9) - math.log(prior + 1e-9)
        total += prior * (
            -sum(own) / len(own) + s + 0.1 * s * s
        )  # 1e-8 more than an integer is lost in float32
    assert total == pytest.approx(-0.7441910336, abs=1e-10)
    assert float(regulariser()) - total == pytest.approx(1.1e-9, abs=2e-10)


def test_a_class_that_is_not_in_the_batch_keeps_its_second_term_in_the_code() -> None:
    assert float(regulariser(LOGITS[:3], LABELS[:3])) == pytest.approx(-0.5044722499, abs=DIGITS)


def test_the_whole_loss() -> None:
    compensated = logit_compensated_cross_entropy(LOGITS, LABELS, COUNTS)
    assert float(compensated) == pytest.approx(1.4181394709, abs=1e-9)
    assert float(compensated + 0.1 * regulariser()) == pytest.approx(1.3437203677, abs=DIGITS)
    assert float(compensated + 0.1 * regulariser(by_sample=True)) == pytest.approx(1.5886364217, abs=DIGITS)


@pytest.mark.parametrize("by_sample", [False, True])
def test_the_regulariser_is_the_loop_over_classes(by_sample: bool) -> None:
    prior = [count / 111 for count in COUNTS.tolist()]
    expected = 0.0
    for c in range(3):
        own = [row[c] for row, y in zip(LOGITS.tolist(), LABELS.tolist(), strict=True) if y == c]
        total = 0.0
        for row, y in zip(LOGITS.tolist(), LABELS.tolist(), strict=True):
            total += math.exp(row[c]) / (3 * prior[y if by_sample else c])
        s = math.log(total / 4)
        expected += prior[c] * (-sum(own) / len(own) + s + 0.1 * s * s)
    assert float(regulariser(by_sample=by_sample)) == pytest.approx(expected, abs=DIGITS)


@pytest.mark.parametrize("by_sample", [False, True])
def test_without_the_square_a_constant_on_a_logit_changes_nothing(by_sample: bool) -> None:
    moved = LOGITS + torch.tensor([3.0, 0.0, -2.0])
    before = regulariser(strength=0.0, by_sample=by_sample)
    assert float(regulariser(moved, strength=0.0, by_sample=by_sample)) == pytest.approx(float(before))


@pytest.mark.parametrize("by_sample", [False, True])
def test_density_ratios_of_separate_classes_attain_minus_log_k(by_sample: bool) -> None:
    """Shares of the batch are those of the training set, f is log K on the own class, next to nothing elsewhere."""
    labels = torch.arange(3).repeat_interleave(COUNTS)
    f = torch.full((111, 3), -1e4, dtype=torch.float64)
    f[torch.arange(111), labels] = math.log(3)
    found = lader(f, labels, COUNTS, strength=0.7, by_sample=by_sample)
    assert float(found) == pytest.approx(-math.log(3), abs=DIGITS)


@pytest.mark.parametrize("by_sample", [False, True])
def test_the_gradient_is_that_of_the_loss(by_sample: bool) -> None:
    logits = LOGITS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: regulariser(z, by_sample=by_sample), logits)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    found = regulariser(LOGITS.to(dtype))
    assert found.dtype == torch.float32
    assert float(found) == pytest.approx(float(regulariser()), abs=0.01)


def test_balanced_softmax_is_logit_compensation_and_lade_without_its_regulariser() -> None:
    first, second = built(digits("balanced-softmax")), built(digits("lade", alpha=0.0))
    stage = first.stages()[0]
    batch = stage_batch(stage, 12, Rank(), torch.float32)
    expected = logit_compensated_cross_entropy(
        first.logits(first.extract(batch.views[0])), batch.labels, first.class_counts
    )
    assert torch.equal(first(batch, clock_of(stage))["loss"], second(batch, clock_of(stage))["loss"])
    assert first(batch, clock_of(stage))["loss"].item() == pytest.approx(expected.item())


def test_zero_logits_cost_minus_the_logarithm_of_the_prior() -> None:
    rows = [
        logit_compensated_cross_entropy(
            torch.zeros(1, 3, dtype=torch.float64), torch.tensor([label]), COUNTS
        ).item()
        for label in range(3)
    ]
    assert rows == pytest.approx([0.1043600153, 2.4069451083, 4.7095302013], abs=1e-10)


def test_balanced_softmax_of_each_row_and_its_gradient() -> None:
    rows = [
        logit_compensated_cross_entropy(LOGITS[i : i + 1], LABELS[i : i + 1], COUNTS).item() for i in range(4)
    ]
    assert rows == pytest.approx([0.0225546084, 0.2264561535, 2.4959770014, 2.9275701205], abs=1e-10)
    logits = LOGITS[2:3].clone().requires_grad_()
    logit_compensated_cross_entropy(logits, LABELS[2:3], COUNTS).backward()
    assert logits.grad is not None
    assert logits.grad[0].tolist() == pytest.approx([0.9108364659, -0.9175841084, 0.0067476425], abs=1e-10)
