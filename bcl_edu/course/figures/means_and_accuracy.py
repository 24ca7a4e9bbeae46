"""Accuracy of methods against the simplex deviation of their class means: one point a method."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import plotly.graph_objects as go

from bcl_edu.course.figures import style
from bcl_edu.course.method_runs import MeanAndDeviation

LETTER = 0.012
"""Half the width of a letter of a name, as a share of the plot's width on a phone."""
LINE = 0.08
"""The height of a name and its distance from the point, as a share of the plot's height."""


def means_and_accuracy(
    deviations: Mapping[str, MeanAndDeviation],
    accuracies: Mapping[str, MeanAndDeviation],
    named: Collection[str],
    *,
    title: str,
    look_at: str,
) -> go.Figure:
    """Accuracy against the simplex deviation of the class means.

    Args:
        deviations: of the class means, by method, over the seeds.
        accuracies: in percent, of the same methods.
        named: methods whose names are written at their points; the others tell theirs when pointed at.
        title: the figure's title.
        look_at: the caption.

    Raises:
        ValueError: the two are not of the same methods, or a named one is not among them.
    """
    if set(deviations) != set(accuracies) or not set(named) <= set(deviations):
        strange = set(deviations) ^ set(accuracies) | set(named) - set(deviations)
        raise ValueError(f"{', '.join(sorted(strange))}: expected a deviation and an accuracy of each method")
    words = "; ".join(
        f"{name} {deviations[name].mean:.2f} and {accuracies[name].mean:.0f} %" for name in deviations
    )
    figure = style.empty_figure(
        title, look_at, f"Simplex deviation of the class means, and accuracy. {words}.", height=470
    )
    for names, look, size, places in (
        ([name for name in deviations if name not in named], style.series_style(0), 8, None),
        (
            shown := [name for name in deviations if name in named],
            style.series_style(1),
            11,
            [_free_side(name, deviations, accuracies) for name in shown],
        ),
    ):
        figure.add_trace(
            go.Scatter(
                x=[round(deviations[name].mean, 4) for name in names],
                y=[round(accuracies[name].mean, 2) for name in names],
                mode="markers+text" if places else "markers",
                text=names,
                textposition=places,
                textfont={"size": 12, "color": style.INK},
                marker={"symbol": look.symbol, "size": size, "color": look.colour},
                error_x=_whisker([deviations[name].deviation for name in names]),
                error_y=_whisker([accuracies[name].deviation for name in names]),
                showlegend=False,
                cliponaxis=False,
                hovertemplate="%{text}: %{x:.3f}, %{y:.1f} %<extra></extra>",
            )
        )
    figure.update_layout(
        xaxis={"title": {"text": "simplex deviation of the class means"}, "showgrid": False},
        yaxis={"title": {"text": "test accuracy, %"}},
        margin={"t": 84},
    )
    return figure


def _free_side(
    name: str, deviations: Mapping[str, MeanAndDeviation], accuracies: Mapping[str, MeanAndDeviation]
) -> str:
    """Side on which a method's name covers no other point: above its own, else below it."""
    half = LETTER * len(name) * _span(deviations)
    high = LINE * _span(accuracies)
    near = [
        accuracies[other].mean - accuracies[name].mean
        for other in deviations
        if other != name and abs(deviations[other].mean - deviations[name].mean) < half
    ]
    above, below = (any(0 <= side * rise < high for rise in near) for side in (1, -1))
    return "bottom center" if above and not below else "top center"


def _span(values: Mapping[str, MeanAndDeviation]) -> float:
    """Range of an axis: every mean with its deviation to both sides."""
    return max(v.mean + v.deviation for v in values.values()) - min(
        v.mean - v.deviation for v in values.values()
    )


def _whisker(values: list[float]) -> dict[str, object]:
    return {
        "type": "data",
        "array": [round(v, 4) for v in values],
        "color": style.FAINT,
        "thickness": 1,
        "width": 0,
    }
