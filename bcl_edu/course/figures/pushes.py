"""Forces on class means on the circle: one circle a loss, an arrow at every class mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bcl_edu.course.figures import style

PITCH = 2.9
"""Distance between the centres of two circles, of radius 1."""

AT_REST = 1e-6
"""A push shorter than this, compared with the longest one drawn, is none."""


def push_circles(
    means: Float[Tensor, "k 2"],
    pushes: Mapping[str, Float[Tensor, "k 2"]],
    class_counts: Int[Tensor, " k"],
    *,
    longest: float | None = None,
    title: str = "Where classes are pushed",
) -> go.Figure:
    """Class means on a circle with the direction and strength in which each is pushed, one circle a loss.

    All arrows of a figure have one scale, so that they can be compared; a class at rest has a ring instead.

    Args:
        means: unit class means, shape (K, 2).
        pushes: for each loss, the push on each class mean, shape (K, 2); drawn as it is, so pass its tangential part.
        class_counts: samples of each class, shape (K,); decides colour and size.
        longest: the push that is drawn as long as the circle's radius; without it, the longest there is.
        title: the figure's title.

    Raises:
        ValueError: shapes disagree, means are not on the unit circle, or there is no loss.
    """
    classes = len(class_counts)
    if means.shape != (classes, 2) or not bool((means.norm(dim=1) - 1).abs().max() < 1e-3):
        raise ValueError(
            f"means of shape {tuple(means.shape)} for {classes} classes; expected unit vectors of shape ({classes}, 2)"
        )
    if not pushes:
        raise ValueError("no pushes to draw; pass those of at least one loss")
    for loss, push in pushes.items():
        if push.shape != means.shape:
            raise ValueError(f"{loss} has pushes of shape {tuple(push.shape)}; expected {tuple(means.shape)}")
    strength = {loss: push.norm(dim=1) for loss, push in pushes.items()}
    scale = longest or max(float(values.max()) for values in strength.values()) or 1.0

    words = "; ".join(
        f"{loss}: " + ", ".join(f"class {k} {float(v):.3g}" for k, v in enumerate(values))
        for loss, values in strength.items()
    )
    figure = style.empty_figure(
        title,
        "Arrows are pushes along the circle, on one scale; a ring is a class at rest.",
        f"Strength of the push on each class. {words}.",
        height=380,
    )
    for panel, (loss, push) in enumerate(pushes.items()):
        figure.add_traces(_circle(means, push / scale, class_counts, panel * PITCH))
        figure.add_annotation(
            x=panel * PITCH,
            y=0,
            text=f"<b>{loss}</b>",
            showarrow=False,
            font={"size": 15, "color": style.INK},
        )
    hidden = {"visible": False}
    figure.update_layout(
        xaxis={**hidden, "range": [-1.45, (len(pushes) - 1) * PITCH + 1.45]},
        yaxis={**hidden, "range": [-1.3, 1.3], "scaleanchor": "x"},
        margin={"t": 70},
        showlegend=False,
    )
    return figure


def _circle(
    means: Float[Tensor, "k 2"],
    pushes: Float[Tensor, "k 2"],
    class_counts: Int[Tensor, " k"],
    shift: float,
) -> Sequence[go.Scatter]:
    """Outline, arrows, means and names of one panel, in this order."""
    turn = torch.linspace(0, 2 * math.pi, 61)
    colours = style.class_colours(class_counts)
    sizes = style.class_marker_sizes(class_counts, 16, 9)
    outline = go.Scatter(
        x=[round(shift + float(a.cos()), 3) for a in turn],
        y=[round(float(a.sin()), 3) for a in turn],
        mode="lines",
        line={"color": style.WIRE, "width": 1},
        hoverinfo="skip",
    )
    points = go.Scatter(
        x=[round(shift + float(x), 4) for x in means[:, 0]],
        y=[round(float(y), 4) for y in means[:, 1]],
        mode="markers",
        marker={"color": colours, "size": sizes, "opacity": 1},
        hovertext=[f"class {k}: {n} samples" for k, n in enumerate(class_counts.tolist())],
        hoverinfo="text",
    )
    names = go.Scatter(  # inside the circle, where no arrow goes
        x=[round(shift + 0.78 * float(x), 4) for x in means[:, 0]],
        y=[round(0.78 * float(y), 4) for y in means[:, 1]],
        mode="text",
        text=[f"<b>{k}</b>" for k in range(len(means))],
        textfont={"size": 15, "color": style.INK},
        hoverinfo="skip",
    )
    arrows = []
    for k, (mean, push) in enumerate(zip(means, pushes, strict=True)):
        length = float(push.norm())
        resting = length < AT_REST
        tip = mean + push
        arrows.append(
            go.Scatter(
                x=[round(shift + float(p[0]), 4) for p in (mean, tip)],
                y=[round(float(p[1]), 4) for p in (mean, tip)],
                mode="lines+markers",
                line={"color": colours[k], "width": 3},
                marker={
                    "color": colours[k],
                    "symbol": ["circle-open", "circle-open" if resting else "arrow"],
                    "size": [0, sizes[k] + 8 if resting else min(14, 6 + 40 * length)],
                    "angleref": "previous",
                    "opacity": 1,
                },
                hoverinfo="skip",
            )
        )
    return [outline, *arrows, points, names]  # dots over arrows: one that is shorter than the dot is hidden
