import hashlib
import math
import struct
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bcl_edu.data import (
    counts_by_size,
    exponential_profile,
    long_tailed_subset,
    pareto_profile,
    shot_groups,
    step_profile,
    subset_sha256,
)

PROFILES = [exponential_profile, step_profile, pareto_profile]
LABELS = torch.arange(10).repeat(20)  # ten classes of 20, interleaved


def exact_exponential(max_per_class: int, num_classes: int, factor: Fraction) -> list[int]:
    """The definition in whole numbers: the largest n with n^(K-1) IF^k <= max_per_class^(K-1)."""
    steps = max(num_classes - 1, 1)
    counts = []
    for k in range(num_classes):
        n = max_per_class
        while n**steps * factor**k > max_per_class**steps:
            n -= 1
        counts.append(n)
    return counts


@pytest.mark.parametrize(
    ("max_per_class", "num_classes", "imbalance_factor", "total"),
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
    max_per_class: int, num_classes: int, imbalance_factor: float, total: int
) -> None:
    counts = exponential_profile(max_per_class, num_classes, imbalance_factor)
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
    max_per_class=st.integers(1, 100),
    num_classes=st.integers(1, 8),
    factor=st.sampled_from([1, 1.5, 2, 4, 8, 9, 10, 12.5, 64, 100]),
)
def test_exponential_profile_is_its_definition_in_whole_numbers(
    max_per_class: int, num_classes: int, factor: float
) -> None:
    if factor <= max_per_class:
        expected = exact_exponential(max_per_class, num_classes, Fraction(factor))
        assert exponential_profile(max_per_class, num_classes, factor).tolist() == expected


@pytest.mark.parametrize("profile", PROFILES)
@given(max_per_class=st.integers(1, 5000), num_classes=st.integers(2, 200), share=st.floats(0, 1))
def test_every_profile_falls_from_max_per_class_to_max_per_class_over_the_factor(
    profile, max_per_class: int, num_classes: int, share: float
) -> None:
    factor = min(
        max_per_class**share, float(max_per_class)
    )  # from 1, balanced, to max_per_class, one image left
    counts = profile(max_per_class, num_classes, factor)
    assert len(counts) == num_classes
    assert (counts.diff() <= 0).all()
    assert counts[0] == max_per_class
    assert counts[-1] == math.floor(max_per_class / Fraction(str(factor)))
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
    with pytest.raises(ValueError, match=r"imbalance factor 11 .*10/11 = 0\.909"):
        profile(10, 3, 11)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("max_per_class", "num_classes"), [(0, 3), (5, 0)])
def test_sizes_below_1_are_refused(profile, max_per_class: int, num_classes: int) -> None:
    with pytest.raises(ValueError, match="expected whole numbers from 1"):
        profile(max_per_class, num_classes, 1)


@pytest.mark.parametrize("power", [0, -1, math.inf])
def test_a_power_that_is_no_exponent_is_refused(power: float) -> None:
    with pytest.raises(ValueError, match="expected a number above 0"):
        pareto_profile(10, 3, 2, power=power)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_head_fraction_that_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        step_profile(10, 3, 2, head_fraction=share)


@pytest.mark.parametrize(
    "whole", [np.int64, np.int16, np.uint16, torch.tensor], ids=lambda make: make.__name__
)
@pytest.mark.parametrize("profile", PROFILES)
def test_any_whole_number_will_do(profile, whole) -> None:
    expected = profile(500, 100, 100)
    assert torch.equal(profile(whole(500), whole(100), 100), expected)
    assert torch.equal(profile(500, 100, np.float64(100)), expected)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize("number", [500.0, "500", torch.tensor([1, 2])], ids=str)
def test_what_is_no_whole_number_is_refused(number) -> None:
    with pytest.raises(ValueError, match="expected whole numbers"):
        exponential_profile(number, 100, 100)


# ---- classes of any size


def test_the_largest_class_gets_the_first_count_whatever_its_label() -> None:
    available = torch.tensor([20, 200, 60, 200])
    assert counts_by_size(available, exponential_profile, 10).tolist() == [20, 200, 43, 92]
    assert counts_by_size(available, step_profile, 4, max_per_class=80).tolist() == [20, 80, 20, 80]


def test_the_head_is_as_large_as_every_class_allows() -> None:
    available = torch.tensor([9, 500, 40])
    counts = counts_by_size(available, exponential_profile, 10)
    assert (counts <= available).all()
    assert counts.tolist() == [9, 99, 31]
    with pytest.raises(ValueError, match=r"class 0.*9 images.*100.*10 of it"):
        counts_by_size(available, exponential_profile, 10, max_per_class=100)


# ---- the subset


