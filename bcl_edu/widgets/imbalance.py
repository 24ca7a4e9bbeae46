"""Turn a balanced training set into a long-tailed one with a slider."""

from __future__ import annotations

import ipywidgets
import plotly.graph_objects as go

from bcl_edu.datasets import LabelledImages, exponential_profile, long_tailed_subset, shot_groups
from bcl_edu.figures import class_counts_bars, image_columns
from bcl_edu.widgets.redraw import redraw


def imbalance_slider(train: LabelledImages, imbalance_factor: float = 10.0) -> ipywidgets.VBox:
    """A slider over the imbalance factor, above the class counts it leaves and some of the images.

    Args:
        train: the full training set; its smallest class decides how many images the head class keeps.
        imbalance_factor: where the slider stands at first.

    Returns:
        The slider, the bars and the images, in this order.
    """
    head = int(train.class_counts.min())

    def draw(factor: float) -> tuple[go.Figure, go.Figure]:
        counts = exponential_profile(head, train.num_classes, factor)
        subset = train.select(long_tailed_subset(train.labels, counts))
        bars = class_counts_bars(counts, shot_groups(counts), train.class_names)
        bars.update_yaxes(range=[0, head * 1.12])
        return bars, image_columns(subset.images, subset.labels, train.class_names)

    slider = ipywidgets.FloatLogSlider(
        value=imbalance_factor,
        min=0.0,
        max=2.0,
        step=0.05,
        description="imbalance factor",
        readout_format=".3g",
        style={"description_width": "initial"},
        layout={"width": "min(100%, 560px)"},
    )
    figures = [go.FigureWidget(figure) for figure in draw(slider.value)]

    def on_value(change: dict[str, float]) -> None:
        for shown, new in zip(figures, draw(change["new"]), strict=True):
            redraw(shown, new)

    slider.observe(on_value, names="value")
    return ipywidgets.VBox([slider, *figures])
