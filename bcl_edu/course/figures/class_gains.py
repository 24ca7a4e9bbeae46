"""Gains and losses of each method on each class, beside a yardstick: one row a method, one column a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from jaxtyping import Int
from torch import Tensor

from bcl_edu.course.figures import style
from bcl_edu.course.figures.cosine_heatmap import CELL_INK, NEUTRAL

LOSS, GAIN = "#9a6fc0", "#3f9162"
"""Purple and green: blue and orange are head and tail, teal and magenta cosines."""
ROW = 21
"""Pixels of a row."""


def class_gains(
    gains: Mapping[str, Sequence[float]],
    class_counts: Int[Tensor, " k"],
    class_names: Sequence[str] | None = None,
    *,
    title: str,
    look_at: str,
) -> go.Figure:
    """Points of accuracy that each method gains on each class, classes from head to tail.

    Rows are in the order of the mean gain, the largest first.

    Args:
        gains: for each method K differences in points.
        class_counts: training images of each class, shape (K,).
        class_names: shape (K,).
        title: the figure's title.
        look_at: the caption.

    Raises:
        ValueError: there is no method, or one has not K gains.
    """
    classes = len(class_counts)
    if not gains:
        raise ValueError("there is no method to draw; expected at least one")
    for method, values in gains.items():
        if len(values) != classes:
            raise ValueError(f"{method} has {len(values)} gains for {classes} classes")
    names = style.class_labels(class_names, classes)
    order = style.head_to_tail(class_counts)
    ticks = [f"{names[k]}<br>({int(class_counts[k])})" for k in order]
    methods = sorted(gains, key=lambda method: -sum(gains[method]))
    rows = {method: [round(gains[method][k]) for k in order] for method in methods}
    reach = max(1, *(abs(value) for row in rows.values() for value in row))
    words = "; ".join(
        f"{method} {', '.join(f'{value:+d}' if value else '0' for value in row)}"
        for method, row in rows.items()
    )
    figure = style.empty_figure(
        title,
        look_at,
        f"Points gained on each class from head to tail. {words}.",
        height=150 + ROW * len(methods),
    )
    figure.add_trace(
        go.Heatmap(
            z=list(rows.values()),
            x=ticks,
            y=methods,
            zmin=-reach,
            zmax=reach,
            colorscale=[[0.0, LOSS], [0.5, NEUTRAL], [1.0, GAIN]],
            showscale=False,
            xgap=1,
            ygap=1,
            text=[[f"{value:+d}" if value else "0" for value in row] for row in rows.values()],
            texttemplate="%{text}",
            textfont={"color": CELL_INK, "size": 11},
            hovertemplate="%{y}, class %{x}: %{z:+d} points<extra></extra>",
        )
    )
    axis = {"type": "category", "showgrid": False, "showline": False, "ticks": ""}
    figure.update_layout(
        title={"xref": "container", "pad": {"t": 22, "l": 10}},
        xaxis=axis | {"side": "top", "tickfont": {"size": 12}, "tickangle": 0},
        yaxis=axis | {"autorange": "reversed", "dtick": 1, "tickfont": {"size": 13}},
        margin={"t": 118},
    )
    return figure
