"""BBN: mixed logits, the parabola and the reversed sampler, against the paper and the values of the authors' code."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from bcl_edu.methods import Clock, build_method
from bcl_edu.methods.bbn import BilateralBranch, bbn_loss, mixed_features, parabolic
from bcl_edu.methods.samplers import ByClass
from bcl_edu.models import parameter_count
from bcl_edu.models.bilateral import build_bilateral
from bcl_edu.rows import ROWS
from bcl_edu.training.distributed import Rank
from tests.methods.harness import built, digits, stage_batch

CONVENTIONAL = torch.tensor([[1.0, 0.5], [0.2, 0.3]], dtype=torch.float64)
REBALANCING = torch.tensor([[0.4, 1.2], [0.9, 0.1]], dtype=torch.float64)
WEIGHT = torch.tensor(
    [[0.5, -0.2, 0.1, 0.3], [-0.4, 0.6, 0.2, -0.1], [0.1, 0, 0.7, 0.4]], dtype=torch.float64
)
BIAS = torch.tensor([0.1, -0.1, 0.05], dtype=torch.float64)
LABELS, RARE = torch.tensor([0, 1]), torch.tensor([2, 2])


def at(epoch: int, epochs: int = 200) -> Clock:
    """An epoch, counted from 1 as in the paper."""
    return Clock(0, "main", epoch - 1, epochs, 0, 1, 0.1)


def loss(alpha: float, weight: Tensor = WEIGHT) -> Tensor:
    logits = functional.linear(mixed_features(CONVENTIONAL, REBALANCING, alpha), weight, BIAS)
    return bbn_loss(logits, LABELS, RARE, alpha)


@pytest.mark.parametrize(("epoch", "alpha"), [(1, 1.0), (2, 0.9999750), (101, 0.75), (200, 0.0099750)])
def test_the_parabola_of_200_epochs(epoch: int, alpha: float) -> None:
    assert parabolic(at(epoch)) == pytest.approx(alpha, abs=1e-12)


def test_the_papers_parabola_ends_at_0_and_the_codes_for_90_epochs_far_from_it() -> None:
    assert parabolic(at(200), from_one=True) == 0
    assert parabolic(at(90, 90), epochs=100) == pytest.approx(0.2079, abs=1e-12)
    assert parabolic(at(180, 180), epochs=200) == pytest.approx(0.1989750, abs=1e-12)


@pytest.mark.parametrize(("epoch", "expected"), [(1, 0.8616895209), (101, 0.9742471227), (200, 0.5302917459)])
def test_the_loss_of_two_pairs(epoch: int, expected: float) -> None:
    assert loss(parabolic(at(epoch))).item() == pytest.approx(expected, abs=1e-10)


def test_the_loss_is_the_loop_over_pairs() -> None:
    alpha, total = 0.3, 0.0
    for f_c, f_r, y_c, y_r in zip(CONVENTIONAL.tolist(), REBALANCING.tolist(), [0, 1], [2, 2], strict=True):
        mixed = [2 * alpha * x for x in f_c] + [2 * (1 - alpha) * x for x in f_r]
        rows = zip(WEIGHT.tolist(), BIAS.tolist(), strict=True)
        logits = [sum(w * x for w, x in zip(row, mixed, strict=True)) + bias for row, bias in rows]
        log_sum = math.log(sum(map(math.exp, logits)))
        total += alpha * (log_sum - logits[y_c]) + (1 - alpha) * (log_sum - logits[y_r])
    assert loss(alpha).item() == pytest.approx(total / 2, abs=1e-12)


def test_inference_is_the_mixture_at_one_half() -> None:
    expected = torch.tensor([[0.90, -0.24, 0.91], [0.26, 0.17, 0.74]], dtype=torch.float64)
    found = functional.linear(mixed_features(CONVENTIONAL, REBALANCING, 0.5), WEIGHT, BIAS)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        found, functional.linear(torch.cat([CONVENTIONAL, REBALANCING], 1), WEIGHT, BIAS)
    )


def test_the_gradient_is_that_of_the_loss() -> None:
    weight = WEIGHT.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda w: loss(0.3, w), weight)


def test_in_the_first_epoch_the_rebalancing_branch_learns_nothing() -> None:
    method = built(digits("bbn"))
    assert isinstance(method, BilateralBranch)
    batch = stage_batch(method.stages()[0], 12, Rank(), torch.float32)
    method(batch, at(1))["loss"].backward()
    assert not any(p.grad.any() for p in method.backbone.rebalancing.parameters())  # type: ignore[union-attr]
    assert not method.classifier.weight.grad[:, 64:].any()  # type: ignore[index]
    assert method.classifier.weight.grad[:, :64].any()  # type: ignore[index]


def test_equal_streams_at_one_half_are_plain_cross_entropy_of_both_features() -> None:
    method = built(digits("bbn", alpha_epochs=None)).eval()
    batch = stage_batch(method.stages()[0], 12, Rank(), torch.float32)
    batch.streams["reversed"].views.copy_(batch.views)
    batch.streams["reversed"].labels.copy_(batch.labels)
    half = Clock(0, "main", round(math.sqrt(0.5) * 10_000), 10_000, 0, 1, 0.1)
    expected = functional.cross_entropy(method.predict(batch.views[0]).logits, batch.labels)
    assert method(batch, half)["loss"].item() == pytest.approx(expected.item(), rel=1e-3)


def test_the_reversed_sampler_draws_a_class_the_more_often_the_rarer_it_is() -> None:
    labels = torch.arange(3).repeat_interleave(torch.tensor([1000, 100, 10]))
    drawn = labels[ByClass(power=1.0).draw(labels, 200_000, torch.Generator().manual_seed(0))]
    shares = torch.bincount(drawn) / len(drawn)
    assert shares.tolist() == pytest.approx([0.0090090090, 0.0900900901, 0.9009009009], abs=0.003)


@pytest.mark.parametrize(("classes", "expected"), [(10, 538_778), (100, 550_388)])
def test_the_network_has_the_authors_number_of_parameters(classes: int, expected: int) -> None:
    recipe = ROWS[f"cifar{classes}-lt-if100-bbn"].recipe
    method = build_method(recipe, torch.ones(classes, dtype=torch.int64), (3, 32, 32))
    assert (parameter_count(method.backbone), parameter_count(method)) == (537_488, expected)


def test_of_a_network_for_photographs_the_last_bottleneck_exists_twice() -> None:
    with torch.device("meta"):
        assert parameter_count(build_bilateral("resnet50", 3)) == 27_970_624


def test_the_rows_rate_is_that_of_the_authors() -> None:
    recipe = ROWS["cifar100-lt-if100-bbn"].recipe
    (stage,) = build_method(recipe, torch.ones(100, dtype=torch.int64), (3, 32, 32)).stages()
    rates = [stage.schedule.rate((epoch - 1) * 84, 84) for epoch in (1, 2, 3, 4, 5, 6, 119, 120, 159, 160)]
    expected = [0.0466667, 0.06, 0.0733333, 0.0866667, 0.1, 0.1, 0.1, 1e-3, 1e-3, 1e-5]
    assert rates == pytest.approx(expected, rel=1e-5)
    assert (stage.drop_last, stage.nesterov, stage.streams["reversed"].batch_size) == (True, True, 128)


def test_values_outside_their_range_are_refused() -> None:
    with pytest.raises(ValueError, match="alpha_epochs is 0"):
        digits("bbn", alpha_epochs=0)
