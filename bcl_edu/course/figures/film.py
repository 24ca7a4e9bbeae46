"""Many figures as one, with a slider that moves between them in the browser, without Python."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.utils import PlotlyJSONEncoder

from bcl_edu.course.figures import style


def film(figures: Mapping[str, go.Figure], *, quantity: str, start: str | None = None) -> go.Figure:
    """A slider over figures of one kind.

    Everything shown was computed beforehand: a position of the slider is one of these figures, never a blend of two.
    Write it to a page with `write_html(..., auto_play=False)`, or it runs through all positions when the page opens.

    Args:
        figures: what to show at each position of the slider, under the position's label.
        quantity: what the slider sets, written before the label.
        start: label of the position that is shown first, and in print; without it, the first.

    Raises:
        ValueError: fewer than two figures, they do not have the same traces, or there is no position `start`.
    """
    labels = list(figures)
    if len(labels) < 2:
        raise ValueError(f"a slider over {len(labels)} figure(s) moves nothing; pass at least two")
    start = labels[0] if start is None else start
    if start not in figures:
        raise ValueError(f"no figure is called {start!r}; there are {', '.join(labels)}")
    base = figures[start]
    kinds = [trace.type for trace in base.data]
    for label, figure in figures.items():
        if [trace.type for trace in figure.data] != kinds:
            raise ValueError(
                f"figure {label!r} has traces {[trace.type for trace in figure.data]}, {start!r} has {kinds}; "
                "a slider needs figures of one kind"
            )

    shown = go.Figure(base)
    changing = [_changing([figure.data[n] for figure in figures.values()]) for n in range(len(kinds))]
    moved = [n for n, attributes in enumerate(changing) if attributes]
    shown.frames = [
        go.Frame(
            name=label,
            data=[
                type(figure.data[n])({a: figure.data[n].to_plotly_json()[a] for a in sorted(changing[n])})
                for n in moved
            ],
            traces=moved,
            layout={
                "title": {"text": figure.layout.title.text},
                "xaxis": {"ticktext": figure.layout.xaxis.ticktext},
            },
        )
        for label, figure in figures.items()
    ]
    room = 20 if base.layout.xaxis.visible is False else 70  # for the labels of the axis
    shown.update_layout(
        margin={"b": room + 60},
        height=base.layout.height + room + 20,
        meta={
            "caption": style.caption(base),
            "alternative": f"A slider over {quantity}, from {labels[0]} to {labels[-1]}. At {labels[0]}: "
            f"{style.text_alternative(figures[labels[0]])} At {labels[-1]}: "
            f"{style.text_alternative(figures[labels[-1]])}",
        },
        sliders=[frame_slider(labels, quantity, active=labels.index(start)) | {"pad": {"t": room}}],
    )
    return shown


def frame_slider(
    labels: Sequence[str], quantity: str, *, active: int = 0, redraw: bool = True
) -> dict[str, Any]:
    """A slider under a figure, one position a frame.

    Args:
        labels: names of the frames.
        quantity: what the slider sets, written before the label.
        active: position at first.
        redraw: whether a frame changes more than positions of points in the plane.
    """
    still = {"mode": "immediate", "frame": {"duration": 0, "redraw": redraw}, "transition": {"duration": 0}}
    return {
        "active": active,
        "x": 0.0,
        "len": 1.0,
        "y": 0.0,
        "yanchor": "top",
        "currentvalue": {"prefix": f"{quantity} ", "font": {"size": 14, "color": style.INK}},
        "font": {"color": style.INK, "size": 13},
        "bgcolor": style.FAINT,
        "activebgcolor": style.INK,
        "bordercolor": style.INK,
        "tickcolor": style.INK,
        "steps": [{"method": "animate", "label": label, "args": [[label], still]} for label in labels],
    }


def _changing(traces: list[Any]) -> set[str]:
    """Names of the attributes in which traces of one kind differ."""
    # as JSON, since two arrays have no single answer to whether they are equal
    plain = [json.loads(json.dumps(trace.to_plotly_json(), cls=PlotlyJSONEncoder)) for trace in traces]
    names = {name for trace in plain for name in trace}
    return {name for name in names if any(trace.get(name) != plain[0].get(name) for trace in plain)}
