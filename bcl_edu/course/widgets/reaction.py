"""Callbacks of sliders, with a place where a failure is told to the reader."""

from __future__ import annotations

import html
import traceback
from collections.abc import Callable, Sequence

import ipywidgets


def on_change(sources: Sequence[ipywidgets.Widget], redraw: Callable[[], None]) -> ipywidgets.HTML:
    """Call a function whenever the value of one of these widgets changes.

    JupyterLab writes an exception of a callback into a log that nobody has open, and the figure stays as if nothing
    had been asked. Here the exception stands beside it, until a change succeeds.

    Args:
        sources: widgets with a `value`.
        redraw: draws for the values that they have now.

    Returns:
        The place for the message, hidden while there is none: put it between the sources and what they change.
    """
    place = ipywidgets.HTML(layout={"display": "none"})

    def changed(_: object) -> None:
        try:
            redraw()
        except Exception as error:
            place.value = _message(error)
            place.layout.display = ""
        else:
            place.value = ""
            place.layout.display = "none"

    for source in sources:
        source.observe(changed, names="value")
    return place


def _message(error: Exception) -> str:
    what = html.escape(f"{type(error).__name__}: {error}")
    where = html.escape("".join(traceback.format_exception(error)))
    return (
        '<div role="alert" style="border-left: 4px solid #d55e00; padding-left: 8px; line-height: 1.5">'
        "This setting could not be drawn; what you see below belongs to the one before.<br>"
        f"<b>{what}</b><details><summary>where it happened</summary><pre>{where}</pre></details></div>"
    )
