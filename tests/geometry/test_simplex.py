import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bcl_edu import geometry


@given(num_classes=st.integers(2, 40), extra=st.integers(0, 5), radius=st.floats(0.1, 10))
def test_any_regular_simplex_meets_its_definition(num_classes: int, extra: int, radius: float) -> None:
    points = geometry.regular_simplex(num_classes, num_classes - 1 + extra, radius=radius)
    check = geometry.check_regular_simplex(points, tolerance=1e-12)
    assert check.is_regular, check.reason
    products = points @ points.T
    assert products[0, 1].item() == pytest.approx(-(radius**2) / (num_classes - 1))


def test_three_classes_need_no_more_than_the_plane() -> None:
    half, height = 0.5, math.sqrt(3) / 2
    expected = [[1, 0], [-half, height], [-half, -height]]
    assert torch.allclose(geometry.regular_simplex(3), torch.tensor(expected, dtype=torch.float64))


def test_one_class_is_a_point() -> None:
    assert geometry.regular_simplex(1, 2, radius=3.0).tolist() == [[3.0, 0.0]]


def test_too_many_classes_for_the_space_are_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match=r"K - 1 = 3, .*h = 2"):
        geometry.regular_simplex(4, 2)


@pytest.mark.parametrize(
    ("points", "held", "reason"),
    [
        ([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], (False, True, False), r"\(a\) fails.*\(c\) fails"),
        ([[1.0, 0.0], [-2.0, 0.0], [1.0, 0.0]], (True, False, False), r"\(b\) fails"),
        ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], (False, True, True), r"\(a\) fails"),
    ],
)
def test_what_is_missing_is_named(points: list[list[float]], held: tuple[bool, ...], reason: str) -> None:
    check = geometry.check_regular_simplex(torch.tensor(points))
    assert (check.centred, check.equal_norms, check.equal_products) == held
    assert not check.is_regular
    assert re.search(reason, check.reason)


def test_four_points_on_a_square_are_told_that_the_plane_is_too_small() -> None:
    square = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    assert "K > h + 1" in geometry.check_regular_simplex(square).reason


@pytest.mark.parametrize("points", [torch.zeros(3, 2), torch.ones(1, 2), torch.tensor([[1.0], [math.nan]])])
def test_points_without_geometry_are_refused(points: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="at least two, finite"):
        geometry.check_regular_simplex(points)
