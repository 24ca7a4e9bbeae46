"""ProCo: Bessel functions against closed forms and SciPy, the loss against the authors', the running means."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import special
from torch import Tensor
from torch.nn import functional

from bcl_edu.losses.bessel import log_bessel_ratio
from bcl_edu.methods.proco import ClassMeans, concentrations, expected_similarities
from bcl_edu.rows import ROWS
from bcl_edu.training.distributed import Rank
from tests.methods.harness import built, clock_of, digits, stage_batch

COUNTS = torch.tensor([6, 3, 1])
LOG_PRIOR = (COUNTS.double() / 10).log()
SMALL = torch.diag(torch.tensor([0.6, 0.5, 0.4], dtype=torch.float64))


def along_axes(dim: int) -> Tensor:
    means = torch.zeros(3, dim, dtype=torch.float64)
    means[[0, 1, 2], [0, 1, 2]] = torch.tensor([0.9, 0.7, 0.5], dtype=torch.float64)
    return means


def embedding(dim: int) -> Tensor:
    z = torch.zeros(1, dim, dtype=torch.float64)
    z[0, :2] = torch.tensor([0.6, 0.8], dtype=torch.float64)
    return z


def losses(similarities: Tensor) -> list[float]:
    return [functional.cross_entropy(similarities + LOG_PRIOR, torch.tensor([y])).item() for y in range(3)]


# ---- Bessel functions


@pytest.mark.parametrize("kappa", [1e-3, 0.5, 3.0, 40.0, 600.0])
def test_in_three_dimensions_it_is_the_hyperbolic_sine(kappa: float) -> None:
    expected = 0.5 * math.log(2 / math.pi) + kappa + math.log(-math.expm1(-2 * kappa) / 2) - math.log(kappa)
    assert log_bessel_ratio(torch.tensor(kappa), 0.5).item() == pytest.approx(expected, abs=1e-7)
    wide = torch.tensor(kappa, dtype=torch.float64)
    assert log_bessel_ratio(wide, 0.5).item() == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("order", [0.0, 0.5, 1.0, 7.0, 15.0, 63.0, 511.0])
@pytest.mark.parametrize("kappa", [1e-6, 0.1, 1.0, 30.0, 606.3157894737, 1e4, 1e5])
def test_it_agrees_with_scipy_where_scipy_does_not_overflow(order: float, kappa: float) -> None:
    scaled = special.ive(order, kappa)
    if scaled < 1e-290:
        pytest.skip("SciPy's value underflows")
    expected = math.log(scaled) + kappa - order * math.log(kappa)
    found = log_bessel_ratio(torch.tensor(kappa, dtype=torch.float64), order).item()
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-9)


def test_at_zero_it_is_a_gamma_function() -> None:
    found = log_bessel_ratio(torch.zeros((), dtype=torch.float64), 63.0).item()
    assert found == pytest.approx(-63 * math.log(2) - math.lgamma(64), abs=1e-10)


@pytest.mark.parametrize("order", [0.5, 63.0])
def test_its_slope_lies_between_zero_and_one(order: float) -> None:
    kappa = torch.logspace(-3, 5, 200, dtype=torch.float64).requires_grad_()
    log_bessel_ratio(kappa, order).sum().backward()
    assert kappa.grad is not None
    assert bool(((kappa.grad > 0) & (kappa.grad < 1)).all())
    assert torch.autograd.gradcheck(
        lambda k: log_bessel_ratio(k, order), torch.tensor([0.3, 5.0, 70.0]).double().requires_grad_()
    )


def test_a_negative_order_is_refused() -> None:
    with pytest.raises(ValueError, match=r"order is -0\.5"):
        log_bessel_ratio(torch.ones(()), -0.5)


# ---- the loss


def test_three_dimensions() -> None:
    z = embedding(3)
    assert concentrations(SMALL.norm(dim=1), 3).tolist() == pytest.approx([2.8125, 2, 1.4285714286], abs=1e-9)
    found = expected_similarities(z, SMALL, temperature=0.5)
    assert found[0].tolist() == pytest.approx([1.0815548700, 1.1722458375, 0.5384308098], abs=1e-9)
    assert losses(found) == pytest.approx([0.4973068864, 1.0997630995, 2.8321904158], abs=1e-9)


def test_a_hundred_and_twenty_eight_dimensions() -> None:
    z, means = embedding(128).requires_grad_(), along_axes(128)
    expected = [606.3157894737, 175.6862745098, 85.3333333333]
    assert concentrations(means.norm(dim=1), 128).tolist() == pytest.approx(expected, abs=1e-9)
    found = expected_similarities(z, means, temperature=0.1)
    assert found[0].tolist() == pytest.approx([5.4538559557, 5.7222322409, 0.2931168927], abs=1e-9)
    assert losses(found) == pytest.approx([0.5037259770, 0.9284968723, 7.4562245092], abs=1e-9)
    functional.cross_entropy(found + LOG_PRIOR, torch.tensor([0])).backward()
    assert z.grad is not None
    expected = [-3.4754756021, 2.7651859428, 0.0028866861]
    assert z.grad[0, :3].tolist() == pytest.approx(expected, abs=1e-9)


def test_the_papers_concentration() -> None:
    found = expected_similarities(embedding(128), along_axes(128), temperature=0.1, formula="paper")
    assert losses(found) == pytest.approx([0.5022896885, 0.9307045777, 7.4512705532], abs=1e-9)


def test_classes_without_concentration_leave_the_prior() -> None:
    found = expected_similarities(embedding(128), along_axes(128) * 1e-9, temperature=0.1)
    assert found[0].tolist() == pytest.approx([0.389460409298] * 3, abs=1e-6)
    assert losses(found) == pytest.approx((-LOG_PRIOR).tolist(), abs=1e-6)


def test_classes_in_one_point_make_a_cosine_classifier() -> None:
    means = along_axes(128)
    means = means / means.norm(dim=1, keepdim=True) * (1 - 1e-9)
    found = expected_similarities(embedding(128), means, temperature=0.1)
    assert found[0].tolist() == pytest.approx([6.0, 8.0, 0.0], abs=0.1)


@pytest.mark.parametrize("formula", ["code", "paper"])
def test_the_similarities_are_the_loop_over_embeddings_and_classes(formula: str) -> None:
    generator = torch.Generator().manual_seed(0)
    z = functional.normalize(torch.randn(2, 6, generator=generator).double(), dim=1)
    means = 0.5 * functional.normalize(torch.randn(3, 6, generator=generator).double(), dim=1)

    def log_ratio(kappa: float) -> float:
        return math.log(special.iv(2, kappa)) - 2 * math.log(kappa)  # ν = 6/2 - 1

    found = expected_similarities(z, means, temperature=0.3, formula=formula)
    for i in range(2):
        for c in range(3):
            length = math.sqrt(sum(x * x for x in means[c].tolist()))
            kappa = length * (6 if formula == "code" else 6 - length**2) / (1 - length**2)
            moved = [
                kappa * m / length + x / 0.3 for m, x in zip(means[c].tolist(), z[i].tolist(), strict=True)
            ]
            expected = log_ratio(math.sqrt(sum(x * x for x in moved))) - log_ratio(kappa)
            assert found[i, c].item() == pytest.approx(expected, abs=1e-11)


def test_gradients_are_those_of_differences() -> None:
    z = functional.normalize(torch.randn(2, 6, generator=torch.Generator().manual_seed(0)).double(), dim=1)
    means = functional.normalize(
        torch.randn(3, 6, generator=torch.Generator().manual_seed(1)).double(), dim=1
    )
    assert torch.autograd.gradcheck(
        lambda z: expected_similarities(z, 0.7 * means, temperature=0.3), z.requires_grad_()
    )


# ---- running means


def test_running_means_are_the_means_of_all_embeddings() -> None:
    torch.manual_seed(0)
    z, labels = torch.randn(9, 4), torch.tensor([0, 1, 0, 2, 2, 2, 0, 1, 0])
    kept = ClassMeans(torch.full((4, 4), 7.0), torch.zeros(4))
    for part in (slice(0, 2), slice(2, 6), slice(6, 9)):
        kept = kept.with_more(z[part], labels[part])
    for label in range(3):
        torch.testing.assert_close(kept.mean[label], z[labels == label].mean(dim=0))
    assert kept.mean[3].tolist() == [7.0] * 4  # a class that was not seen keeps what it had
    assert kept.number.tolist() == [4, 2, 3, 0]


def test_a_step_is_in_the_means_once_and_an_epoch_takes_the_place_of_the_one_before() -> None:
    method = built(digits("proco"))
    stage = method.stages()[0]
    batch = stage_batch(stage, 6, Rank(), torch.float32)
    method(batch, clock_of(stage))
    method(batch, clock_of(stage))
    assert method.count.sum() == 0
    method.after_step(clock_of(stage))
    assert (method.count.sum(), method.epoch_count.sum()) == (12, 12)  # two views of six images
    method(batch, clock_of(stage))
    method.after_step(clock_of(stage))
    torch.testing.assert_close(method.mean, method.epoch_mean)
    with torch.no_grad():
        method.before_epoch(clock_of(stage), lambda stream: iter(()))
    assert (method.count.sum(), method.epoch_count.sum()) == (24, 0)


def test_rows_crop_wider_and_do_not_blur() -> None:
    recipe = ROWS["cifar100-lt-if100-proco"].recipe
    assert (recipe.crop_scale, recipe.blur, recipe.learning_rate, recipe.weight_decay) == (
        (0.08, 1.0),
        False,
        0.3,
        2e-4,
    )
