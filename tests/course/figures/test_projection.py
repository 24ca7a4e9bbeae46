import math

import pytest
import torch

from bcl_edu.course.figures import best_projection


def rotation(dimension: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    q, _ = torch.linalg.qr(torch.randn(dimension, dimension, generator=generator, dtype=torch.float64))
    return q


@pytest.mark.parametrize("dimension", [2, 3])
def test_two_and_three_dimensions_are_shown_as_they_are(dimension: int) -> None:
    vectors = torch.randn(5, dimension, dtype=torch.float64)
    projection = best_projection(vectors)
    assert projection.exact
    assert projection.label == ""
    torch.testing.assert_close(projection(vectors), vectors)


@pytest.mark.parametrize("shown", [2, 3])
def test_vectors_of_a_plane_or_space_keep_their_angles_in_any_dimension(shown: int) -> None:
    flat = torch.randn(6, shown, dtype=torch.float64)
    vectors = flat @ rotation(16)[:shown]
    projection = best_projection(vectors)
    drawn = projection(vectors)
    assert projection.exact
    assert drawn.shape == (6, shown)
    torch.testing.assert_close(drawn @ drawn.T, flat @ flat.T)


def test_four_classes_at_the_simplex_fit_into_the_sphere() -> None:
    simplex = torch.eye(4, dtype=torch.float64) - 0.25  # rank 3 in dimension 4
    projection = best_projection(simplex)
    assert projection.exact
    assert projection.axes.shape == (4, 3)


def test_ten_orthogonal_means_show_three_tenths_and_say_so() -> None:
    projection = best_projection(torch.eye(10))
    assert not projection.exact
    assert projection.kept == pytest.approx(0.3)
    assert "30%" in projection.label


def test_the_same_vectors_give_the_same_picture_when_negated_axes_would_do() -> None:
    vectors = torch.randn(8, 12, dtype=torch.float64)
    again = best_projection(vectors.flip(0))
    torch.testing.assert_close(best_projection(vectors).axes, again.axes)


def test_all_zero_vectors_have_a_picture() -> None:
    assert math.isfinite(best_projection(torch.zeros(4, 8)).kept)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [(torch.ones(3, 1), "dimension 1"), (torch.tensor([[math.nan, 0.0]]), "not finite")],
)
def test_what_cannot_be_drawn_is_refused(vectors: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        best_projection(vectors)
