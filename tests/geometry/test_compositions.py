import math

import numpy as np
import pytest

from bcl_edu import geometry


def test_every_batch_of_two_from_three_images() -> None:
    # classes aab: the pairs are aa, ab, ab
    batches = geometry.every_batch([2, 1], 2, views=1)
    assert {tuple(row): p for row, p in zip(batches.counts.tolist(), batches.probabilities, strict=True)} == {
        (1.0, 1.0): pytest.approx(2 / 3),
        (2.0, 0.0): pytest.approx(1 / 3),
    }


def test_views_multiply_the_counts() -> None:
    assert geometry.every_batch([2, 1], 3, views=2).counts.tolist() == [[4.0, 2.0]]


def test_every_batch_adds_up_to_one_and_has_the_right_mean() -> None:
    counts = np.array([7, 4, 2, 1])
    batches = geometry.every_batch(counts, 5, views=1)
    assert batches.probabilities.sum() == pytest.approx(1, abs=1e-12)
    assert (batches.counts.sum(axis=1) == 5).all()
    assert batches.probabilities @ batches.counts == pytest.approx(5 * counts / 14)


def test_sampled_batches_approach_the_exact_distribution() -> None:
    exact = geometry.every_batch([6, 3, 1], 4, views=1)
    sampled = geometry.sampled_batches([6, 3, 1], 4, num_batches=20_000, views=1, seed=0)
    probability = {
        tuple(row): p for row, p in zip(sampled.counts.tolist(), sampled.probabilities, strict=True)
    }
    drawn = np.array([probability.get(tuple(row), 0.0) for row in exact.counts.tolist()])
    # three standard deviations of a share drawn 20,000 times, for the most variable share
    assert np.abs(drawn - exact.probabilities).max() < 3 * math.sqrt(0.25 / 20_000)


def test_a_seed_draws_the_same_batches() -> None:
    first, second = (geometry.sampled_batches([50, 5], 8, num_batches=30, seed=4) for _ in range(2))
    assert np.array_equal(first.counts, second.counts)
    assert np.array_equal(first.probabilities, second.probabilities)


def test_too_many_compositions_are_counted_before_they_are_listed() -> None:
    # C(109, 9): 100 indistinguishable images into 10 classes, none of which can run out
    with pytest.raises(ValueError, match=r"4,263,421,511,271 compositions.*sampled_batches"):
        geometry.every_batch([200] * 10, 100)


@pytest.mark.parametrize(
    ("counts", "message"),
    [([3], "K >= 2"), ([3, 0], r"class_counts\[1\] is 0"), ([3, math.nan], r"class_counts\[1\] is nan")],
)
def test_class_counts_that_are_none_are_refused(counts: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        geometry.full_batch(counts)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("counts", "batch_size", "views", "message"),
    [
        ([2.5, 1], 2, 1, "whole numbers"),
        ([2, 1], 4, 1, "1 to the 3 images"),
        ([2, 1], 0, 1, "batch_size is 0"),
        ([2, 1], 2, 0, "views is 0"),
    ],
)
def test_batches_that_cannot_be_drawn_are_refused(
    counts: list[float], batch_size: int, views: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        geometry.every_batch(counts, batch_size, views=views)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        geometry.sampled_batches(counts, batch_size, views=views)  # type: ignore[arg-type]


def test_sampling_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="num_batches is 0"):
        geometry.sampled_batches([2, 1], 2, num_batches=0)
