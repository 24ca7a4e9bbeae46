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


def test_effective_rank_counts_directions() -> None:
    assert geometry.effective_rank(at(0, 120, 240)) == pytest.approx(2)
    assert geometry.effective_rank(at(0, 180, 0)) == pytest.approx(1)
    # singular values 3 and 1: entropy of (3/4, 1/4)
    expected = math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    assert geometry.effective_rank(torch.diag(torch.tensor([3.0, 1.0]))) == pytest.approx(expected)


def test_effective_rank_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="not zero"):
        geometry.effective_rank(torch.zeros(2, 2))


def test_a_classifier_that_is_a_shifted_multiple_of_the_means_is_aligned() -> None:
    means = at(0, 100, 230)
    alignment = geometry.classifier_alignment(5 * means + 3.0, means - 1.0)
    assert alignment.cosines.tolist() == pytest.approx([1, 1, 1])
    assert alignment.distance == pytest.approx(0, abs=1e-12)


def test_a_classifier_that_points_the_other_way_is_not() -> None:
    means = at(0, 120, 240)
    alignment = geometry.classifier_alignment(-means, means)
    assert alignment.mean_cosine == pytest.approx(-1)
    assert alignment.distance == pytest.approx(2)


@pytest.mark.usefixtures("shapes_unchecked")
def test_alignment_needs_equal_shapes() -> None:
    with pytest.raises(ValueError, match=r"\(3, 2\) and means \(2, 2\)"):
        geometry.classifier_alignment(at(0, 1, 2), at(0, 1))


def test_within_class_variability_against_its_definition() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([0] * 30 + [1] * 5 + [2] * 9)
    z = (
        torch.randn(44, 4, generator=generator, dtype=torch.float64)
        + torch.eye(4, dtype=torch.float64)[labels]
    )
    within, means = torch.zeros(4, 4, dtype=torch.float64), []
    for k in range(3):
        rows = z[labels == k]
        means.append(rows.mean(dim=0))
        within += (rows - means[-1]).T @ (rows - means[-1]) / len(rows) / 3
    centred = torch.stack(means) - torch.stack(means).mean(dim=0)
    expected = torch.trace(within @ torch.linalg.pinv(centred.T @ centred / 3, rtol=1e-12)).item() / 3
    assert geometry.within_class_variability(z, labels, 3) == pytest.approx(expected, rel=1e-9)


def test_collapsed_classes_have_no_variability() -> None:
    z, labels = at(0, 0, 90, 90, 90), torch.tensor([0, 0, 1, 1, 1])
    assert geometry.within_class_variability(z, labels, 2) == pytest.approx(0, abs=1e-20)


def test_norms_about_the_centre() -> None:
    assert geometry.norm_variation(at(0, 120, 240)) == pytest.approx(0, abs=1e-12)
    # points 0, 1, 5 on a line: centre 2, norms 2, 1, 3
    line = torch.tensor([[0.0], [1.0], [5.0]])
    assert geometry.norm_variation(line) == pytest.approx(math.sqrt(2 / 3) / 2)


def test_nearest_mean_agreement_is_a_share() -> None:
    agreement = geometry.nearest_mean_agreement(at(1, 2, 89, 91), torch.tensor([0, 1, 1, 1]), at(0, 90))
    assert agreement == pytest.approx(0.75)
