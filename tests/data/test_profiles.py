import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bcl_edu.data import exponential_profile, pareto_profile, step_profile

PROFILES = [exponential_profile, step_profile, pareto_profile]


def exact_exponential(n_max: int, num_classes: int, factor: Fraction) -> list[int]:
    """The definition in whole numbers: the largest n with n^(K-1) IF^k <= n_max^(K-1)."""
    steps = max(num_classes - 1, 1)
    counts = []
    for k in range(num_classes):
        n = n_max
        while n**steps * factor**k > n_max**steps:
            n -= 1
        counts.append(n)
    return counts


@pytest.mark.parametrize(
    ("n_max", "num_classes", "imbalance_factor", "total"),
    [
        (500, 100, 100, 10_847),  # CIFAR-100-LT
        (500, 100, 50, 12_608),
        (500, 100, 10, 19_573),
        (5_000, 10, 100, 12_406),  # CIFAR-10-LT
        (5_000, 10, 50, 13_996),
        (5_000, 10, 10, 20_431),
    ],
)
def test_exponential_profile_has_the_published_number_of_images(
    n_max: int, num_classes: int, imbalance_factor: float, total: int
) -> None:
    counts = exponential_profile(n_max, num_classes, imbalance_factor)
    assert counts.dtype == torch.int64
    assert int(counts.sum()) == total


def test_exponential_profile_is_not_misled_by_floating_point() -> None:
    assert math.floor(10**6 * (10**6) ** (-5 / 6)) == 9, (
        "rounding loses an image here: the case is worth testing"
    )
    assert exponential_profile(10**6, 7, 10**6).tolist() == [10**6, 10**5, 10**4, 1000, 100, 10, 1]


def test_a_decimal_factor_is_read_as_written() -> None:
    assert Fraction(11) / Fraction(1.1) < 10, (
        "the binary fraction nearest to 1.1 is larger: the case is worth testing"
    )
    assert exponential_profile(11, 2, 1.1).tolist() == [11, 10]


@given(
    n_max=st.integers(1, 100),
    num_classes=st.integers(1, 8),
    factor=st.sampled_from([1, 1.5, 2, 4, 8, 9, 10, 12.5, 64, 100]),
)
def test_exponential_profile_is_its_definition_in_whole_numbers(
    n_max: int, num_classes: int, factor: float
) -> None:
    if factor <= n_max:
        expected = exact_exponential(n_max, num_classes, Fraction(factor))
        assert exponential_profile(n_max, num_classes, factor).tolist() == expected


@pytest.mark.parametrize("profile", PROFILES)
@given(n_max=st.integers(1, 5000), num_classes=st.integers(2, 200), share=st.floats(0, 1))
def test_every_profile_falls_from_n_max_to_n_max_over_the_factor(
    profile, n_max: int, num_classes: int, share: float
) -> None:
    factor = min(n_max**share, float(n_max))  # from 1, balanced, to n_max, one image left
    counts = profile(n_max, num_classes, factor)
    assert len(counts) == num_classes
    assert (counts.diff() <= 0).all()
    assert counts[0] == n_max
    assert counts[-1] == math.floor(n_max / Fraction(str(factor)))
    assert counts[-1] >= 1


@pytest.mark.parametrize("profile", PROFILES)
def test_factor_1_is_balanced(profile) -> None:
    assert profile(7, 4, 1).tolist() == [7] * 4


def test_step_profile_has_two_heights() -> None:
    assert (
        step_profile(5000, 10, 100).tolist() == [5000] * 5 + [50] * 5
    )  # CIFAR-10 "step" of Cao et al. (2019)


def test_the_number_of_head_classes_is_rounded_up() -> None:
    assert step_profile(8, 5, 4).tolist() == [8, 8, 8, 2, 2]
    assert step_profile(8, 10, 4, head_fraction=0.1).tolist() == [8] + [2] * 9
    assert step_profile(8, 3, 4, head_fraction=0).tolist() == [2, 2, 2]


def test_pareto_profile_of_power_6_has_about_as_many_images_as_imagenet_lt() -> None:
    total = int(
        pareto_profile(1280, 1000, 1280 / 5).sum()
    )  # ImageNet-LT is a random draw with 115,846 images
    assert total == pytest.approx(115_846, rel=0.05)


def test_pareto_profile_with_a_smaller_power_is_more_concentrated() -> None:
    totals = [int(pareto_profile(1000, 100, 100, power=power).sum()) for power in (0.5, 1, 2, 6, 20)]
    assert totals == sorted(totals)
    assert totals[0] < totals[-1] / 3


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("factor", [0.99, 0.01, 0, -1, math.inf, math.nan])
def test_a_factor_below_1_is_refused(profile, factor: float) -> None:
    with pytest.raises(ValueError, match=f"imbalance factor is {factor}; expected a number from 1"):
        profile(500, 100, factor)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_factor_that_leaves_a_class_empty_is_refused(profile) -> None:
    with pytest.raises(ValueError, match=r"imbalance factor 11 leaves the last class 10/11 = 0\.909 images"):
        profile(10, 3, 11)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("n_max", "num_classes"), [(0, 3), (5, 0)])
def test_sizes_below_1_are_refused(profile, n_max: int, num_classes: int) -> None:
    with pytest.raises(ValueError, match="expected whole numbers from 1"):
        profile(n_max, num_classes, 1)


@pytest.mark.parametrize("power", [0, -1, math.inf])
def test_a_power_that_is_no_exponent_is_refused(power: float) -> None:
    with pytest.raises(ValueError, match="expected a number above 0"):
        pareto_profile(10, 3, 2, power=power)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_head_fraction_that_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="expected a share between 0 and 1"):
        step_profile(10, 3, 2, head_fraction=share)
