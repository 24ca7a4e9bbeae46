import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bcl_edu.course.figures import (
    counter_example,
    counter_example_map,
    style,
    tail_angle_curves,
    text_alternative,
)
from bcl_edu.course.figures.counter_example_figure import ThreeClasses, collapsed_class_losses, on_circle
from bcl_edu.geometry import theorem_3_as_printed, theorem_3_corrected
from bcl_edu.losses import balanced_contrastive_loss, class_averaged_loss

angles = st.floats(0, 360)
counts = st.integers(2, 9)

MERGED = ThreeClasses((0, 180, 180), (200, 2, 2))
SIMPLEX = ThreeClasses((0, 120, 240), (200, 2, 2))


@given(
    angles=st.tuples(angles, angles, angles),
    counts=st.tuples(counts, counts, counts),
    temperature=st.sampled_from([0.1, 0.5, 1.0]),
)
def test_both_means_are_the_losses_of_the_samples(
    angles: tuple[float, float, float], counts: tuple[int, int, int], temperature: float
) -> None:
    classes = ThreeClasses(angles, counts, temperature)
    y = torch.arange(3).repeat_interleave(torch.tensor(counts))
    z = classes.means[y]
    averaged = class_averaged_loss(z, y, temperature=temperature).item()
    assert classes.over_samples == pytest.approx(averaged, abs=1e-12)
    balanced = balanced_contrastive_loss(
        z, y, classes.means, temperature=temperature, class_balanced_anchors=True
    )
    assert classes.over_classes == pytest.approx(balanced.item(), abs=1e-12)


def test_loss_and_claim_are_those_of_the_theorems() -> None:
    y = torch.arange(3).repeat_interleave(torch.tensor(MERGED.class_counts))
    printed = theorem_3_as_printed(MERGED.means[y], y)
    corrected = theorem_3_corrected(MERGED.means[y], y)
    assert (MERGED.over_samples, MERGED.claimed) == pytest.approx((printed.loss.item(), printed.bound.item()))
    assert MERGED.over_classes == pytest.approx(corrected.loss.item())


def test_two_tail_classes_together_by_hand() -> None:
    head, tail = math.log(1 + 2 * math.exp(-2)), math.log(2 + math.exp(-2))
    assert MERGED.class_losses.tolist() == pytest.approx([head, tail, tail])
    assert MERGED.over_samples == pytest.approx((200 * head + 4 * tail) / 204)
    assert MERGED.over_classes == pytest.approx((head + 2 * tail) / 3)
    assert MERGED.product_of_means == pytest.approx(
        -196 / 204 / 3
    )  # means of samples 196/204 u, of classes -u/3


def test_the_simplex_is_at_the_claimed_bound_whatever_the_counts() -> None:
    assert SIMPLEX.over_samples == pytest.approx(SIMPLEX.claimed, abs=1e-12)
    assert SIMPLEX.over_classes == pytest.approx(SIMPLEX.claimed, abs=1e-12)


def test_the_bar_of_a_refuted_claim_differs_in_hatching_and_not_in_colour_alone() -> None:
    printed, corrected = (
        bar for bar in counter_example((0, 180, 180), (200, 2, 2)).data if bar.type == "bar"
    )
    assert (printed.marker.color, printed.marker.pattern.shape) == (style.TAIL, "x")
    assert (corrected.marker.color, corrected.marker.pattern.shape) == (style.HEAD, "")
    assert (printed.x[0], corrected.x[0]) == pytest.approx((MERGED.over_samples, MERGED.over_classes))


def test_no_bar_is_marked_at_the_simplex() -> None:
    bars = [bar for bar in counter_example((0, 120, 240), (200, 2, 2)).data if bar.type == "bar"]
    assert [bar.marker.pattern.shape for bar in bars] == ["", ""]


def test_the_picture_in_words() -> None:
    words = text_alternative(counter_example((0, 180, 180), (200, 2, 2)))
    assert "class 0 (200 samples) at 0°, class 1 (2 samples) at 180°" in words
    assert "claimed bound is 0.369" in words
    assert "0.250, 0.119 below" in words
    assert "0.586, 0.217 above" in words
    at_simplex = text_alternative(counter_example((0, 120, 240), (200, 2, 2)))
    assert at_simplex.count("equal to the bound") == 2


