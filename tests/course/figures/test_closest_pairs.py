import math

import pytest

from bcl_edu.course.figures import closest_pairs, style, text_alternative


def test_the_best_found_stands_beside_the_simplex() -> None:
    found, simplex = closest_pairs({4: 0.0, 2: -1.0, 3: -0.5}, dimension=2).data
    assert found.x == simplex.x == (2, 3, 4)
    assert found.y == (-1.0, -0.5, 0.0)
    assert simplex.y == pytest.approx((-1.0, -0.5, -1 / 3))
    assert found.line.dash != simplex.line.dash


def test_words_say_where_the_simplex_ends() -> None:
    figure = closest_pairs({3: -0.5, 4: 0.0}, dimension=2)
    assert "K = 4: 0.00 and -0.33" in text_alternative(figure)
    assert text_alternative(figure).endswith("K = 3.")
    assert "in 2 dimensions" in figure.layout.title.text
    assert len(style.caption(figure)) < 67


@pytest.mark.parametrize("found", [{}, {1: 0.0}, {3: 1.5}, {3: math.nan}])
def test_what_is_no_arrangement_is_refused(found: dict[int, float]) -> None:
    with pytest.raises(ValueError, match=r"expected from 2 points|no arrangement"):
        closest_pairs(found, dimension=3)
