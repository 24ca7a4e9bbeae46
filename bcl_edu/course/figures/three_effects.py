"""A distance from the simplex as a sum: the optimum of full batches, what mini-batches change, what the path lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from bcl_edu.course.figures import style
from bcl_edu.course.figures.training_curves import QUANTITIES

PARTS = (
    "optimum,<br>every class in each batch",
    "+ classes missing<br>in mini-batches",
    "+ the path,<br>not at its end",
    "= measured",
)
"""The three effects in the order in which they add up, and their sum."""


def three_effects(parts: Mapping[str, Sequence[float]], *, title: str, look_at: str) -> go.Figure:
    """The three effects of each loss as bars side by side, and their sums.

    Args:
        parts: for each loss, deviation of the optimum of full batches, change to the optimum of the mini-batches, and
            change from there to what was measured; a change may be negative.
        title: the figure's title.
        look_at: the caption.

    Raises:
        ValueError: a loss has not three parts.
    """
    figure = style.page(title, look_at, "", height=400)
    words = []
    for position, (name, three) in enumerate(parts.items()):
        if len(three) != 3:
            raise ValueError(f"{name} has {len(three)} parts; expected three: optimum, mini-batches, path")
        values = [*three, sum(three)]
        look = style.series(position)
        figure.add_bar(
            x=list(range(len(PARTS))),
            y=values,
            name=name,
            marker={"color": look.colour, "pattern": style.hatching(look.pattern)},
            text=[f"{values[0]:.3f}", *(f"{change:+.3f}" for change in three[1:]), f"{values[-1]:.3f}"],
            textposition="outside",
            textfont={"color": style.INK},
            cliponaxis=False,
            hovertemplate=name + ": %{y:.3f}<extra></extra>",
        )
        words.append(
            f"{name}: {three[0]:.3f} at the optimum of full batches, {three[1]:+.3f} by mini-batches, {three[2]:+.3f} "
            f"by the path, {values[-1]:.3f} measured"
        )
    figure.update_layout(
        barmode="group",
        bargap=0.25,
        xaxis={"tickvals": list(range(len(PARTS))), "ticktext": list(PARTS), "showgrid": False},
        yaxis={
            "title": {"text": QUANTITIES["simplex_deviation"]},
            "zeroline": True,
            "zerolinecolor": style.INK,
        },
        showlegend=True,
        meta={"caption": look_at, "alternative": f"Three effects that add up. {'; '.join(words)}."},
    )
    return figure
