"""A figure on the screen that can be changed in place."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import ipywidgets
import plotly.graph_objects as go
import traitlets
from plotly.offline import get_plotlyjs

from bcl_edu.course.widgets.slow_start_widget import SlowStartWidget, with_slow_start


class LiveFigure(SlowStartWidget):
    """Shows a figure, and any other one after it, without flicker; the reader keeps camera, zoom and legend.

    Plotly's own FigureWidget brings all of plotly.js with every figure, and hears no change any more if the browser
    needs longer than two seconds to read it. Here plotly.js comes once, and the newest figure is always drawn.

    Args:
        figure: what to show first.
        moves: whether it is going to change by itself, so that the page scrolls to it when it appears nearby.

    Attributes:
        figure: what is shown now; change it with `show`.
    """

    _esm = with_slow_start(Path(__file__).with_suffix(".js").read_text("utf-8"))
    drawing: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    library = traitlets.Unicode().tag(sync=True)
    moves = traitlets.Bool(False).tag(sync=True)

    def __init__(self, figure: go.Figure, *, moves: bool = False) -> None:
        self.figure = figure
        super().__init__(drawing=_drawing(figure), library=_plotly().model_id, moves=moves)

    def show(self, figure: go.Figure) -> None:
        """Draw this figure in the place of the one before."""
        self.figure = figure
        self.drawing = _drawing(figure)


class PlotlyLibrary(ipywidgets.Widget):
    """plotly.js for the browser; it has no look of its own."""

    source = traitlets.Unicode().tag(sync=True)


@cache
def _plotly() -> PlotlyLibrary:
    return PlotlyLibrary(source=get_plotlyjs())


def _drawing(figure: go.Figure) -> dict[str, Any]:
    """Data and layout in JSON; a play button's frames need a figure that is not live."""
    drawn: dict[str, Any] = json.loads(figure.to_json())
    return {"data": drawn["data"], "layout": drawn["layout"]}
