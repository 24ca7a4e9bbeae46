"""Largest possible distance of the closest pair of points on a sphere, against the number of points."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from bcl_edu.course.figures import style


def closest_pairs(found: Mapping[int, float], dimension: int) -> go.Figure:
    """Largest cosine of the best arrangements found, beside that of the regular simplex.

    Args:
        found: for each number of points K >= 2, the largest cosine between two of them.
        dimension: h of the sphere that they are on; up to K = h + 1 the simplex fits.

    Raises:
        ValueError: there is nothing to draw, fewer than two points, or a number that is no cosine.
    """
    if not found:
        raise ValueError("there is no arrangement to draw")
    for points, cosine in found.items():
        if points < 2 or not -1.001 <= cosine <= 1.001:
            raise ValueError(f"{points} points with cosine {cosine}; expected from 2 points, and a cosine")
    numbers = sorted(found)
    simplex = [-1 / (points - 1) for points in numbers]
    figure = style.empty_figure(
        f"The closest pair of K points in {dimension} dimensions",
        "Low is far apart. Look at where the two lines part.",
        "Largest cosine of the best arrangement found, and of the regular simplex: "
        + ", ".join(
            f"K = {k}: {found[k]:.2f} and {other:.2f}" for k, other in zip(numbers, simplex, strict=True)
        )
        + f". The simplex fits into {dimension} dimensions up to K = {dimension + 1}.",
        height=400,
    )
    lines = {"best found": [found[k] for k in numbers], "regular simplex, -1/(K-1)": simplex}
    for position, (name, values) in enumerate(lines.items(), start=1):
        look = style.series_style(position)
        figure.add_trace(
            go.Scatter(
                x=numbers,
                y=values,
                name=name,
                mode="lines+markers",
                line={"color": look.colour, "dash": look.dash, "width": 2.5},
                marker={"symbol": look.symbol, "size": 9, "color": look.colour},
                hovertemplate=name + ", K = %{x}: %{y:.3f}<extra></extra>",
            )
        )
    figure.update_layout(
        xaxis={"title": {"text": "number of points, K"}, "dtick": 1, "showgrid": False},
        yaxis={"title": {"text": "largest cosine between two points"}},
        showlegend=True,
    )
    return figure
