"""Equal classes at the simplex by averaging, and the first-order effect of a slight imbalance."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bcl_edu import geometry
from tests.geometry.test_optimum import CONTRASTIVE, random_gram

LOSSES = [*CONTRASTIVE, "bcl-prototypes"]


def nearly_equal(num_classes: int, factor: float) -> np.ndarray:
    """A million samples a class and slightly fewer, so that n - 1 is n."""
    return 1e6 * factor ** (-np.arange(num_classes) / (num_classes - 1))


def test_the_average_is_that_over_all_permutations_of_equal_classes() -> None:
    gram = random_gram(4, seed=3)
    orders = [[*order, 3] for order in itertools.permutations(range(3))]  # class 3 has another count
    expected = torch.stack([gram[order][:, order] for order in orders]).mean(dim=0)
    averaged = geometry.average_over_equal_classes(gram, [5, 5, 5, 2])
    assert averaged.numpy() == pytest.approx(expected.numpy(), abs=1e-12)


@given(
    loss=st.sampled_from(LOSSES),
    tau=st.sampled_from([0.05, 0.1, 1.0, 10.0]),
    counts=st.sampled_from([(7, 7, 7, 7), (9, 9, 2, 2), (30, 5, 5, 5), (8, 6, 4, 2)]),
    seed=st.integers(0, 2**31),
)
def test_averaging_over_equal_classes_never_raises_a_loss(
    loss: str, tau: float, counts: tuple[int, ...], seed: int
) -> None:
    gram = random_gram(4, seed)
    averaged = geometry.average_over_equal_classes(gram, counts)
    before, after = (geometry.collapsed_loss(one, counts, loss, temperature=tau) for one in (gram, averaged))
    assert after <= before + 1e-12 * max(1.0, abs(before))


@given(num_classes=st.integers(2, 8), seed=st.integers(0, 2**31))
def test_the_one_cosine_of_equal_classes_is_at_least_that_of_the_simplex(num_classes: int, seed: int) -> None:
    averaged = geometry.average_over_equal_classes(random_gram(num_classes, seed), [3] * num_classes)
    cosines = averaged[~torch.eye(num_classes, dtype=torch.bool)]
    assert (cosines - cosines[0]).abs().max() < 1e-12
    assert cosines[0] >= -1 / (num_classes - 1) - 1e-12


@given(loss=st.sampled_from(LOSSES), tau=st.floats(-2, 1).map(lambda x: 10**x), seed=st.integers(0, 2**31))
def test_no_arrangement_of_equal_classes_is_below_the_simplex_at_any_temperature(
    loss: str, tau: float, seed: int
) -> None:
    simplex = geometry.cosine_matrix(geometry.regular_simplex(5))
    least = geometry.collapsed_loss(simplex, [4] * 5, loss, temperature=tau)
    assert geometry.collapsed_loss(random_gram(5, seed), [4] * 5, loss, temperature=tau) >= least


def test_a_gram_matrix_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, 3\); expected \(2, 2\)"):
        geometry.average_over_equal_classes(torch.eye(3), [1, 1])


# ---- the first order


@pytest.mark.parametrize("tau", [0.1, 0.5, 1.0, 10.0])
@pytest.mark.parametrize("num_classes", [3, 4, 10])
@pytest.mark.parametrize("loss", CONTRASTIVE)
def test_a_slight_imbalance_bends_the_optimum_as_derived(loss: str, num_classes: int, tau: float) -> None:
    counts = nearly_equal(num_classes, 1.01)
    optimum = geometry.certified_optimum(counts, loss, temperature=tau, tolerance=1e-12)
    derived = geometry.first_order_gram(counts, loss, temperature=tau)
    size = math.log(1.01)  # the error is of second order
    assert (optimum.gram - derived).abs().max().item() < size**2


@pytest.mark.parametrize(("num_classes", "tau"), [(3, 0.5), (4, 1.0), (10, 0.5), (10, 1.0), (10, 10.0)])
def test_averaging_the_denominator_removes_the_derived_part_of_the_bending(
    num_classes: int, tau: float
) -> None:
    counts = nearly_equal(num_classes, 1.001)
    bcl, scl = (
        geometry.certified_optimum(counts, loss, temperature=tau, tolerance=1e-12).deviation.rms
        for loss in ("bcl", "scl")
    )
    assert bcl / scl == pytest.approx(geometry.first_order_ratio(num_classes, tau), rel=1e-4)


@pytest.mark.parametrize("num_classes", [3, 10, 100])
def test_at_high_temperature_one_half_is_removed_and_at_low_temperature_nothing(num_classes: int) -> None:
    assert geometry.first_order_ratio(num_classes, 1e6) == pytest.approx(0.5, abs=1e-5)
    assert geometry.first_order_ratio(num_classes, 0.02) == pytest.approx(1, abs=1e-9)
    assert geometry.first_order_ratio(10, 0.1) > 0.999


def test_the_tail_is_nearer_together_than_the_head() -> None:
    gram = geometry.first_order_gram([110, 105, 100, 95], "bcl", temperature=1.0)
    assert gram[2, 3] > -1 / 3 > gram[0, 1]
    assert gram.sum().item() == pytest.approx(0, abs=1e-12)  # the means still add up to zero


def test_two_classes_do_not_bend() -> None:
    gram = geometry.first_order_gram([9, 2], "scl", temperature=1.0)
    assert gram[0, 1].item() == pytest.approx(-1, abs=1e-12)
    with pytest.raises(ValueError, match="num_classes is 2"):
        geometry.first_order_ratio(2, 1.0)


@pytest.mark.parametrize("arguments", [{"class_counts": [3]}, {"class_counts": [3, 0]}, {"temperature": 0.0}])
def test_arguments_out_of_range_are_refused(arguments: dict) -> None:
    with pytest.raises(ValueError, match=r"class_counts|temperature"):
        geometry.first_order_gram(**{"class_counts": [3, 2], "temperature": 1.0, **arguments})