def test_the_subset_has_the_counts_asked_for_in_label_order() -> None:
    counts = exponential_profile(20, 10, 10)
    indices = long_tailed_subset(LABELS, counts)
    assert torch.equal(LABELS[indices], torch.arange(10).repeat_interleave(counts))
    assert len(indices.unique()) == len(indices)


def test_the_same_seed_gives_the_same_images_and_another_seed_others() -> None:
    counts = exponential_profile(20, 10, 10)
    first, again, other = (long_tailed_subset(LABELS, counts, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert set(first.tolist()) != set(other.tolist())


def test_a_longer_tail_is_part_of_a_shorter_one() -> None:
    longer = long_tailed_subset(LABELS, exponential_profile(20, 10, 20))
    shorter = long_tailed_subset(LABELS, exponential_profile(20, 10, 5))
    assert set(longer.tolist()) < set(shorter.tolist())


def test_the_choice_in_one_class_does_not_depend_on_the_others() -> None:
    without = LABELS.clone()
    without[LABELS == 3] = 0  # class 0 takes class 3's images
    counts = torch.tensor([5, 5, 5, 0, 5, 5, 5, 5, 5, 5])
    assert torch.equal(long_tailed_subset(LABELS, counts)[5:], long_tailed_subset(without, counts)[5:])


def test_classes_do_not_share_one_shuffle() -> None:
    blocks = torch.arange(2).repeat_interleave(50)
    kept = long_tailed_subset(blocks, torch.tensor([25, 25]))
    assert not torch.equal(kept[:25], kept[25:] - 50)


def test_the_choice_is_fixed_for_ever() -> None:
    # computed once with RandomState([0, k]).permutation, whose stream NEP 19 freezes
    assert long_tailed_subset(LABELS, torch.tensor([3] + [0] * 9)).tolist() == [100, 160, 30]


def test_every_image_of_a_class_is_about_equally_likely() -> None:
    labels = torch.zeros(10, dtype=torch.int64)
    chosen = torch.cat([long_tailed_subset(labels, torch.tensor([3]), seed) for seed in range(1000)])
    # 1,000 draws of 3 in 10: 300 each, standard deviation sqrt(1000 * 0.3 * 0.7) = 14.5
    assert (torch.bincount(chosen, minlength=10) - 300).abs().max() < 5 * 14.5


def test_the_hash_is_that_of_the_sorted_indices() -> None:
    expected = hashlib.sha256(struct.pack("<3q", 1, 5, 2**40)).hexdigest()
    assert subset_sha256(torch.tensor([5, 2**40, 1])) == expected


def test_the_hash_tells_one_exchanged_image() -> None:
    assert subset_sha256(torch.tensor([1, 2, 3])) != subset_sha256(torch.tensor([1, 2, 4]))


def test_a_class_with_too_few_images_is_refused_with_both_numbers() -> None:
    counts = torch.full((10,), 20)
    counts[[4, 6]] = 21
    with pytest.raises(ValueError, match=r"class 4 has 20 .*21 .*\(likewise 1"):
        long_tailed_subset(LABELS, counts)


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match=r"class 0 has 20 .*-1 .*smaller"):
        long_tailed_subset(LABELS, torch.tensor([-1] + [1] * 9))


def test_a_label_without_a_count_is_refused() -> None:
    with pytest.raises(ValueError, match=r"labels are 0\.\.9.*counts has 9"):
        long_tailed_subset(LABELS, torch.ones(9, dtype=torch.int64))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match=f"seed is {seed}"):
        long_tailed_subset(LABELS, torch.ones(10, dtype=torch.int64), seed)


# ---- shot groups


def test_both_limits_belong_to_medium() -> None:
    groups = shot_groups(torch.tensor([101, 100, 20, 19, 0]))
    assert {name: group.tolist() for name, group in groups.items()} == {
        "many": [0],
        "medium": [1, 2],
        "few": [3, 4],
    }


def test_the_groups_of_cifar100_lt_at_factor_100() -> None:
    groups = shot_groups(exponential_profile(500, 100, 100))
    assert [len(group) for group in groups.values()] == [35, 35, 30]  # as in the papers' tables
    assert torch.cat(list(groups.values())).tolist() == list(range(100))


def test_a_group_may_be_empty() -> None:
    groups = shot_groups(torch.tensor([500, 300]))
    assert list(groups) == ["many", "medium", "few"]
    assert len(groups["medium"]) == len(groups["few"]) == 0


def test_limits_can_be_chosen() -> None:
    groups = shot_groups(torch.tensor([50, 10, 4]), many_above=40, few_below=5)
    assert [group.tolist() for group in groups.values()] == [[0], [1], [2]]


def test_overlapping_limits_are_refused() -> None:
    with pytest.raises(ValueError, match="class of 11 "):
        shot_groups(torch.tensor([1]), many_above=10, few_below=12)
