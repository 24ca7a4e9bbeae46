"""Two classes on a circle to set up with sliders, and what Theorem 1 and its misprint say about them."""

from __future__ import annotations

import math

import ipywidgets
import plotly.graph_objects as go
import torch

from bcl_edu.course.figures import bound_versus_loss
from bcl_edu.course.widgets.live_figure import LiveFigure
from bcl_edu.course.widgets.one_per_cell import one_per_cell
from bcl_edu.course.widgets.reaction import on_change
from bcl_edu.geometry import theorem_1


def reach(largest_loss: float) -> tuple[float, float]:
    """Axes from 0 to a power of two that leaves some room: they jump seldom while a slider moves."""
    return 0.0, 2.0 ** math.ceil(math.log2(1.15 * largest_loss))


def two_classes(first: int, second: int, angle: float, spread: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings and labels of two classes on the circle.

    Args:
        first: samples of class 0, around 0 degrees.
        second: samples of class 1, around `angle`.
        angle: between the classes, in degrees.
        spread: how far a class reaches to either side, in degrees; its samples stand at equal distances.

    Returns:
        Unit vectors, shape (n, 2), float64, and labels, shape (n,).
    """
    centres = torch.tensor([0.0, angle], dtype=torch.float64)
    degrees = torch.cat(
        [
            centre + torch.linspace(-spread, spread, size, dtype=torch.float64)
            for centre, size in zip(centres, (first, second), strict=True)
        ]
    )
    labels = torch.arange(2).repeat_interleave(torch.tensor([first, second]))
    return torch.stack([degrees.deg2rad().cos(), degrees.deg2rad().sin()], dim=1), labels


def bound_sliders() -> ipywidgets.VBox:
    """Sliders for two classes (sizes, angle, spread) and the temperature, above loss and bounds of every anchor.

    Returns:
        The five sliders, a place for errors and the figure, in this order.
    """

    def draw() -> go.Figure:
        *classes, temperature = (slider.value for slider in sliders)
        batch = two_classes(*classes)
        theorem = theorem_1(*batch, temperature=temperature)
        printed = theorem_1(*batch, temperature=temperature, as_printed=True)
        return bound_versus_loss(
            theorem.loss,
            {"Theorem 1": theorem.bound, "Eq. 3 as printed": printed.bound},
            title="Every anchor of your two classes",
            reach=reach(theorem.loss.max().item()),
        )

    looks = {"style": {"description_width": "180px"}, "layout": {"width": "min(100%, 560px)"}}
    sliders = [
        ipywidgets.IntSlider(10, 2, 80, description="samples of class 0", **looks),
        ipywidgets.IntSlider(10, 2, 80, description="samples of class 1", **looks),
        ipywidgets.FloatSlider(60.0, min=0, max=180, step=5, description="angle between them (°)", **looks),
        ipywidgets.FloatSlider(30.0, min=0, max=90, step=5, description="spread of each (°)", **looks),
        ipywidgets.FloatSlider(1.0, min=0.1, max=1, step=0.1, description="temperature", **looks),
    ]
    shown = LiveFigure(draw())
    errors = on_change(sliders, lambda: shown.show(draw()))
    return one_per_cell(ipywidgets.VBox([*sliders, errors, shown]))
