"""Choose two or three methods, and see their stored runs side by side."""

from __future__ import annotations

import html
import itertools
from collections.abc import Mapping, Sequence

import ipywidgets

from bcl_edu.course.figures.method_comparison import method_comparison
from bcl_edu.course.method_runs import MethodRun, difference
from bcl_edu.course.widgets.live_figure import LiveFigure
from bcl_edu.course.widgets.one_per_cell import one_per_cell
from bcl_edu.course.widgets.reaction import on_change

NONE = "(none)"
"""The third chooser's answer for only two methods."""


def method_chooser(
    runs: Mapping[str, Sequence[MethodRun]], first: str, second: str, third: str = NONE
) -> ipywidgets.VBox:
    """Three choosers above the comparison of the methods that they name.

    Args:
        runs: of each method, as `read_method_runs` gives them.
        first: a method to begin with.
        second: another one.
        third: a third one; by default none.

    Returns:
        The choosers in one box, a place for errors, the differences in words, and the figure, in this order.

    Raises:
        ValueError: one of the three has no runs.
    """
    for name in (first, second, third):
        if name not in runs and name != NONE:
            raise ValueError(f"there are no runs of {name!r}; there are those of {', '.join(runs)}")

    def chosen() -> dict[str, Sequence[MethodRun]]:
        return {chooser.value: runs[chooser.value] for chooser in choosers if chooser.value != NONE}

    choosers = [
        ipywidgets.Dropdown(
            options=options,
            value=value,
            description=label,
            style={"description_width": "60px"},
            layout={"width": "min(100%, 260px)"},
        )
        for label, value, options in (
            ("compare", first, list(runs)),
            ("with", second, list(runs)),
            ("and", third, [NONE, *runs]),
        )
    ]
    words = ipywidgets.HTML(differences(chosen()))
    shown = LiveFigure(method_comparison(chosen()))

    def redraw() -> None:
        shown.show(method_comparison(chosen()))
        words.value = differences(chosen())

    errors = on_change(choosers, redraw)
    row = ipywidgets.HBox(choosers, layout={"flex_flow": "row wrap"})
    return one_per_cell(ipywidgets.VBox([row, errors, words, shown]))


def differences(results: Mapping[str, Sequence[MethodRun]]) -> str:
    """For every two methods by how much the accuracy of all classes differs, as HTML.

    Twice the standard error is what ten seeds can tell from luck, if nobody chose these two by their results.
    """
    lines = []
    for one, other in itertools.combinations(results, 2):
        mean, error = difference(results[one], results[other])
        told = "more than" if abs(mean) > 2 * error else "within"
        lines.append(
            f"{html.escape(one)} minus {html.escape(other)}: {mean:+.1f} ± {error:.1f} points on all classes "
            f"(± is the standard error of the mean; the difference is {told} two of these)"
        )
    return f'<div role="status" style="line-height: 1.5">{"<br>".join(lines)}</div>'
