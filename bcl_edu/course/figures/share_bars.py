"""Share of every class in what pushes an anchor away, one loss beside another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from jaxtyping import Float, Int
from torch import Tensor

from bcl_edu.course.figures import style


def gradient_shares(
    shares: Mapping[str, Float[Tensor, " k"]],
    class_counts: Int[Tensor, " k"],
    class_names: Sequence[str] | None = None,
    *,
    anchor_class: int,
    title: str = "Who pushes",
) -> go.Figure:
    """Share of each class in the repulsion of an anchor, classes from head to tail, losses side by side.

    Args:
        shares: for each loss, the shares, shape (K,): a row of `bcl_edu.geometry.gradient_shares`, or a mean of the
            rows of one class.
        class_counts: samples of each class in the batch, shape (K,); decides the order.
        class_names: shape (K,).
        anchor_class: class of the anchor; it does not repel, and is marked so.
        title: the figure's title.

    Raises:
        ValueError: a loss has not K shares, they do not sum to 1, or the anchor's class is not one of the K.
    """
    classes = len(class_counts)
    if not 0 <= anchor_class < classes:
        raise ValueError(f"the anchor's class is {anchor_class}; expected 0..{classes - 1}")
    for loss, values in shares.items():
        if values.shape != (classes,):
            raise ValueError(
                f"{loss} has shares of shape {tuple(values.shape)} for {classes} classes; expected ({classes},)"
            )
        if not abs(float(values.sum()) - 1) < 1e-6:
            raise ValueError(f"the shares of {loss} sum to {float(values.sum()):.4g}; expected 1")
    names = style.class_labels(class_names, classes)
    order = style.head_to_tail(class_counts)
    ticks = [f"{names[k]}<br>({int(class_counts[k])})" for k in order]
    percent = {loss: [round(100 * float(values[k]), 2) for k in order] for loss, values in shares.items()}
    equal = 100 / (classes - 1)
    words = "; ".join(f"{loss}: " + ", ".join(f"{p:.1f}" for p in row) for loss, row in percent.items())
    figure = style.empty_figure(
        title,
        f"An anchor of class {names[anchor_class]} (no bar) is pushed by all others. Dotted line: equal shares.",
        f"Shares in percent from head to tail, equal would be {equal:.1f}. {words}.",
        height=400,
    )
    for (loss, row), look in zip(percent.items(), style.looks(percent), strict=True):
        figure.add_trace(
            go.Bar(
                x=list(range(classes)),
                y=row,
                name=loss,
                hovertext=[tick.replace("<br>", " ") for tick in ticks],
                marker={"color": look.colour, "pattern": style.hatching(look.pattern)},
                hovertemplate=loss + ", class %{hovertext}: %{y:.1f} %<extra></extra>",
            )
        )
    figure.add_hline(y=equal, line={"color": style.INK, "dash": "dot", "width": 1.5})
    figure.update_layout(
        barmode="group",
        xaxis={
            "tickvals": list(range(classes)),
            "ticktext": ticks,
            "title": {"text": "class (samples in the batch), head to tail"},
            "showgrid": False,
        },
        yaxis={"title": {"text": "share of the repulsion, %"}, "rangemode": "tozero"},
        showlegend=True,
    )
    return figure
