"""Every place that two of three collapsed classes can take on the circle, and how the loss there compares to the bound.

Class 0 stays at 0 degrees: turning all three changes nothing, so the angles of classes 1 and 2 are all there is.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
import torch
from jaxtyping import Float
from torch import Tensor

from bcl_edu.course.figures import style
from bcl_edu.course.figures.cosine_heatmap import CELL_INK
from bcl_edu.course.figures.counter_example_figure import (
    CLASSES,
    SAMPLES,
    ThreeClasses,
    collapsed_class_losses,
)

STEP = 6
"""Degrees between two cells of the map."""

# Orange below the bound, pale at it, blue above: the places that refute a claim are the warm ones.
SCALE = ((0.0, "#e8731f"), (0.5, "#f4f2ee"), (1.0, "#6aa5dc"))


def counter_example_map(class_counts: Sequence[int], *, temperature: float = 1.0) -> go.Figure:
    """Loss minus claimed bound for all angles of classes 1 and 2, for both ways to average the anchors.

    Args:
        class_counts: samples of each of the three classes.
        temperature: tau > 0.

    Raises:
        ValueError: not three classes, a count below 1, or tau <= 0.
    """
    start = ThreeClasses((0, 120, 240), class_counts, temperature)
    angles = torch.arange(0, 361, STEP, dtype=torch.float64)
    losses = _losses_over(angles, temperature)
    gaps = {
        SAMPLES: losses @ start.shares - start.claimed,
        CLASSES: losses.mean(dim=-1) - start.claimed,
    }
    reach = max(0.1, *(-float(gap.min()) for gap in gaps.values()))  # losses far above the bound saturate
    figure = style.empty_figure(
        f"Loss minus claimed bound, for {class_counts[0]}, {class_counts[1]} and {class_counts[2]} samples",
        "Every orange point refutes the claim. Triangles: simplices. Circle: lowest point.",
        _in_words(angles, gaps),
        height=460,
    )
    figure.update_layout(margin={"t": 100})
    for number, (name, gap) in enumerate(gaps.items()):
        axes = {"xaxis": ("x", "x2")[number], "yaxis": ("y", "y2")[number]}
        figure.add_traces(
            [
                _cells(angles, gap, reach, show_scale=number == 1).update(axes),
                _marks(angles, gap).update(axes),
            ]
        )
        figure.add_annotation(
            x=0.5,
            y=1.02,
            text=name,
            showarrow=False,
            yanchor="bottom",
            xref=f"{axes['xaxis']} domain",
            yref=f"{axes['yaxis']} domain",
        )
    shown = [0, 60, 120, 180, 240, 300, 360]
    axis = {
        "tickvals": shown,
        "ticktext": [f"{angle}°" for angle in shown],
        "range": [0, 360],
        "showgrid": False,
        "showline": False,
        "constrain": "domain",
        "ticks": "outside",
        "tickcolor": style.INK,
    }
    across = axis | {"title": {"text": "angle of class 1", "font": {"size": 14}}}
    figure.update_layout(
        xaxis=across | {"domain": [0, 0.46]},
        xaxis2=across | {"domain": [0.54, 1], "anchor": "y2"},
        yaxis=axis | {"title": {"text": "angle of class 2"}, "scaleanchor": "x"},
        yaxis2=axis | {"anchor": "x2", "scaleanchor": "x2", "showticklabels": False, "ticks": ""},
        showlegend=False,
    )
    return figure


def tail_angle_curves(
    head_counts: Sequence[int], tail_count: int = 2, *, temperature: float = 1.0
) -> go.Figure:
    """Loss while the two tail classes close up opposite the head, from the regular simplex until they merge.

    Args:
        head_counts: samples of class 0, one curve each; classes 1 and 2 have `tail_count` samples.
        tail_count: samples of each tail class.
        temperature: tau > 0.

    Raises:
        ValueError: more head counts than curves can be told apart, a count below 1, or tau <= 0.
    """
    between = torch.arange(120, -1, -1, dtype=torch.float64)  # the angle between classes 1 and 2
    places = torch.stack([torch.zeros_like(between), 180 - between / 2, 180 + between / 2], dim=1)
    losses = collapsed_class_losses(places, temperature)
    figure = style.empty_figure(
        "From the regular simplex until the tail classes merge",
        "All but the dotted curve dip below the claimed bound. Markers: lowest points.",
        "",
        height=430,
    )
    claimed, words = 0.0, []
    for position, head in enumerate(head_counts):
        classes = ThreeClasses((0, 120, 240), (head, tail_count, tail_count), temperature)
        claimed = classes.claimed
        curve, look = losses @ classes.shares, style.series_style(position)
        lowest = int(curve.argmin())
        name = f"{head}, {tail_count}, {tail_count}"
        figure.add_scatter(
            x=between.tolist(),
            y=curve.tolist(),
            name=name,
            mode="lines",
            line={"color": look.colour, "dash": look.dash, "width": 2.5},
            hovertemplate=f"counts {name}, %{{x}}°: %{{y:.4f}}<extra></extra>",
        )
        figure.add_scatter(
            x=[float(between[lowest])],
            y=[float(curve[lowest])],
            mode="markers",
            marker={"symbol": look.symbol, "size": 11, "color": look.colour},
            showlegend=False,
            hoverinfo="skip",
            cliponaxis=False,
        )
        words.append(f"{name}: lowest {float(curve[lowest]):.4f} at {float(between[lowest]):.0f} degrees")
    figure.add_hline(y=claimed, line={"color": style.INK, "width": 2, "dash": "dash"})
    figure.add_annotation(
        x=0,
        y=claimed,
        text=f"claimed bound {claimed:.4f}",
        showarrow=False,
        xanchor="right",
        yanchor="bottom",
    )
    figure.update_layout(
        xaxis={
            "title": {"text": "angle between the two tail classes"},
            "ticksuffix": "°",
            "range": [121, -1],
        },
        yaxis={"title": {"text": SAMPLES.split(" (")[0]}},
        legend={"title": {"text": "class counts "}},
        meta={
            "caption": figure.layout.meta["caption"],
            "alternative": f"Mean loss over all samples while the tail classes close up from 120 degrees to 0; the "
            f"claimed bound is {claimed:.4f}. For counts {'; '.join(words)}.",
        },
    )
    return figure


def _losses_over(angles: Float[Tensor, " n"], temperature: float) -> Float[Tensor, "n n 3"]:
    """L_y with class 1 at the angle of the column and class 2 at that of the row."""
    third, second = torch.meshgrid(angles, angles, indexing="ij")
    return collapsed_class_losses(torch.stack([torch.zeros_like(second), second, third], dim=-1), temperature)


def _cells(
    angles: Float[Tensor, " n"], gap: Float[Tensor, "n n"], reach: float, *, show_scale: bool
) -> go.Contour:
    """The map, with a line where the loss equals the bound."""
    return go.Contour(
        x=angles.tolist(),
        y=angles.tolist(),
        z=gap.to(torch.float32).numpy(),
        colorscale=[list(stop) for stop in SCALE],
        zmin=-reach,
        zmax=reach,
        contours={"coloring": "heatmap", "start": -1e-6, "end": -1e-6, "size": 1},
        line={"color": CELL_INK, "width": 2},
        showscale=show_scale,
        colorbar={
            "title": {"text": style.above_numbers("loss<br>− bound"), "font": {"size": 13}},
            "outlinewidth": 0,
            "thickness": 14,
            "len": 0.9,
            "tickvals": [-reach, 0, reach],
            "tickformat": "+.2f",
        },
        hovertemplate="class 1 at %{x}°, class 2 at %{y}°: %{z:+.3f}<extra></extra>",
    )


def _marks(angles: Float[Tensor, " n"], gap: Float[Tensor, "n n"]) -> go.Scatter:
    """The two regular simplices, and the lowest place where that is another."""
    x, y, symbols, names = (
        [120.0, 240.0],
        [240.0, 120.0],
        ["triangle-up", "triangle-up"],
        ["simplex", "simplex"],
    )
    row, column = _lowest(gap)
    if float(gap[row, column]) < -1e-9:
        x, y = [*x, float(angles[column])], [*y, float(angles[row])]
        symbols, names = [*symbols, "circle"], [*names, "lowest"]
    return go.Scatter(
        x=x,
        y=y,
        mode="markers+text",
        marker={"symbol": symbols, "size": 12, "color": CELL_INK, "line": {"color": "#ffffff", "width": 1}},
        text=names,
        textposition="top center",
        textfont={"color": CELL_INK, "size": 13},
        hoverinfo="skip",
    )


def _lowest(gap: Float[Tensor, "n n"]) -> tuple[int, int]:
    row, column = divmod(int(gap.argmin()), gap.shape[1])
    return row, column


def _in_words(angles: Float[Tensor, " n"], gaps: dict[str, Float[Tensor, "n n"]]) -> str:
    parts = []
    for name, gap in gaps.items():
        row, column = _lowest(gap)
        share = float((gap[:-1, :-1] < -1e-9).double().mean())  # the last row and column are the first again
        parts.append(
            f"{name}: below the bound at {share:.0%} of the places, lowest {float(gap[row, column]):+.3f} with class 1 "
            f"at {float(angles[column]):.0f} and class 2 at {float(angles[row]):.0f} degrees"
        )
    return "Loss minus claimed bound, class 0 at 0 degrees. " + "; ".join(parts) + "."
