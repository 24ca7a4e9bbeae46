"""Simplex deviation along a path, or over batch sizes: a line a loss, and a band that all its seeds are in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import plotly.graph_objects as go
import torch
from jaxtyping import Float
from torch import Tensor

from bcl_edu.course.figures import style
from bcl_edu.course.figures.training_curves import QUANTITIES


def deviation_curves(
    runs: Mapping[str, Float[Tensor, "seeds moments"]],
    moments: Sequence[float],
    *,
    moment: str,
    ends: Mapping[str, float] | None = None,
    logarithmic: bool = False,
    title: str,
    look_at: str,
) -> go.Figure:
    """Simplex deviation over some quantity: the mean over seeds as a line, from lowest to highest as a band.

    Args:
        runs: for each loss, the deviation of each seed at each moment, shape (S, M).
        moments: where on the horizontal axis, in rising order, shape (M,).
        moment: what they are, the name of that axis.
        ends: for some of the losses, the deviation of the certified optimum, drawn as a line on the right that the path
            would end at.
        logarithmic: whether equal factors of the moments are equally far apart; they must be above 0 then.
        title: the figure's title.
        look_at: the caption.

    Raises:
        ValueError: no runs, a shape does not fit the moments, a value is not finite, moments do not rise or cannot be
            on a logarithmic axis, or an end is of a loss that is not shown.
    """
    ends = dict(ends or {})
    _check(runs, moments, ends, logarithmic)
    figure = style.empty_figure(title, look_at, "")
    words = []
    for (name, values), look in zip(runs.items(), style.looks(runs), strict=True):
        low, mean, high = values.amin(dim=0), values.mean(dim=0), values.amax(dim=0)
        if len(values) > 1:
            figure.add_trace(_band(moments, low, high, look.colour))
        figure.add_trace(
            go.Scatter(
                x=list(moments),
                y=_rounded(mean),
                name=name,
                mode="lines+markers",
                line={"color": look.colour, "dash": look.dash, "width": 2.5},
                marker={"symbol": look.symbol, "size": 8, "color": look.colour, "maxdisplayed": 12},
                hovertemplate=name + f", {moment} %{{x}}: %{{y:.3f}}<extra></extra>",
            )
        )
        words.append(
            f"{name} from {mean[0]:.3f} at {moments[0]:g} to {mean[-1]:.3f} at {moments[-1]:g}"
            + (f", its optimum {ends[name]:.3f}" if name in ends else "")
        )
        if name in ends:
            figure.add_trace(_end(name, ends[name], moments, look, logarithmic))
    fewest, most = (bound(len(values) for values in runs.values()) for bound in (min, max))
    seeds = str(most) if fewest == most else f"{fewest} to {most}"
    over = f"mean of {seeds} seeds; " if most > 1 else ""
    legend = 26 * ((len(runs) + 1) // 2)  # two names a row, above the plot and below the caption
    figure.update_layout(
        margin={"t": 72 + legend},
        height=350 + legend,
        xaxis={
            "title": {"text": moment},
            "showgrid": False,
            "type": "log" if logarithmic else "linear",
            **_ticks(moments, logarithmic),
        },
        yaxis={"title": {"text": QUANTITIES["simplex_deviation"]}, "rangemode": "tozero"},
        showlegend=True,
        meta={
            "caption": look_at,
            "alternative": f"{QUANTITIES['simplex_deviation']} over {moment}, {over}{'; '.join(words)}.",
        },
    )
    return figure


def _check(
    runs: Mapping[str, Float[Tensor, "seeds moments"]],
    moments: Sequence[float],
    ends: Mapping[str, float],
    logarithmic: bool,
) -> None:
    if not runs:
        raise ValueError("no runs; expected at least one, a tensor of shape (seeds, moments)")
    for name, values in runs.items():
        if values.ndim != 2 or len(values) == 0 or values.shape[1] != len(moments):
            raise ValueError(
                f"{name} has shape {tuple(values.shape)}; expected (seeds, {len(moments)}) for {len(moments)} moments"
            )
        if not values.isfinite().all():
            raise ValueError(f"{name} has a value that is not finite")
    if any(b <= a for a, b in pairwise(moments)):
        raise ValueError(f"moments are {list(moments)}; expected rising numbers")
    if logarithmic and moments[0] <= 0:
        raise ValueError(f"the first moment is {moments[0]}; a logarithmic axis begins above 0")
    unknown = sorted(set(ends) - set(runs))
    if unknown:
        raise ValueError(f"an end for {unknown[0]!r}, which is not among the runs: {', '.join(runs)}")


def _ticks(moments: Sequence[float], logarithmic: bool) -> dict[str, object]:
    """On a logarithmic axis a tick at each moment if they are few, else at powers of ten."""
    if not logarithmic:
        return {}
    return {"tickvals": list(moments)} if len(moments) <= 8 else {"dtick": 1}


def _band(
    moments: Sequence[float], low: Float[Tensor, " m"], high: Float[Tensor, " m"], colour: str
) -> go.Scatter:
    """From the lowest seed to the highest, as one closed outline."""
    return go.Scatter(
        x=[*moments, *reversed(moments)],
        y=_rounded(torch.cat([low, high.flip(0)])),
        fill="toself",
        fillcolor=colour,
        opacity=0.22,
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
    )


def _end(
    name: str, value: float, moments: Sequence[float], look: style.Series, logarithmic: bool
) -> go.Scatter:
    """A short mark right of the last moment, where the path would end."""
    if logarithmic:
        left, right = moments[-1] * 1.15, moments[-1] * (moments[-1] / moments[0]) ** 0.09
    else:
        span = moments[-1] - moments[0]
        left, right = moments[-1] + 0.03 * span, moments[-1] + 0.12 * span
    return go.Scatter(
        x=[left, right],
        y=[value, value],
        mode="lines+markers",
        line={"color": look.colour, "width": 4},
        marker={"symbol": look.symbol, "size": [0, 9], "color": look.colour},
        name=f"optimum of {name}",
        hovertemplate=f"certified optimum of {name}: %{{y:.3f}}<extra></extra>",
        showlegend=False,
    )


def _rounded(values: Float[Tensor, " m"]) -> list[float]:
    """Three decimals: as fine as a pixel, and a third of the text in a stored notebook."""
    return [round(value, 3) for value in values.tolist()]
