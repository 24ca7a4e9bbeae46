"""Where the images of each shot group end up: recognised, or taken for a class of which group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from bcl_edu.course.figures import style
from bcl_edu.course.figures.class_counts import GROUP_TITLES

RIGHT = "right"


def shot_confusion(
    shares: Mapping[str, Mapping[str, float]],
    *,
    title: str = "Where the images go",
    look_at: str = "Do mistakes lean to the head? Look at the dotted parts.",
) -> go.Figure:
    """One bar a shot group of true classes, cut into what its test images were taken for.

    Args:
        shares: for each group of true classes ("many", "medium", "few"; empty groups are left out), percent of its
            images that are "right", and that were taken for another class of "many", "medium" and "few":
            what `bcl_edu.training.metrics.shot_confusion` returns.
        title: the figure's title.
        look_at: the caption.

    Raises:
        ValueError: a group's parts do not sum to 100.
    """
    for group, parts in shares.items():
        if abs(sum(parts.values()) - 100) > 1e-6:
            raise ValueError(
                f"the parts of group {group!r} sum to {sum(parts.values()):.4g} percent; expected 100"
            )
    groups: Sequence[str] = [group for group in reversed(GROUP_TITLES) if group in shares]
    words = "; ".join(
        f"{GROUP_TITLES[group]}: "
        + ", ".join(
            f"{_part_name(part)} {percent:.0f}"
            for part, percent in shares[group].items()
            if percent or part == RIGHT or part in shares
        )
        for group in reversed(groups)
    )
    figure = style.page(title, look_at, f"Percent of the test images of each group. {words}.", height=360)
    for part in (RIGHT, *GROUP_TITLES):
        values = [shares[group].get(part, 0.0) for group in groups]
        if part in GROUP_TITLES and part not in shares and not any(values):
            continue  # no class that anything could be taken for
        figure.add_trace(
            go.Bar(
                y=[GROUP_TITLES[group] for group in groups],
                x=values,
                orientation="h",
                name=_part_name(part),
                marker={
                    "color": style.SERIES[3].colour if part == RIGHT else style.GROUP_COLOURS[part],
                    "pattern": style.hatching(
                        "" if part == RIGHT else style.GROUP_PATTERNS[part] or ".", under_text=True
                    ),
                },
                # a number where there is room for it
                text=[f"<b>{value:.0f}</b>" if value >= 4 else "" for value in values],
                textposition="inside",
                textfont={"color": style.LIGHT_PAGE},
                insidetextanchor="middle",
                textangle=0,
                hovertemplate="%{y}, " + _part_name(part) + ": %{x:.1f} %<extra></extra>",
            )
        )
    figure.update_layout(
        barmode="stack",
        xaxis={"title": {"text": "test images of the group, %"}, "range": [0, 100], "showgrid": False},
        yaxis={"title": {"text": "true class is"}},
        legend={"traceorder": "normal"},
        margin={"r": 26},  # the last number of the axis needs room, or plotly leaves it out
        showlegend=True,
    )
    return figure


def _part_name(part: str) -> str:
    return "right" if part == RIGHT else f"taken for {GROUP_TITLES[part]}"
