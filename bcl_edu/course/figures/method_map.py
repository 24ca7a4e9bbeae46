"""Map of what each method touches: one row a method, one column for each thing that can be touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from bcl_edu.course.figures import style
from bcl_edu.course.method_parts import MethodParts

METHOD_COLUMNS = ("loss", "sampler", "views", "stages", "memory", "network", "prediction")
"""From what is done to the images to what is left after training."""

ROW = 23
"""Pixels of a row."""

TRAINING = style.Series(style.HEAD, "solid", "square", "")
PREDICTION = style.Series(style.TAIL, "solid", "diamond", "")


def method_map(
    parts: Mapping[str, MethodParts],
    *,
    title: str = "Which method touches what",
    look_at: str = "Squares: in training only. Diamonds: in prediction too. Read a column, then a row.",
) -> go.Figure:
    """Marks where a method does otherwise than cross-entropy; rows from those that touch least to those that do most.

    Views and stages have their number in the mark, the network the number of parts that are other.

    Args:
        parts: what each method touches, by its name.
        title: the figure's title.
        look_at: the caption.

    Raises:
        ValueError: there is no method.
    """
    if not parts:
        raise ValueError("there is no method to draw; expected at least one")
    names = sorted(parts, key=lambda name: _place(parts[name]))
    figure = style.empty_figure(title, look_at, _in_words(parts, names), height=200 + ROW * len(names))
    for label, look in (("in training", TRAINING), ("in prediction too", PREDICTION)):
        marks = [
            (column, name)
            for name in names
            for column in METHOD_COLUMNS
            if column in parts[name].touched and (look is PREDICTION) == _in_prediction(parts[name], column)
        ]
        figure.add_trace(
            go.Scatter(
                x=[column for column, _ in marks],
                y=[name for _, name in marks],
                mode="markers+text",
                name=label,
                marker={"symbol": look.symbol, "size": 18, "color": look.colour, "line": {"width": 0}},
                text=[_number(parts[name], column) for column, name in marks],
                textfont={"color": style.LIGHT_PAGE, "size": 12},
                hovertext=[_told(parts[name], column) for column, name in marks],
                hovertemplate="%{y}, %{x}: %{hovertext}<extra></extra>",
                cliponaxis=False,
            )
        )
    axis = {"type": "category", "zeroline": False, "showline": False, "ticks": ""}
    figure.update_layout(
        title={"xref": "container", "pad": {"t": 22, "l": 10}},
        xaxis=axis
        | {
            "categoryorder": "array",
            "categoryarray": list(METHOD_COLUMNS),
            "side": "top",
            "tickangle": -50,
            "showgrid": False,
            "range": [-0.6, len(METHOD_COLUMNS) - 0.4],
        },
        yaxis=axis
        | {
            "categoryorder": "array",
            "categoryarray": names,
            "range": [len(names) - 0.4, -0.6],
            "gridcolor": style.FAINT,
            "tickfont": {"size": 13},
            "dtick": 1,
        },
        legend={"y": -0.01, "yanchor": "top"},
        margin={"t": 140, "b": 40},
    )
    return figure


def _place(parts: MethodParts) -> tuple[int, list[bool]]:
    """By how much is touched, and then what, so that methods that touch the same stand together."""
    return len(parts.touched), [column not in parts.touched for column in METHOD_COLUMNS]


def _in_prediction(parts: MethodParts, column: str) -> bool:
    return column == "prediction" or (column == "network" and parts.network == "in prediction")


def _number(parts: MethodParts, column: str) -> str:
    """Text in a mark."""
    numbers = {"views": parts.views, "stages": len(parts.stages), "network": len(parts.extra)}
    return str(numbers[column]) if column in numbers else ""


def _told(parts: MethodParts, column: str) -> str:
    """Hover text of a mark."""
    said = {
        "sampler": ", ".join(parts.samplers),
        "views": f"{parts.views} of each image",
        "stages": ", ".join(parts.stages),
        "memory": "kept from step to step",
        "network": f"{', '.join(parts.extra).replace('_', ' ')}, {parts.network}",
        "prediction": "logits are more than the classifier's",
    }
    return said.get(column, "not cross-entropy")


def _in_words(parts: Mapping[str, MethodParts], names: Sequence[str]) -> str:
    rows = [
        f"{name} {' and '.join(column for column in METHOD_COLUMNS if column in parts[name].touched) or 'nothing'}"
        for name in names
    ]
    return f"What {len(names)} methods touch: {'; '.join(rows)}."
