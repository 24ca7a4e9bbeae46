"""The explorer's sample of mini-batches: unbiased after weighting, and no pair of classes is missing."""

from itertools import combinations

import numpy as np
import pytest

from bcl_edu.course.widgets.explorer.batch_draws import explorer_batches
from bcl_edu.geometry.compositions import every_batch


def means(batches, of) -> np.ndarray:
    return batches.probabilities @ of(batches.counts)


@pytest.mark.parametrize(
    ("what", "of"),
    [
        ("images of each class", lambda n: n),
        ("how often each class is there", lambda n: (n > 0).astype(float)),
        ("how often all three meet", lambda n: (n > 0).all(axis=1, keepdims=True).astype(float)),
        ("products of counts", lambda n: n[:, :1] * n[:, 1:]),
    ],
)
def test_weighted_means_are_those_of_drawing_without_replacement(what: str, of) -> None:
    counts = np.array([12.0, 5.0, 2.0])
    sampled = explorer_batches(counts, 6, views=1, num_batches=30_000)
    exact = every_batch(counts, 6, views=1)
    assert means(sampled, of) == pytest.approx(means(exact, of), rel=0.01), what


def test_every_two_classes_meet_however_rare_they_are() -> None:
    counts = np.array([5000.0, 400.0, 30.0, 5.0])
    batches = explorer_batches(counts, 16)
    together = {
        (a, b): int((batches.counts[:, [a, b]] > 0).all(axis=1).sum()) for a, b in combinations(range(4), 2)
    }
    assert min(together.values()) >= 2 * 500 // 16


def test_a_batch_holds_as_many_images_as_it_should_and_no_class_more_than_it_has() -> None:
    counts = np.array([40.0, 6.0, 2.0])
    batches = explorer_batches(counts, 30, views=2)
    assert (batches.counts.sum(axis=1) == 60).all()
    assert (batches.counts <= 2 * counts).all()
    assert batches.probabilities.sum() == pytest.approx(1)


def test_the_same_batches_every_time() -> None:
    first, second = (explorer_batches(np.array([100.0, 10.0]), 8) for _ in range(2))
    assert np.array_equal(first.counts, second.counts)


@pytest.mark.parametrize(
    ("counts", "batch_size", "message"),
    [
        ([10.0, 1.0], 4, "at least 2 images"),
        ([10.5, 3.0], 4, "expected whole numbers"),
        ([10.0, 3.0], 14, "batch_size is 14; expected 2 .*13"),
        ([10.0, 3.0], 1, "batch_size is 1"),
    ],
)
def test_impossible_batches_are_refused(counts: list[float], batch_size: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        explorer_batches(np.array(counts), batch_size)
