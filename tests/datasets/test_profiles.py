import pytest
import torch

from bcl_edu.datasets import exponential_profile


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
