"""The hash behind all random parameters: a known stream, independence, and nothing but seed and purpose."""

import numpy as np
import pytest

from bcl_edu.augment.draws import _mix, derive_seed, uniforms

MASK = 2**64 - 1


def mix_of_one_integer(bits: int) -> int:
    """SplitMix64's finaliser in Python's unbounded integers."""
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & MASK
    return bits ^ (bits >> 31)


def test_mixing_gives_the_published_stream_of_splitmix64() -> None:
    golden = np.uint64(0x9E3779B97F4A7C15)
    states = np.arange(1, 4, dtype=np.uint64) * golden  # seed 0
    # the first three outputs of the reference implementation for seed 0
    assert _mix(states).tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


@pytest.mark.parametrize(("seed", "purpose"), [(0, 0), (1, 5), (2**64 - 1, 23), (derive_seed("x"), 7)])
def test_uniforms_agree_with_unbounded_integers(seed: int, purpose: int) -> None:
    golden = 0x9E3779B97F4A7C15
    stream = mix_of_one_integer(seed ^ mix_of_one_integer(((purpose + 1) * golden) & MASK))
    expected = [(mix_of_one_integer((stream + i * golden) & MASK) >> 11) / 2**53 for i in (1, 2, 3)]
    assert uniforms(np.array([seed], dtype=np.uint64), purpose, 3)[0].tolist() == expected


def test_a_sample_gets_the_same_numbers_alone_and_in_a_batch_and_however_many_are_asked_for() -> None:
    seeds = np.array([derive_seed("views", 0, 0, i) for i in range(50)], dtype=np.uint64)
    together = uniforms(seeds, 3, 20)
    for row in (0, 17, 49):
        assert np.array_equal(uniforms(seeds[row : row + 1], 3, 5)[0], together[row, :5])


def test_numbers_are_uniform_and_unrelated_across_samples_purposes_and_positions() -> None:
    seeds = np.array([derive_seed("views", 0, 0, i) for i in range(20_000)], dtype=np.uint64)
    columns = np.concatenate([uniforms(seeds, purpose, 4) for purpose in range(4)], axis=1)
    assert columns.min() >= 0
    assert columns.max() < 1
    # five standard errors of a mean of 20,000 uniform numbers is 0.0102, of a tenth's share 0.0106
    assert np.abs(columns.mean(axis=0) - 0.5).max() < 0.0102
    shares = np.stack([np.histogram(column, bins=10, range=(0, 1))[0] for column in columns.T]) / len(seeds)
    assert np.abs(shares - 0.1).max() < 0.0106
    # neighbours: of other columns, and of the next sample in the same column; five standard errors are 0.035
    correlation = np.corrcoef(columns.T) - np.eye(16)
    assert np.abs(correlation).max() < 0.035
    serial = [np.corrcoef(column[:-1], column[1:])[0, 1] for column in columns.T]
    assert np.abs(serial).max() < 0.035


def test_neighbouring_seeds_give_unrelated_numbers_too() -> None:
    columns = uniforms(np.arange(20_000, dtype=np.uint64), 0, 2)
    assert np.abs(columns.mean(axis=0) - 0.5).max() < 0.0102
    assert abs(np.corrcoef(columns[:-1, 0], columns[1:, 0])[0, 1]) < 0.035
