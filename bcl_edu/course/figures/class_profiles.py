"""Several long-tailed profiles in one picture: how class counts fall from head to tail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from jaxtyping import Int
from torch import Tensor

from bcl_edu.course.figures import style


def class_profiles(
    profiles: Mapping[str, Int[Tensor, " k"]],
    *,
    title: str = "Class counts from head to tail",
    look_at: str = "A straight line loses the same factor from class to class.",
) -> go.Figure:
    """Class counts of several profiles, sorted from head to tail, on a logarithmic axis.

    Args:
        profiles: class counts by the profile's name, shape (K,) each, all at least 1.
        title: the figure's title.
        look_at: the caption.

    Raises:
        ValueError: there is no profile, or a count below 1, which has no logarithm.
    """
    if not profiles:
        raise ValueError("there is no profile to draw; expected at least one")
    figure = style.empty_figure(title, look_at, "", height=400)
    words = []
    for position, (name, class_counts) in enumerate(profiles.items()):
        counts = sorted(class_counts.tolist(), reverse=True)
        if counts[-1] < 1:
            raise ValueError(f"{name} has a class of {counts[-1]} images; expected at least 1")
        look = style.series_style(position)
        kept = _corners(counts)
        figure.add_trace(
            go.Scatter(
                x=[k + 1 for k in kept],
                y=[counts[k] for k in kept],
                name=f"{name} ({sum(counts):,})",
                mode="lines+markers",
                line={"color": look.colour, "dash": look.dash, "width": 2.5},
                marker={"symbol": look.symbol, "size": 9, "color": look.colour, "maxdisplayed": 8},
                hovertemplate=name + ", class number %{x}: %{y} images<extra></extra>",
            )
        )
        words.append(
            f"{name} {sum(counts)} images, from {counts[0]} over {counts[len(counts) // 2]} to {counts[-1]}"
        )
    figure.update_layout(
        xaxis={"title": {"text": "classes, head to tail"}, "showgrid": False},
        yaxis={"title": {"text": "training images of a class"}, "type": "log", "dtick": 1},
        showlegend=True,
        meta={
            "caption": look_at,
            "alternative": "Class counts from head over the middle to the tail. " + "; ".join(words) + ".",
        },
    )
    return figure


def _corners(counts: Sequence[int]) -> list[int]:
    """Indices without those inside a run of equal counts: thousands of points that a line does not need."""
    last = len(counts) - 1
    return [
        k for k, count in enumerate(counts) if k in (0, last) or not counts[k - 1] == count == counts[k + 1]
    ]