def test_classes_that_meet_have_labels_apart_and_others_have_them_at_the_class() -> None:
    figure = counter_example((0, 180, 180), (200, 2, 2))
    places = {note.text: (note.x, note.y) for note in figure.layout.annotations if "class" in note.text[:9]}
    assert places["<b>class 0</b><br>200"] == pytest.approx((1.4, 0))
    first, second = places["<b>class 1</b><br>2"], places["<b>class 2</b><br>2"]
    assert math.dist(first, second) > 0.5


def cells(figure: object, number: int) -> torch.Tensor:
    return torch.tensor([trace.z for trace in figure.data if trace.type == "contour"][number])  # type: ignore[attr-defined]


def test_the_map_has_loss_minus_bound_at_every_place() -> None:
    figure = counter_example_map((200, 2, 2))
    contour = figure.data[0]
    column, row = list(contour.x).index(174), list(contour.y).index(198)
    there = ThreeClasses((0, 174, 198), (200, 2, 2))
    assert contour.z[row][column] == pytest.approx(there.over_samples - there.claimed, abs=1e-6)
    assert cells(figure, 1)[row, column].item() == pytest.approx(there.over_classes - there.claimed, abs=1e-6)


def test_only_the_mean_over_samples_is_ever_below_the_bound() -> None:
    figure = counter_example_map((200, 2, 2))
    assert cells(figure, 0).min().item() == pytest.approx(MERGED.over_samples - MERGED.claimed, abs=1e-6)
    assert cells(figure, 1).min().item() >= -1e-6
    assert "-0.119 with class 1 at 180 and class 2 at 180" in text_alternative(figure)


def test_the_lowest_place_is_marked_where_it_is_no_simplex() -> None:
    printed, corrected = (trace for trace in counter_example_map((200, 2, 2)).data if trace.type == "scatter")
    assert printed.text == ("simplex", "simplex", "lowest")
    assert corrected.text == ("simplex", "simplex")


def test_equal_counts_have_one_map_twice_and_nothing_below() -> None:
    figure = counter_example_map((5, 5, 5))
    torch.testing.assert_close(cells(figure, 0), cells(figure, 1), atol=1e-6, rtol=0)
    assert cells(figure, 0).min().item() >= -1e-6


def test_curves_begin_at_the_simplex_and_end_where_the_tail_merges() -> None:
    figure = tail_angle_curves((2, 200))
    equal, unequal = (trace for trace in figure.data if trace.mode == "lines")
    assert (equal.x[0], equal.x[-1]) == (120, 0)
    assert (equal.y[0], unequal.y[0]) == pytest.approx((SIMPLEX.claimed, SIMPLEX.claimed))
    assert unequal.y[-1] == pytest.approx(MERGED.over_samples)
    assert min(equal.y) == equal.y[0]
    assert "2, 2, 2: lowest 0.3690 at 120 degrees; 200, 2, 2: lowest 0.2497 at 0" in text_alternative(figure)


def test_points_and_class_losses_on_the_circle() -> None:
    torch.testing.assert_close(on_circle([0, 90]), torch.eye(2, dtype=torch.float64))
    alike = collapsed_class_losses(torch.zeros(2, 3, dtype=torch.float64), 0.1)
    torch.testing.assert_close(alike, torch.full((2, 3), math.log(3), dtype=torch.float64))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((0, 1), (1, 2, 3)), "2 angles and 3 class counts"),
        (((0, 1, 2), (1, 2)), "3 angles and 2 class counts"),
        (((0, 1, 2), (3, 0, 2)), r"\[3, 0, 2\]; expected whole numbers"),
        (((0, 1, 2), (1, 2, 3), 0.0), "temperature is 0.0"),
    ],
)
def test_what_is_not_three_classes_is_refused(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ThreeClasses(*arguments)  # type: ignore[arg-type]
