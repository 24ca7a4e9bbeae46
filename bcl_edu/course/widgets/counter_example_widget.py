"""The counter-example to Theorem 3 as printed, to drag: three collapsed classes on a circle, and their loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import traitlets

from bcl_edu.course.figures import style
from bcl_edu.course.figures.counter_example_figure import CLASSES, SAMPLES, ThreeClasses
from bcl_edu.course.widgets.one_per_cell import one_per_cell
from bcl_edu.course.widgets.slow_start_widget import SlowStartWidget, with_slow_start

_HERE = Path(__file__).parent


class CounterExample(SlowStartWidget):
    """Drag the classes, or move the sliders; the browser computes, and `position` is what it shows, in Python.

    Attributes:
        angles: of the class means, in degrees.
        class_counts: samples of each class.
        temperature: tau; fixed once the widget is made.
    """

    _esm = with_slow_start((_HERE / "counter_example.js").read_text("utf-8"))
    _css = _HERE / "counter_example.css"
    angles = traitlets.List(traitlets.Float(), [0.0, 120.0, 240.0]).tag(sync=True)
    class_counts = traitlets.List(traitlets.Int(), [200, 2, 2]).tag(sync=True)
    temperature = traitlets.Float(1.0).tag(sync=True)
    looks: traitlets.List = traitlets.List().tag(sync=True)
    names: traitlets.Dict = traitlets.Dict().tag(sync=True)

    @property
    def position(self) -> ThreeClasses:
        """The present position on the screen, with both losses and the claimed bound."""
        return ThreeClasses(tuple(self.angles), tuple(self.class_counts), self.temperature)


def counter_example(
    angles: Sequence[float] = (0, 120, 240), class_counts: Sequence[int] = (200, 2, 2)
) -> CounterExample:
    """Three collapsed classes that can be dragged around the circle, at temperature 1.

    Args:
        angles: where the classes are at first, in degrees; the default is a regular simplex.
        class_counts: samples of each class, the first from the second's up to 1000 by a slider.

    Raises:
        ValueError: not three classes, or a count that is out of range.
    """
    start = ThreeClasses(angles, class_counts)
    first, second, third = class_counts
    if not max(second, third) <= first <= 1000 or second != third:
        raise ValueError(
            f"class counts are {list(class_counts)}; expected a head of at most 1000 samples and two equal tail classes"
        )
    # class 1 is drawn as a head even while all are equal, since the slider makes it one; the two tail classes
    # differ in size, so that both are seen where they meet
    colours = style.class_colours(torch.tensor([2, 1, 1]))
    looks = [
        {"colour": colour, "width": width, "radius": radius}
        for colour, width, radius in zip(colours, (7, 2, 2), (13, 10, 7), strict=True)
    ]
    widget = CounterExample(
        angles=[float(angle) for angle in start.angles],
        class_counts=[int(count) for count in class_counts],
        temperature=start.temperature,
        looks=looks,
        names={"samples": SAMPLES, "classes": CLASSES},
    )
    return one_per_cell(widget)
