"""A cell that is run again replaces its widgets, instead of leaving them behind in the kernel."""

from __future__ import annotations

from typing import TypeVar

import ipywidgets
from IPython import get_ipython

AnyWidget = TypeVar("AnyWidget", bound=ipywidgets.Widget)

_shown: dict[str, tuple[str, list[ipywidgets.Widget]]] = {}
"""By cell: the run of it that made these widgets, and the widgets."""


def one_per_cell(widget: AnyWidget) -> AnyWidget:
    """Close the widgets that an earlier run of the present cell passed here, with all that is inside them.

    ipywidgets keeps every widget, and whatever its callbacks refer to, until it is closed.

    Returns:
        The widget, as it was.
    """
    cell, run = _present_run()
    if cell is None:
        return widget
    earlier, widgets = _shown.get(cell, (run, []))
    if earlier != run:
        for old in widgets:
            close(old)
        widgets = []
    _shown[cell] = (run, [*widgets, widget])
    return widget


def close(widget: ipywidgets.Widget) -> None:
    """Close a widget, all that is inside it, and its looks, which are widgets, too."""
    looks = (getattr(widget, name, None) for name in ("layout", "style"))
    for part in (*getattr(widget, "children", ()), *looks):
        if isinstance(part, ipywidgets.Widget):
            close(part)
    widget.unobserve_all()
    widget.close()


def _present_run() -> tuple[str | None, str]:
    """The cell that is being run, as JupyterLab names it (None outside of a cell), and its request."""
    shell = get_ipython()
    request = shell.get_parent() if hasattr(shell, "get_parent") else {}
    cell = request.get("metadata", {}).get("cellId")
    return cell, request.get("header", {}).get("msg_id", "")
