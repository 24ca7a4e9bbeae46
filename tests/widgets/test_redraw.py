import plotly.graph_objects as go
import pytest
import torch

from bcl_edu.figures import class_counts_bars, class_mean_sphere
from bcl_edu.widgets import redraw

COUNTS = torch.tensor([9, 3])


def test_a_live_figure_takes_the_data_and_title_of_the_new_one_in_its_own_traces() -> None:
    widget = go.FigureWidget(class_mean_sphere(torch.eye(2), COUNTS, title="before"))
    traces = widget.data
    redraw(widget, class_mean_sphere(-torch.eye(2), COUNTS, title="after"))
    assert widget.data == traces
    assert all(ours is before for ours, before in zip(widget.data, traces, strict=True))
    assert list(widget.data[-1].x) == [-1, 0]
    assert "<b>after</b>" in widget.layout.title.text


def test_axes_follow_what_is_shown() -> None:
    widget, other = (class_counts_bars(COUNTS, {"few": torch.tensor([0, 1])}) for _ in range(2))
    other.update_layout(xaxis_range=[0, 3], yaxis_range=[0, 7])
    redraw(live := go.FigureWidget(widget), other)
    assert (live.layout.xaxis.range, live.layout.yaxis.range) == ((0, 3), (0, 7))


def test_the_reader_keeps_the_camera() -> None:
    means = torch.eye(3)
    widget = go.FigureWidget(class_mean_sphere(means, torch.tensor([3, 2, 1])))
    widget.layout.scene.camera.eye = {"x": 2, "y": 0, "z": 0}
    redraw(widget, class_mean_sphere(-means, torch.tensor([3, 2, 1])))
    assert widget.layout.scene.camera.eye.x == 2


def test_figures_of_different_kinds_are_refused() -> None:
    widget = go.FigureWidget(class_mean_sphere(torch.eye(2), COUNTS))
    bars = class_counts_bars(COUNTS, {"few": torch.tensor([0, 1])})
    with pytest.raises(ValueError, match="redraw needs figures of one kind"):
        redraw(widget, bars)
