"""One quantity over the epochs, one line a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from bcl_edu.course.figures import style

QUANTITIES = {
    "loss": "loss",
    "loss_classification": "classification loss",
    "loss_contrastive": "contrastive loss",
    "top1": "test accuracy, %",
    "many": "many-shot accuracy, %",
    "medium": "medium-shot accuracy, %",
    "few": "few-shot accuracy, %",
    "simplex_deviation": "simplex deviation",
    "feature_simplex_deviation": "simplex deviation of the features",
    "learning_rate": "learning rate",
}
"""Names of the numbers in a run's metrics, and how an axis calls them."""


def training_curves(
    runs: Mapping[str, Sequence[Mapping[str, Any]]],
    quantity: str,
    *,
    title: str | None = None,
    look_at: str = "The value after the last epoch is what counts.",
) -> go.Figure:
    """Curves of one of the metrics over the epochs.

    Args:
        runs: for each run, its metrics: one mapping an epoch, with "epoch" and the quantity.
        quantity: which number (see `QUANTITIES`; other names are taken as they are).
        title: the figure's title; without it, the quantity's name.
        look_at: the caption.

    Raises:
        ValueError: a run has no value of this quantity in any epoch.
    """
    name = QUANTITIES.get(quantity, quantity)
    figure = style.empty_figure(title or name[0].upper() + name[1:], look_at, "", height=360)
    words = []
    for (run, metrics), look in zip(runs.items(), style.looks(runs), strict=True):
        points = [(row["epoch"], row[quantity]) for row in metrics if row.get(quantity) is not None]
        if not points:
            known = sorted({key for row in metrics for key, value in row.items() if value is not None})
            raise ValueError(
                f"run {run!r} has no {quantity!r} in any epoch; it has {', '.join(known) or 'nothing'}"
            )
        figure.add_trace(
            go.Scatter(
                x=[epoch for epoch, _ in points],
                y=[float(f"{value:.6g}") for _, value in points],  # finer than a pixel
                name=run,
                mode="lines+markers",
                line={"color": look.colour, "dash": look.dash, "width": 2.5},
                # one symbol in a while is enough to tell the lines apart
                marker={"symbol": look.symbol, "size": 9, "color": look.colour, "maxdisplayed": 8},
                hovertemplate=run + ", epoch %{x}: %{y:.4g}<extra></extra>",
            )
        )
        words.append(f"{run} from {points[0][1]:.3g} to {points[-1][1]:.3g}")
    figure.update_layout(
        xaxis={"title": {"text": "epoch"}, "showgrid": False},
        yaxis={"title": {"text": name}},
        showlegend=True,
        meta={
            "caption": look_at,
            "alternative": f"{name} from the first epoch to the last: {'; '.join(words)}.",
        },
    )
    return figure
