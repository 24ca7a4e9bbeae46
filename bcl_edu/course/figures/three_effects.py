"""A distance from the simplex as a sum: the optimum of full batches, what mini-batches change, what the path lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from bcl_edu.course.figures import style
from bcl_edu.course.figures.training_curves import QUANTITIES

PARTS = (
    "optimum,<br>every class<br>in each batch",
    "+ classes<br>missing in<br>mini-batches",
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
    digits = 3 if len(parts) <= 2 else 2  # three numbers of three digits side by side would touch
    for (name, three), look in zip(parts.items(), style.looks(parts), strict=True):
        if len(three) != 3:
            raise ValueError(f"{name} has {len(three)} parts; expected three: optimum, mini-batches, path")
        values = [*three, sum(three)]
        figure.add_bar(
            x=list(range(len(PARTS))),
            y=values,
            name=name,
            marker={"color": look.colour, "pattern": style.hatching(look.pattern)},
            text=[f"{v:{sign}.{digits}f}" for v, sign in zip(values, ("", "+", "+", ""), strict=True)],
            textposition="outside",
            textfont={"color": style.INK, "size": 13},
            textangle=0,
            constraintext="none",
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
        xaxis={
            "tickvals": list(range(len(PARTS))),
            "ticktext": list(PARTS),
            "tickangle": 0,
            "showgrid": False,
        },
        yaxis={
            "title": {"text": QUANTITIES["simplex_deviation"]},
            "zeroline": True,
            "zerolinecolor": style.INK,
        },
        showlegend=True,
        meta={"caption": look_at, "alternative": f"Three effects that add up. {'; '.join(words)}."},
    )
    return figure
