import math

import pytest
import torch
from torch import Tensor

from bcl_edu import geometry


def at(*degrees: float) -> Tensor:
    """Unit vectors on the circle at these angles."""
    angle = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def test_class_means_average_the_rows_of_each_class() -> None:
    z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    means = geometry.class_means(z, torch.tensor([1, 0, 1]), 2)
    assert means.tolist() == [[0.0, 1.0], [2.0, 0.0]]


def test_half_precision_sums_do_not_overflow_or_round() -> None:
    z = torch.full((5000, 2), 20.0, dtype=torch.float16)  # the sum, 100000, is beyond float16
    means = geometry.class_means(z, torch.zeros(5000, dtype=torch.long), 1)
    assert means.dtype == torch.float32
    assert means.tolist() == [[20.0, 20.0]]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 3], "label 3 at position 2"),
        ([0, -1, 1], "label -1 at position 1"),
        ([0, 0, 2], "no sample of class 1"),
    ],
)
def test_labels_without_a_mean_are_refused(labels: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        geometry.class_means(torch.eye(3), torch.tensor(labels), 3)


def test_spread_of_two_samples_at_120_degrees_is_one_half() -> None:
    spread = geometry.within_class_spread(at(0, 120, 45, 45), torch.tensor([0, 0, 1, 1]), 2)
    assert spread.tolist() == pytest.approx([0.5, 0.0], abs=1e-12)


def test_cosines_ignore_length() -> None:
    cosines = geometry.cosine_matrix(torch.tensor([[2.0, 0.0], [0.0, 5.0], [-1.0, 0.0]]))
    assert cosines.tolist() == [[1.0, 0.0, -1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 1.0]]


def test_a_zero_mean_has_no_direction() -> None:
    with pytest.raises(ValueError, match="class mean 1 has norm 0"):
        geometry.cosine_matrix(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))


def test_three_means_at_120_degrees_do_not_deviate() -> None:
    deviation = geometry.simplex_deviation(7 * at(0, 120, 240))
    assert (deviation.rms, deviation.smallest, deviation.largest) == pytest.approx((0, 0, 0), abs=1e-12)
    assert deviation.largest_cosine == pytest.approx(-0.5)


def test_deviation_of_two_merged_classes_opposite_a_third() -> None:
    # cosines -1, -1, 1; the simplex has -1/2 three times, so the entries are -1/2, -1/2 and 3/2
    deviation = geometry.simplex_deviation(at(0, 180, 180))
    assert deviation.rms == pytest.approx(math.sqrt((0.25 + 0.25 + 2.25) / 3))
    assert (deviation.smallest, deviation.largest) == pytest.approx((-0.5, 1.5))
    assert (deviation.smallest_cosine, deviation.largest_cosine) == pytest.approx((-1, 1))


def test_one_class_has_no_simplex() -> None:
    with pytest.raises(ValueError, match="at least two"):
        geometry.simplex_deviation(torch.ones(1, 3))
