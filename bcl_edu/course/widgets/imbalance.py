"""Turn a balanced training set into a long-tailed one with a slider."""

from __future__ import annotations

import math

import ipywidgets
import plotly.graph_objects as go
import torch

from bcl_edu.course.figures import class_counts_bars, image_columns
from bcl_edu.course.widgets.live_figure import LiveFigure
from bcl_edu.course.widgets.one_per_cell import one_per_cell
from bcl_edu.course.widgets.reaction import on_change
from bcl_edu.data import LabelledImages, exponential_profile, long_tailed_subset, shot_groups

LARGEST_FACTOR = 100.0
"""End of the slider, unless the data set has too few images for it."""

READOUT = ".3g"
"""Format in which the slider shows its value, and to which the value is rounded."""

MOST_COLUMNS = 10
"""Of more classes than this, images are shown of some only, evenly chosen from head to tail."""


def imbalance_slider(train: LabelledImages, imbalance_factor: float = 10.0) -> ipywidgets.VBox:
    """A slider over the imbalance factor, above the class counts it leaves and some of the images.

    Args:
        train: the full training set; its smallest class decides how many images the head class keeps.
        imbalance_factor: where the slider stands at first.

    Returns:
        The slider, a place for errors, the bars and the images, in this order.
    """
    head = int(train.class_counts.min())
    largest = min(LARGEST_FACTOR, head)  # one image is left to the smallest class

    def draw(factor: float) -> tuple[go.Figure, go.Figure]:
        # the slider computes with logarithms: its 10.0 may be 10.000000000000002, which costs the tail an image
        counts = exponential_profile(head, train.num_classes, min(float(f"{factor:{READOUT}}"), largest))
        subset = train.select(long_tailed_subset(train.labels, counts))
        bars = class_counts_bars(counts, shot_groups(counts), train.class_names)
        bars.update_yaxes(range=[0, head * 1.12])
        shown = some_classes(subset)
        return bars, image_columns(shown.images, shown.labels, shown.class_names)

    slider = ipywidgets.FloatLogSlider(
        value=min(imbalance_factor, largest),
        min=0.0,
        max=math.log10(largest),
        step=0.05,
        description="imbalance factor",
        readout_format=READOUT,
        style={"description_width": "initial"},
        layout={"width": "min(100%, 560px)"},
    )
    figures = [LiveFigure(figure) for figure in draw(slider.value)]

    def redraw() -> None:
        for shown, new in zip(figures, draw(slider.value), strict=True):
            shown.show(new)

    return one_per_cell(ipywidgets.VBox([slider, on_change([slider], redraw), *figures]))


def some_classes(subset: LabelledImages, most: int = MOST_COLUMNS) -> LabelledImages:
    """The images of at most so many classes, the first and the last among them, with labels of their own."""
    chosen = torch.linspace(0, subset.num_classes - 1, min(most, subset.num_classes)).round().long()
    new_label = torch.full((subset.num_classes,), -1).scatter(0, chosen, torch.arange(len(chosen)))
    kept = new_label[subset.labels] >= 0
    return LabelledImages(
        subset.images[kept],
        new_label[subset.labels[kept]],
        tuple(subset.class_names[k] for k in chosen.tolist()),
    )
