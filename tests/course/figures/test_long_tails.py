"""The figures of the notebook on long tails: profiles, and the boundary between two classes."""

import math

import numpy as np
import pytest
import torch

from bcl_edu.course.figures import (
    accuracy_by_class_count,
    class_profiles,
    prior_shift,
    style,
    text_alternative,
)


def test_profiles_are_drawn_from_head_to_tail_with_their_totals() -> None:
    figure = class_profiles({"mine": torch.tensor([5, 100, 20]), "flat": torch.tensor([7, 7, 7])})
    assert [trace.name for trace in figure.data] == ["mine (125)", "flat (21)"]
    assert figure.data[0].x == (1, 2, 3)
    assert figure.data[0].y == (100, 20, 5)
    assert figure.layout.yaxis.type == "log"
    assert "from 100 over 20 to 5" in text_alternative(figure)


def test_points_inside_a_run_of_equal_counts_are_left_out() -> None:
    steps = torch.tensor([9] * 4 + [5] + [2] * 3000)
    line = class_profiles({"steps": steps}).data[0]
    assert (line.x, line.y) == ((1, 4, 5, 6, 3005), (9, 9, 5, 2, 2))


def test_profiles_differ_without_colour() -> None:
    lines = class_profiles({"a": torch.tensor([2, 1]), "b": torch.tensor([2, 2])}).data
    assert lines[0].line.dash != lines[1].line.dash
    assert lines[0].marker.symbol != lines[1].marker.symbol


def test_a_class_without_images_has_no_place_on_a_logarithmic_axis() -> None:
    with pytest.raises(ValueError, match=r"mine .*class of 0"):
        class_profiles({"mine": torch.tensor([3, 0])})


def test_no_profile_is_refused() -> None:
    with pytest.raises(ValueError, match="no profile"):
        class_profiles({})


def boundaries(distance: float, imbalance_factor: float) -> list[float]:
    figure = prior_shift(distance, imbalance_factor)
    return [trace.x[0] for trace in figure.data if trace.name.startswith("boundary")]


def test_the_boundary_is_where_frequency_times_density_is_the_same() -> None:
    distance, factor = 1.5, 20.0
    _, x = boundaries(distance, factor)
    frequent = factor * math.exp(-((x + distance / 2) ** 2) / 2)
    rare = math.exp(-((x - distance / 2) ** 2) / 2)
    assert frequent == pytest.approx(rare)


def test_with_equal_frequencies_the_only_boundary_is_in_the_middle() -> None:
    assert boundaries(2.0, 1.0) == [0.0]


def test_the_shaded_part_ends_at_the_boundary_and_its_area_is_in_the_caption() -> None:
    figure = prior_shift(2.0, 100.0)
    shaded = figure.data[0]
    assert shaded.fill == "tozeroy"
    assert shaded.x[-1] == pytest.approx(math.log(100) / 2, abs=1e-6)
    area = float(np.trapezoid(shaded.y, shaded.x))
    assert area == pytest.approx(0.904, abs=0.002)
    assert "Shaded: 90% " in style.caption(figure)
    assert "at 2.30: 90.4% " in text_alternative(figure)


@pytest.mark.parametrize(("distance", "factor"), [(0.0, 10.0), (-1.0, 10.0), (1.0, 0.5), (math.nan, 2.0)])
def test_what_has_no_boundary_is_refused(distance: float, factor: float) -> None:
    with pytest.raises(ValueError, match="expected above 0 and from 1"):
        prior_shift(distance, factor)


def test_the_caption_of_accuracies_can_be_chosen() -> None:
    counts = torch.tensor([3, 2])
    figure = accuracy_by_class_count({"a": [1.0, 2.0]}, counts, look_at="Look left.")
    assert style.caption(figure) == "Look left."
