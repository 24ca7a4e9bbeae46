import plotly.graph_objects as go
import pytest
import torch

from bcl_edu.course.figures import (
    bound_versus_loss,
    caption,
    class_mean_sphere,
    film,
    gradient_shares,
    text_alternative,
)

COUNTS = torch.tensor([8, 2, 2])


def bars(head: float, counts: torch.Tensor = COUNTS) -> go.Figure:
    shares = torch.tensor([head, 1 - head, 0.0])
    return gradient_shares({"SCL": shares}, counts, anchor_class=2)


POSITIONS = {"1": bars(0.5), "10": bars(0.75), "100": bars(1.0)}


def test_every_position_shows_its_own_figure() -> None:
    moving = film(POSITIONS, quantity="imbalance factor")
    assert [frame.name for frame in moving.frames] == ["1", "10", "100"]
    assert [frame.data[0].y for frame in moving.frames] == [(50, 50, 0), (75, 25, 0), (100, 0, 0)]
    assert [step.args[0] for step in moving.layout.sliders[0].steps] == [("1",), ("10",), ("100",)]


def test_it_starts_where_asked_and_shows_that_also_when_nothing_moves() -> None:
    moving = film(POSITIONS, quantity="imbalance factor", start="10")
    assert moving.data[0].y == (75, 25, 0)
    assert moving.layout.sliders[0].active == 1


def test_a_frame_stores_only_what_changes() -> None:
    frame = film(POSITIONS, quantity="imbalance factor").frames[2]
    assert set(frame.data[0].to_plotly_json()) == {"type", "y"}


def test_pictures_of_class_means_can_be_slid_over() -> None:
    triangle = torch.tensor([[1.0, 0.0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]])
    merged = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    moving = film(
        {"1": class_mean_sphere(triangle, COUNTS), "9": class_mean_sphere(merged, COUNTS)}, quantity="head"
    )
    assert list(moving.frames[1].data[-1].x) == [1.0, -1.0, -1.0]


def test_the_labels_of_the_axis_move_along() -> None:
    moving = film({"8": bars(0.5), "9": bars(0.5, torch.tensor([9, 2, 2]))}, quantity="head")
    assert [frame.layout.xaxis.ticktext[0] for frame in moving.frames] == ["0<br>(8)", "0<br>(9)"]


def test_traces_that_stay_are_in_no_frame_and_captions_move_along() -> None:
    loss = torch.tensor([1.0, 2.0])
    figures = {str(b): bound_versus_loss(loss, {"claim": loss + b}, reach=(0, 3)) for b in (-0.5, 0.5)}
    moving = film(figures, quantity="shift")
    assert [frame.traces for frame in moving.frames] == [(2,), (2,)]
    for frame, figure in zip(moving.frames, figures.values(), strict=True):
        assert caption(figure) in frame.layout.title.text


def test_the_figures_that_it_is_made_of_stay_as_they_are() -> None:
    before = POSITIONS["1"].to_json()
    film(POSITIONS, quantity="imbalance factor")
    assert POSITIONS["1"].to_json() == before


def test_the_words_tell_both_ends() -> None:
    words = text_alternative(film(POSITIONS, quantity="imbalance factor"))
    assert "imbalance factor, from 1 to 100. At 1:" in words
    assert "SCL: 50.0, 50.0, 0.0. At 100:" in words


@pytest.mark.parametrize(
    ("figures", "start", "message"),
    [
        ({"1": bars(0.5)}, None, "moves nothing"),
        (POSITIONS, "7", "'7'.* 1, 10, 100"),
        (
            {"1": bars(0.5), "2": bound_versus_loss(COUNTS.double(), {"claim": COUNTS.double()})},
            None,
            "figures of one kind",
        ),
    ],
)
def test_what_is_no_film_is_refused(figures: dict[str, go.Figure], start: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        film(figures, quantity="x", start=start)
