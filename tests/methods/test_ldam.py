"""LDAM's margins, loss and deferred weights, against the paper and the values of the authors' code."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from bcl_edu.data import exponential_profile
from bcl_edu.losses import class_balanced_weights
from bcl_edu.losses.margins import ldam_margins
from bcl_edu.methods import Clock, build_method
from bcl_edu.methods.ldam import (
    LabelDistributionAwareMargin,
    inverse_frequencies,
    ldam_losses,
)
from bcl_edu.models import parameter_count
from bcl_edu.rows import RECIPES
from bcl_edu.training.distributed import Rank
from tests.methods.by_hand import Given, batch, clock
from tests.methods.harness import built, digits, stage_batch

COUNTS = torch.tensor([1000, 100, 10])
COSINES = torch.tensor(
    [[0.40, 0.35, 0.20], [0.55, 0.10, 0.25], [0.05, 0.30, 0.20], [0.10, 0.20, 0.60]], dtype=torch.float64
)
LABELS = torch.tensor([0, 0, 1, 2])


def losses(counts: Tensor = COUNTS) -> Tensor:
    return ldam_losses(30 * COSINES, LABELS, ldam_margins(counts), scale=30.0)


def weighted(weights: Tensor) -> float:
    of_rows = weights[LABELS]
    return float((of_rows * losses()).sum() / of_rows.sum())


def test_margins_fall_with_the_fourth_root_of_the_count_to_half_for_the_rarest_class() -> None:
    expected = [0.1581138830, 0.2811706626, 0.5]
    for counts in (COUNTS, 5 * COUNTS):
        assert ldam_margins(counts).tolist() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(
    ("imbalance", "head"), [(100.0, 0.1581138830), (50.0, 0.1880301547), (10.0, 0.2811706626)]
)
def test_margins_of_cifar(imbalance: float, head: float) -> None:
    margins = ldam_margins(exponential_profile(500, 100, imbalance))
    assert (float(margins[0]), float(margins[-1])) == pytest.approx((head, 0.5), abs=1e-10)


def test_the_constant_of_the_margins_on_cifar_100() -> None:
    counts = exponential_profile(500, 100, 100.0)
    constant = ldam_margins(counts) * counts.double() ** 0.25
    assert constant.tolist() == pytest.approx([0.7476743906] * 100, abs=1e-10)


def test_the_loss_of_each_row_and_their_mean() -> None:
    expected = [3.2923393284, 0.0142263786, 5.4504711506, 3.0949229564]
    assert losses().tolist() == pytest.approx(expected, abs=1e-10)
    assert float(losses().mean()) == pytest.approx(2.9629899535, abs=1e-10)


def test_the_loss_is_the_loop_over_rows_and_classes() -> None:
    margins = [0.5 * (10 / n) ** 0.25 for n in COUNTS.tolist()]
    for cosines, label, loss in zip(COSINES.tolist(), LABELS.tolist(), losses().tolist(), strict=True):
        own = math.exp(30 * (cosines[label] - margins[label]))
        others = sum(math.exp(30 * cosine) for k, cosine in enumerate(cosines) if k != label)
        assert loss == pytest.approx(-math.log(own / (own + others)), abs=1e-12)


def test_deferred_weights_divide_by_the_batchs_sum_of_weights() -> None:
    assert weighted(class_balanced_weights(COUNTS)) == pytest.approx(3.2789094290, abs=1e-10)
    assert weighted(inverse_frequencies(COUNTS)) == pytest.approx(3.2794961862, abs=1e-10)


@pytest.mark.parametrize(
    ("class_weights", "expected"),
    [("effective-number", 3.2789094290), ("inverse-frequency", 3.2794961862)],
)
def test_the_methods_loss_before_and_after_classes_weigh(class_weights: str, expected: float) -> None:
    recipe = digits("ldam-drw", epochs=30, weights_from=15, class_weights=class_weights)
    method = build_method(recipe, COUNTS, (1, 8, 8))
    method.classifier = Given(30 * COSINES)
    seen = batch(torch.rand(1, 4, 1, 8, 8), LABELS)
    found = [method(seen, clock(epoch=epoch, epochs=30))["loss"].item() for epoch in (0, 14, 15, 29)]
    assert found == pytest.approx([2.9629899535] * 2 + [expected] * 2, abs=1e-9)
    plain_mean = (class_balanced_weights(COUNTS)[LABELS] * losses()).mean().item()
    assert plain_mean == pytest.approx(2.4824315079, abs=1e-10)  # what it must not be


@pytest.mark.parametrize(
    ("head", "classes", "first", "last"),
    [(500, 100, 0.0448756601, 4.3783125627), (5000, 10, 0.0506113612, 3.9927238170)],
)
def test_deferred_weights_of_cifar(head: int, classes: int, first: float, last: float) -> None:
    weights = class_balanced_weights(exponential_profile(head, classes, 100.0))
    assert (float(weights[0]), float(weights[-1])) == pytest.approx((first, last), abs=1e-10)


def test_effective_numbers() -> None:
    counts = torch.tensor([5000, 5])
    inverse = class_balanced_weights(counts)
    first, second = 3934.8450437522, 4.9990001000
    assert float(inverse[1] / inverse[0]) == pytest.approx(first / second, rel=1e-10)


def test_equal_counts_make_an_additive_margin_and_no_margin_makes_cross_entropy() -> None:
    same = ldam_margins(torch.tensor([7, 7, 7]))
    assert same.tolist() == [0.5] * 3
    without = ldam_losses(30 * COSINES, LABELS, torch.zeros(3), scale=30.0)
    expected = functional.cross_entropy(30 * COSINES, LABELS, reduction="none")
    torch.testing.assert_close(without, expected)


def test_the_gradient_is_that_of_the_loss() -> None:
    cosines = COSINES.clone().requires_grad_()
    margins = ldam_margins(COUNTS)
    assert torch.autograd.gradcheck(lambda c: ldam_losses(3 * c, LABELS, margins, scale=3.0), cosines)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    found = ldam_losses((30 * COSINES).to(dtype), LABELS, ldam_margins(COUNTS), scale=30.0)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), losses(), atol=0.1, rtol=0.02)


@pytest.mark.parametrize(("classes", "expected"), [(10, 464_144), (100, 469_904)])
def test_the_network_has_the_authors_number_of_parameters(classes: int, expected: int) -> None:
    recipe = RECIPES[f"cifar{classes}-lt-if100-ldam-drw"][1]
    method = build_method(recipe, torch.ones(classes, dtype=torch.int64), (3, 32, 32))
    assert parameter_count(method) == expected
    torch.testing.assert_close(method.classifier.weight.norm(dim=1), torch.ones(classes))


def test_classes_are_weighed_from_the_first_decay_of_the_rate_on() -> None:
    recipe = digits("ldam-drw", epochs=30, weights_from=None)  # milestones at 24 and 27
    method = built(recipe)
    assert isinstance(method, LabelDistributionAwareMargin)
    stage = method.stages()[0]
    batch = stage_batch(stage, 12, Rank(), torch.float32)

    def loss(epoch: int) -> float:
        return method(batch, Clock(0, "main", epoch, 30, 0, 4, 0.1))["loss"].item()

    assert loss(0) == pytest.approx(loss(23), rel=1e-5)
    assert abs(loss(24) - loss(23)) > 1e-3
    assert loss(24) == pytest.approx(loss(29), rel=1e-5)
    rates = [stage.schedule.rate(epoch * 4, 4) for epoch in range(30)]
    assert next(epoch for epoch in range(1, 30) if rates[epoch] < rates[epoch - 1]) == 24


def test_the_rows_rate_is_that_of_the_authors() -> None:
    recipe = RECIPES["cifar100-lt-if100-ldam-drw"][1]
    method = build_method(recipe, torch.ones(100, dtype=torch.int64), (3, 32, 32))
    schedule = method.stages()[0].schedule
    epochs = [0, 1, 4, 5, 159, 160, 179, 180, 199]
    expected = [0.02, 0.04, 0.1, 0.1, 0.1, 1e-3, 1e-3, 1e-5, 1e-5]
    assert [schedule.rate(epoch * 84 + 83, 84) for epoch in epochs] == pytest.approx(expected)
    assert isinstance(method, LabelDistributionAwareMargin)
    assert method.weights_from(200) == 160


@pytest.mark.parametrize(
    ("name", "value"), [("largest_margin", -0.1), ("scale", 0.0), ("weights_beta", 1.0), ("weights_from", -1)]
)
def test_values_outside_their_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        digits("ldam-drw", **{name: value})
