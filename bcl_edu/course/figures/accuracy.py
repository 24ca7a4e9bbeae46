"""Accuracy of each class against its number of images, and by shot group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from jaxtyping import Int
from torch import Tensor

from bcl_edu.course.figures import style

Runs = Sequence[Mapping[str, float | None]]
"""Accuracies in percent of several seeds of one method: per run, by group name; None where a group is empty."""

MOST_NUMBERS_ABOVE = 3
"""With more methods than this side by side, numbers above the bars would overlap."""

GROUPS = {"top1": "all classes", "many": "many-shot", "medium": "medium-shot", "few": "few-shot"}


def accuracy_by_class_count(
    per_class: Mapping[str, Sequence[float | None]],
    class_counts: Int[Tensor, " k"],
    class_names: Sequence[str] | None = None,
    *,
    title: str = "Accuracy of each class",
    look_at: str = "Towards the rare classes, to the right: where does accuracy fall, and how far?",
) -> go.Figure:
    """Test accuracy of each class from head to tail, one line a method.

    Args:
        per_class: for each method, K accuracies in percent; None where the test set has no such class.
        class_counts: training images of each class, shape (K,).
        class_names: shape (K,).
        title: the figure's title.
        look_at: the caption.

    Raises:
        ValueError: a method has not K accuracies.
    """
    classes = len(class_counts)
    names = style.class_labels(class_names, classes)
    order = style.head_to_tail(class_counts)
    ticks = [f"{names[k]}<br>({int(class_counts[k])})" for k in order]
    words = []
    figure = style.empty_figure(title, look_at, "", height=400)
    for (method, values), look in zip(per_class.items(), style.looks(per_class), strict=True):
        if len(values) != classes:
            raise ValueError(f"{method} has {len(values)} accuracies for {classes} classes")
        sorted_values = [values[k] for k in order]
        figure.add_trace(
            go.Scatter(
                x=ticks,
                y=sorted_values,
                name=method,
                mode="lines+markers",
                line={"color": look.colour, "dash": look.dash, "width": 2.5},
                marker={"symbol": look.symbol, "size": 10, "color": look.colour},
                hovertemplate=method + ", %{x}: %{y:.1f} %<extra></extra>",
            )
        )
        words.append(f"{method}: " + ", ".join(_percent(value) for value in sorted_values))
    figure.update_layout(
        xaxis={
            "type": "category",
            "title": {"text": "class (training images), head to tail"},
            "showgrid": False,
        },
        yaxis={"title": {"text": "test accuracy, %"}, "range": [-3, 103]},
        meta={
            "caption": figure.layout.meta["caption"],
            "alternative": "Test accuracy in percent from head to tail. " + "; ".join(words) + ".",
        },
    )
    return figure


def shot_group_bars(
    results: Mapping[str, Runs], *, title: str = "Accuracy by shot group", look_at: str | None = None
) -> go.Figure:
    """All, many-, medium- and few-shot accuracy, methods side by side; with several seeds, mean and each seed.

    Args:
        results: for each method, one mapping a run: "top1", "many", "medium", "few" to percent or None.
            A group that is None in every run is written n/a.
        title: the figure's title.
        look_at: the caption; without it, one that says how many seeds there are.

    Raises:
        ValueError: no run, or a group that is None in some runs of a method only.
    """
    if not results or not all(results.values()):
        raise ValueError("each method needs at least one run")
    seeds = {len(runs) for runs in results.values()}
    number = f"{min(seeds)}" if len(seeds) == 1 else f"{min(seeds)} to {max(seeds)}"
    one_each = "One run each. Look at the few-shot bars first."
    several = f"Bars are means of {number} seeds, dots the seeds."
    look_at = look_at or (one_each if seeds == {1} else several)
    figure = style.empty_figure(title, look_at, "", height=400)
    words = []
    narrow = len(results) > MOST_NUMBERS_ABOVE
    for (method, runs), look in zip(results.items(), style.looks(results), strict=True):
        values = {group: _of_all_runs(runs, group, method) for group in GROUPS}
        means = [sum(of) / len(of) if of else None for of in values.values()]
        figure.add_trace(
            go.Bar(
                x=list(GROUPS.values()),
                y=means,
                name=method,
                offsetgroup=method,
                marker={"color": look.colour, "pattern": style.hatching(look.pattern, under_text=narrow)},
                hovertemplate=method + ", %{x}: %{y:.1f} %<extra></extra>",
                **(_numbers_inside(means, look.colour) if narrow else {}),
            )
        )
        if len(runs) > 1:
            _add_seeds(figure, method, values, look)
        if not narrow:
            _add_numbers(figure, method, values, means)
        words.append(
            f"{method}: "
            + ", ".join(f"{g} {_percent(m)}" for g, m in zip(GROUPS.values(), means, strict=True))
        )
    figure.update_layout(
        barmode="group",
        bargap=0.25,
        bargroupgap=0.08,
        scattermode="group",
        xaxis={"type": "category", "showgrid": False},
        yaxis={
            "title": {"text": "test accuracy, %"},
            "range": [0, 109],
            "tickvals": [0, 20, 40, 60, 80, 100],
        },
        meta={
            "caption": look_at,
            "alternative": "Test accuracy in percent (means over seeds). " + "; ".join(words) + ".",
        },
    )
    return figure


def _add_seeds(figure: go.Figure, method: str, values: Mapping[str, list[float]], look: style.Series) -> None:
    points = [(GROUPS[group], value) for group, of in values.items() for value in of]
    figure.add_trace(
        go.Scatter(
            x=[x for x, _ in points],
            y=[y for _, y in points],
            mode="markers",
            offsetgroup=method,
            showlegend=False,
            marker={
                "symbol": "circle",
                "size": 7,
                "color": style.LIGHT_PAGE,
                "line": {"color": look.colour, "width": 2},
            },
            hovertemplate=method + ", one seed: %{y:.1f} %<extra></extra>",
        )
    )


def _numbers_inside(means: Sequence[float | None], colour: str) -> dict[str, object]:
    """Each bar's number upright at its foot: narrow bars leave no room for it above."""
    return {
        "text": [f"<b>{_percent(mean)}</b>" for mean in means],
        "textangle": -90,
        "textposition": "inside",
        "insidetextanchor": "start",
        "textfont": {"color": style.ink_on(colour), "size": 13},
    }


def _add_numbers(
    figure: go.Figure, method: str, values: Mapping[str, list[float]], means: Sequence[float | None]
) -> None:
    """Each bar's number above the bar and above its dots."""
    figure.add_trace(
        go.Scatter(
            x=list(GROUPS.values()),
            y=[max(of, default=0.0) + 2.5 for of in values.values()],
            mode="text",
            text=[_percent(mean) for mean in means],
            textposition="top center",
            textfont={"size": 13, "color": style.INK},
            offsetgroup=method,
            showlegend=False,
            cliponaxis=False,
            hoverinfo="skip",
        )
    )


def _of_all_runs(runs: Runs, group: str, method: str) -> list[float]:
    values = [run[group] for run in runs]
    present = [value for value in values if value is not None]
    if present and len(present) < len(values):
        raise ValueError(f"{method}: group {group!r} is empty in some runs only; were the subsets the same?")
    return present


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.1f}"
