"""Lower bounds against the loss that they bound, and the lines of a proof that lead from one to the other."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go
from jaxtyping import Float, Int
from torch import Tensor

from bcl_edu.course.figures import style

TOLERANCE = 1e-9
"""A loss that is below its bound by less than this is on it: rounding, not a violation."""

BEYOND = 0.25
"""Share of the axis past the largest loss within which a bound is still drawn at its place."""


def bound_versus_loss(
    loss: Float[Tensor, " n"],
    bounds: Mapping[str, Float[Tensor, " n"]],
    *,
    title: str = "Loss against its bound",
    quantity: str = "lower bound",
    reach: tuple[float, float] | None = None,
) -> go.Figure:
    """One point an anchor: what is claimed to be a lower bound to the right, the loss upwards.

    Points on the line have a loss equal to the bound. A point below the line has a loss below it, which a lower bound
    forbids.

    Args:
        loss: L_i of each anchor, shape (n,); anchors of which it or a bound is NaN (no positive) are left out.
        bounds: for each claim, its value for each anchor, shape (n,).
        title: the figure's title.
        quantity: what is plotted to the right.
        reach: smallest and largest value on both axes; without it, what the losses need. Larger bounds are drawn at
            the right edge.

    Raises:
        ValueError: there is no bound, shapes disagree, or no anchor has a loss.
    """
    if not bounds:
        raise ValueError("no bound to compare the loss with; pass at least one")
    for name, bound in bounds.items():
        if loss.ndim != 1 or bound.shape != loss.shape:
            raise ValueError(
                f"loss has shape {tuple(loss.shape)} and bound {name!r} {tuple(bound.shape)}; expected (n,) twice"
            )
    shown = {name: _finite_pairs(loss, bound) for name, bound in bounds.items()}
    if not all(pairs for pairs in shown.values()):
        raise ValueError("no anchor has both a loss and a bound; are all of them alone in their classes?")
    low, high = reach or _reach([pair for pairs in shown.values() for pair in pairs])
    below = {name: sum(value < bound - TOLERANCE for bound, value in pairs) for name, pairs in shown.items()}

    figure = style.empty_figure(
        title,
        "On the line the loss is its bound. In the grey it is below what should bound it.",
        _in_words(shown, below),
        height=430,
    )
    edge = {"low": [low, high], "floor": [low, low]}
    figure.add_traces(
        [
            go.Scatter(
                x=edge["low"],
                y=edge["floor"],
                mode="lines",
                line={"width": 0},
                showlegend=False,
                hoverinfo="skip",
            ),
            go.Scatter(
                x=edge["low"],
                y=edge["low"],
                mode="lines",
                line={"color": style.INK, "width": 1.5},
                fill="tonexty",
                fillcolor=style.FAINT,
                name="loss = bound",
                showlegend=False,  # a third row would touch the caption
                hoverinfo="skip",
            ),
        ]
    )
    for position, (name, pairs) in enumerate(shown.items()):
        look = style.series_style(position + 1)  # the first look is the grey of the line
        figure.add_trace(
            go.Scatter(
                x=[
                    min(max(round(bound, 4), low), high) for bound, _ in pairs
                ],  # past the edge: not drawn at all
                y=[round(value, 4) for _, value in pairs],
                customdata=[round(bound, 4) for bound, _ in pairs],
                mode="markers",
                name=f"{name} ({below[name]} of {len(pairs)} in the grey)",
                marker={"color": look.colour, "symbol": look.symbol, "size": 9, "opacity": 0.9},
                cliponaxis=False,
                hovertemplate=name + " %{customdata:.4g}, loss %{y:.4g}<extra></extra>",
            )
        )
    axis = {"range": [low, high], "showgrid": True, "constrain": "domain"}
    figure.update_layout(
        xaxis={**axis, "title": {"text": f"{quantity} of an anchor's loss"}},
        yaxis={**axis, "title": {"text": "loss of the anchor"}},
        showlegend=True,
        legend={"traceorder": "normal"},
    )
    return figure


def proof_ladder(
    lines: Mapping[str, Float[Tensor, " n"]], labels: Int[Tensor, " n"], *, title: str = "Line by line"
) -> go.Figure:
    """The value of every line of a proof, one ladder an anchor: each step of a lower bound leads down.

    Args:
        lines: the lines from first to last, each with its value for every anchor, shape (n,); anchors with a NaN
            (no positive) are left out.
        labels: class of each anchor, shape (n,); anchors stand from head to tail.
        title: the figure's title.

    Raises:
        ValueError: fewer than two lines, shapes disagree, or no anchor has all of them.
    """
    if len(lines) < 2:
        raise ValueError(f"a proof of {len(lines)} line(s) has no step to show; pass at least two")
    for name, values in lines.items():
        if labels.ndim != 1 or values.shape != labels.shape:
            raise ValueError(
                f"labels have shape {tuple(labels.shape)} and line {name!r} {tuple(values.shape)}; expected (n,) twice"
            )
    counts = labels.bincount()
    rank = {class_id: place for place, class_id in enumerate(style.head_to_tail(counts))}
    complete = [i for i in range(len(labels)) if all(bool(values[i].isfinite()) for values in lines.values())]
    if not complete:
        raise ValueError("no anchor has a value in every line; are all of them alone in their classes?")
    order = sorted(complete, key=lambda i: rank[int(labels[i])])
    table = {name: [round(float(values[i]), 4) for i in order] for name, values in lines.items()}
    places = list(range(len(order)))
    steps = [
        f"{first} to {second}: down by "
        f"{min(_down(table[first], table[second])):.3f} to {max(_down(table[first], table[second])):.3f}"
        for first, second in zip(list(lines), list(lines)[1:], strict=False)
    ]
    figure = style.empty_figure(
        title,
        "One ladder for each anchor, head class first. Which step is the larger one?",
        f"Lines of a proof for {len(order)} anchors. " + "; ".join(steps) + ".",
        height=400,
    )
    names = list(lines)
    rails_x = [x for place in places for x in (place, place, None)]
    rails_y = [y for i in places for y in (table[names[0]][i], table[names[-1]][i], None)]
    figure.add_trace(
        go.Scatter(
            x=rails_x,
            y=rails_y,
            mode="lines",
            line={"color": style.WIRE, "width": 1},
            showlegend=False,
            hoverinfo="skip",
        )
    )
    for position, name in enumerate(names):
        look = style.series_style(position)
        figure.add_trace(
            go.Scatter(
                x=places,
                y=table[name],
                mode="markers",
                name=name,
                marker={"color": look.colour, "symbol": look.symbol, "size": 11},
                hovertemplate=name + ": %{y:.4g}<extra></extra>",
            )
        )
    figure.update_layout(
        xaxis={
            "tickvals": places,
            "ticktext": [f"{int(labels[i])}" for i in order],
            "title": {"text": "class of the anchor"},
            "showgrid": False,
            "range": [-0.6, len(order) - 0.4],
        },
        yaxis={"title": {"text": "value of the line"}},
        showlegend=True,
    )
    return figure


def _down(first: list[float], second: list[float]) -> list[float]:
    return [one - other for one, other in zip(first, second, strict=True)]


def _finite_pairs(loss: Float[Tensor, " n"], bound: Float[Tensor, " n"]) -> list[tuple[float, float]]:
    """(bound, loss) of the anchors that have both."""
    kept = loss.isfinite() & bound.isfinite()
    return list(zip(bound[kept].tolist(), loss[kept].tolist(), strict=True))


def _reach(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    low = min(min(bound, value) for bound, value in pairs)
    highest = max(value for _, value in pairs)
    free = max(highest - low, 0.1)
    return low - 0.05 * free, highest + BEYOND * free


def _in_words(shown: Mapping[str, list[tuple[float, float]]], below: Mapping[str, int]) -> str:
    parts = []
    for name, pairs in shown.items():
        gaps = [value - bound for bound, value in pairs]
        parts.append(
            f"{name}: loss below it for {below[name]} of {len(pairs)} anchors; loss minus bound from "
            f"{min(gaps):.3g} to {max(gaps):.3g}"
        )
    return ". ".join(parts) + "."
