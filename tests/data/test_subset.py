import hashlib
import struct

import pytest
import torch

from bcl_edu.data import exponential_profile, long_tailed_subset, subset_sha256

LABELS = torch.arange(10).repeat(20)  # ten classes of 20, interleaved


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
    with pytest.raises(
        ValueError, match=r"class 4 has 20 images, but 21 were asked for \(likewise 1 more classes\)"
    ):
        long_tailed_subset(LABELS, counts)


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="class 0 has 20 images, but -1 were asked for; use a smaller"):
        long_tailed_subset(LABELS, torch.tensor([-1] + [1] * 9))


def test_a_label_without_a_count_is_refused() -> None:
    with pytest.raises(ValueError, match=r"labels are 0\.\.9, but counts has 9 entries"):
        long_tailed_subset(LABELS, torch.ones(9, dtype=torch.int64))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match=f"seed is {seed}"):
        long_tailed_subset(LABELS, torch.ones(10, dtype=torch.int64), seed)
