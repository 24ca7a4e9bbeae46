"""Two or three methods side by side: accuracy by shot group and by class, class means and time.

All but the accuracies by class have their scatter over the seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from bcl_edu.course.figures import style
from bcl_edu.course.figures.accuracy import GROUPS
from bcl_edu.course.method_runs import MeanAndDeviation, MethodRun, class_accuracies, over_seeds

PANELS = {
    "accuracy in %": tuple(GROUPS),
    "simplex deviation": ("feature_simplex_deviation",),
    "seconds": ("processor_seconds",),
}
"""Quantities of each panel, by its title."""

MOST_METHODS = len(style.OTHER_METHODS)

UPPER, MIDDLE, LOWER = (0.62, 1.0), (0.32, 0.50), (0.0, 0.20)
"""Heights of the three rows of panels: accuracies by shot group, by class, and below them the other two."""


def method_comparison(results: Mapping[str, Sequence[MethodRun]]) -> go.Figure:
    """Means over the seeds, with the standard deviation of one run as a whisker.

    Args:
        results: for each method its runs, as `read_method_runs` gives them; accuracies by class are those of the
            runs that have them.

    Raises:
        ValueError: there is no method, or more than three, or one has no run with accuracies by class.
    """
    if not 1 <= len(results) <= MOST_METHODS:
        raise ValueError(f"{len(results)} methods are chosen; expected one to {MOST_METHODS}")
    number = _numbers(len(runs) for runs in results.values())
    look_at = f"Means of {number} seeds; whiskers: one standard deviation of a run. Do they overlap?"
    figure = style.empty_figure("Side by side", look_at, _in_words(results), height=780)
    for place, ((method, runs), look) in enumerate(zip(results.items(), _looks(results), strict=True)):
        for panel, quantities in enumerate(PANELS.values(), start=1):
            found = [over_seeds(runs, quantity) for quantity in quantities]
            axis = "" if panel == 1 else str(panel)
            figure.add_trace(
                go.Bar(
                    x=[title.replace("-", "-<br>").replace(" ", "<br>") for title in GROUPS.values()]
                    if panel == 1
                    else [""],
                    y=[round(one.mean, 3) for one in found],
                    error_y=_whisker(found),
                    name=method,
                    legendgroup=method,
                    showlegend=panel == 1,
                    offsetgroup=str(place),
                    xaxis=f"x{axis}",
                    yaxis=f"y{axis}",
                    marker={"color": look.colour, "pattern": style.hatching(look.pattern, under_text=True)},
                    text=[_number(one.mean, panel) for one in found],
                    textposition="inside",
                    constraintext="none",
                    insidetextanchor="start",
                    textangle=-90,
                    textfont={"color": style.LIGHT_PAGE, "size": 13},
                    hovertemplate=f"{method}: %{{y}} ± %{{error_y.array}}<extra></extra>",
                )
            )
        figure.add_trace(_by_class(method, runs, look, place))
    _place_panels(figure, [sum("per_class" in run for run in runs) for runs in results.values()])
    return figure


def _by_class(method: str, runs: Sequence[MethodRun], look: style.Series, place: int) -> go.Bar:
    """The fourth panel's bars of a method: one for each class, too thin for a whisker or a number."""
    accuracies = class_accuracies(runs)
    return go.Bar(
        x=[str(number) for number in range(len(accuracies))],
        y=[round(value, 1) for value in accuracies],
        name=method,
        legendgroup=method,
        showlegend=False,
        offsetgroup=str(place),
        xaxis="x4",
        yaxis="y4",
        marker={"color": look.colour, "pattern": style.hatching(look.pattern, under_text=True)},
        hovertemplate=f"{method}, class %{{x}}: %{{y}} %<extra></extra>",
    )


def _looks(methods: Iterable[str]) -> list[style.Series]:
    """A method's own look, or one of those that no other method has."""
    own = zip(methods, style.looks(methods), style.OTHER_METHODS, strict=False)
    return [look if style.method_in(method) else other for method, look, other in own]


def _whisker(found: Sequence[MeanAndDeviation]) -> dict[str, Any]:
    return {
        "type": "data",
        "array": [round(one.deviation, 3) for one in found],
        "color": style.INK,
        "thickness": 2,
        "width": 5,
    }


def _numbers(found: Iterable[int]) -> str:
    """The numbers that occur, each once."""
    return "/".join(map(str, sorted(set(found))))


def _place_panels(figure: go.Figure, seeds_by_class: Iterable[int]) -> None:
    """Accuracies over the whole width, by group and by class; below them simplex deviation and seconds."""
    across = figure.layout.xaxis.to_plotly_json() | {"type": "category", "showgrid": False}
    upwards = figure.layout.yaxis.to_plotly_json() | {"rangemode": "tozero"}
    titles = (
        "test accuracy, %",
        "simplex deviation<br>of class means",
        "processor seconds<br>of a run",
        f"by class, %<br>({_numbers(seeds_by_class)} seeds)",
    )
    places = (((0.0, 1.0), UPPER), ((0.0, 0.42), LOWER), ((0.58, 1.0), LOWER), ((0.0, 1.0), MIDDLE))
    for number, (title, (wide, high)) in enumerate(zip(titles, places, strict=True), start=1):
        axis = "" if number == 1 else str(number)
        figure.layout[f"xaxis{axis}"] = across | {"domain": wide, "anchor": f"y{axis}"}
        figure.layout[f"yaxis{axis}"] = upwards | {
            "domain": high,
            "anchor": f"x{axis}",
            "title": {"text": title, "font": {"size": 13}},
        }
    figure.layout.yaxis.range = [0, 109]
    figure.layout.yaxis4.range = [0, 100]
    figure.update_layout(barmode="group", bargap=0.25, bargroupgap=0.08)


def _number(value: float, panel: int) -> str:
    return f"<b>{value:.2f}</b>" if panel == 2 else f"<b>{value:.1f}</b>"


def _in_words(results: Mapping[str, Sequence[MethodRun]]) -> str:
    said = []
    for method, runs in results.items():
        accuracies = [
            f"{title} {over_seeds(runs, group).mean:.1f} ± {over_seeds(runs, group).deviation:.1f} %"
            for group, title in GROUPS.items()
        ]
        means, seconds = (over_seeds(runs, PANELS[name][0]) for name in ("simplex deviation", "seconds"))
        said.append(
            f"{method}: {', '.join(accuracies)}, simplex deviation {means.mean:.2f} ± "
            f"{means.deviation:.2f}, {seconds.mean:.1f} ± {seconds.deviation:.1f} seconds, by class "
            f"{' '.join(f'{value:.0f}' for value in class_accuracies(runs))} %"
        )
    return f"Means and standard deviations over the seeds. {'; '.join(said)}."
