"""Change a figure that is on the screen into another one of the same kind, in place."""

from __future__ import annotations

import plotly.graph_objects as go


def redraw(widget: go.FigureWidget, figure: go.Figure) -> None:
    """Give a live figure the data, title and axes of another, in one message and without flicker.

    Traces are changed, never replaced, and the camera is left where the reader turned it.

    Args:
        widget: on the screen, made from a figure of the same function.
        figure: what it should show now.

    Raises:
        ValueError: the two do not have the same traces.
    """
    kinds = [[trace.type for trace in drawn.data] for drawn in (widget, figure)]
    if kinds[0] != kinds[1]:
        raise ValueError(
            f"the live figure has traces {kinds[0]}, the new one {kinds[1]}; redraw needs figures of one kind"
        )
    with widget.batch_update():
        for shown, new in zip(widget.data, figure.data, strict=True):
            shown.update(new.to_plotly_json(), overwrite=True)
        widget.layout.title = figure.layout.title
        widget.layout.xaxis = figure.layout.xaxis
        widget.layout.yaxis = figure.layout.yaxis
        widget.layout.meta = figure.layout.meta
