"""Two overlapping classes, and how much of the rarer one a perfect classifier gives away."""

from __future__ import annotations

import math

import plotly.graph_objects as go
import torch
from jaxtyping import Float
from torch import Tensor

from bcl_edu.course.figures import style


def prior_shift(distance: float, imbalance_factor: float) -> go.Figure:
    """Two unit Gaussians and the best boundaries between them, for equal frequencies and for unequal ones.

    The classes have mean -distance/2 and +distance/2 and variance 1; the first is `imbalance_factor` times as frequent
    in training. The curves are densities, one of each class, as on a balanced test set. The boundary that is right most
    often in training is at log(imbalance factor) / distance; what the rare class has left of it is shaded.

    Args:
        distance: between the two means, in standard deviations, above 0.
        imbalance_factor: IF >= 1.

    Raises:
        ValueError: an argument is out of range.
    """
    if not distance > 0 or not imbalance_factor >= 1:
        raise ValueError(
            f"distance is {distance} and imbalance factor {imbalance_factor}; expected above 0 and from 1"
        )
    boundary = math.log(imbalance_factor) / distance
    lost = 0.5 * (1 + math.erf((boundary - distance / 2) / math.sqrt(2)))
    look_at = f"Shaded: {lost:.0%} of the rare class. Between the lines: what its rarity costs."
    figure = style.empty_figure(
        "What a perfect classifier gives away",
        look_at,
        f"Two bell curves of means {-distance / 2:g} and {distance / 2:g}. The best boundary for equal frequencies "
        f"is at 0, that for {imbalance_factor:g} to 1 at {boundary:.2f}: {lost:.1%} of the rare class lie to its left.",
        height=400,
    )
    right = max(distance / 2 + 3, boundary + 1)
    x = torch.linspace(-distance / 2 - 3, right, 121, dtype=torch.float64)
    given_away = torch.linspace(-distance / 2 - 3, boundary, 101, dtype=torch.float64)
    figure.add_traces(
        [
            _curve(
                given_away,
                given_away - distance / 2,
                name="given away",
                fill="tozeroy",
                fillcolor="rgba(213, 94, 0, 0.12)",
                fillpattern={"shape": "/", "fgcolor": style.TAIL, "size": 8, "solidity": 0.15},
                line={"width": 0},
            ),
            _curve(x, x + distance / 2, name="frequent class", line={"color": style.HEAD, "width": 3}),
            _curve(
                x, x - distance / 2, name="rare class", line={"color": style.TAIL, "width": 3, "dash": "dash"}
            ),
        ]
    )
    lines = {"1 : 1": (0.0, "dot"), f"{imbalance_factor:g} : 1": (boundary, "dashdot")}
    for ratio, (position, dash) in lines.items():
        figure.add_trace(
            go.Scatter(
                x=[position, position],
                y=[0, 0.45],
                name=f"boundary, {ratio}",
                mode="lines+text",
                text=["", f"<b>  {ratio}</b>"],
                textposition="middle right",
                textfont={"color": style.INK, "size": 14},
                line={"color": style.INK, "dash": dash, "width": 2},
                hovertemplate=f"boundary for {ratio}: " + "%{x:.2f}<extra></extra>",
                showlegend=False,
            )
        )
    figure.update_layout(
        xaxis={"title": {"text": "what is seen of a sample, x"}, "showgrid": False},
        yaxis={"title": {"text": "density of each class"}, "range": [0, 0.48]},
        showlegend=True,
    )
    return figure


def _curve(x: Float[Tensor, " n"], from_mean: Float[Tensor, " n"], **look: object) -> go.Scatter:
    """The standard normal density at these distances from the mean."""
    density = (-from_mean.square() / 2).exp() / math.sqrt(2 * math.pi)
    return go.Scatter(
        x=x.to(torch.float32).numpy(),
        y=density.to(torch.float32).numpy(),
        mode="lines",
        hoverinfo="skip",
        **look,
    )
