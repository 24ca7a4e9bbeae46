"""The training sphere in a notebook: an anywidget whose traits are the controls."""

from __future__ import annotations

from typing import Any

import traitlets

from bcl_edu.course.widgets import bundle
from bcl_edu.course.widgets.one_per_cell import one_per_cell
from bcl_edu.course.widgets.slow_start_widget import SlowStartWidget, with_slow_start
from bcl_edu.course.widgets.sphere.sphere_page import BROWSER, stylesheet
from bcl_edu.course.widgets.sphere.training_settings import TrainingSettings, check_setting

_SETTINGS = tuple(TrainingSettings.__dataclass_fields__)


class TrainingSphere(SlowStartWidget):
    """Free embeddings on a sphere, trained under two losses; computed and drawn in the browser.

    The traits and the controls follow each other. `state` is what the browser shows; `{}` before it shows anything:

        {"settings": {...}, "step", "classCounts", "sides": [{"loss", "value", "rareAngle", "deviation", "distance",
         "cosines", "push", "points", "target": {"rareAngle", "certified", "cosines"}}, ...]}

    The optimum that is shown is, from Python,
    `certified_optimum(sphere.settings.compositions, sphere.losses[0], temperature=sphere.temperature)`.

    Attributes: those of `TrainingSettings`, and `opening` and `playing` as for `sphere_html`.

    Raises:
        ValueError: a setting is out of its range.
    """

    _esm = with_slow_start(
        bundle.module(BROWSER / "sphere_widget.js")
        + "\nexport default { initialize: stayInTouch, render: sphere_widget_module.render };\n"
    )
    _css = stylesheet()

    imbalance_factor = traitlets.Float(100.0).tag(sync=True)
    temperature = traitlets.Float(0.5).tag(sync=True)
    num_classes = traitlets.Int(4).tag(sync=True)
    dimension = traitlets.Int(3).tag(sync=True)
    losses = traitlets.List(traitlets.Unicode(), ["scl", "bcl-class-anchors"]).tag(sync=True)
    batch_size = traitlets.Int(0).tag(sync=True)
    learning_rate = traitlets.Float(0.05).tag(sync=True)
    prototypes = traitlets.Unicode("means").tag(sync=True)
    start = traitlets.Unicode("cone").tag(sync=True)
    seed = traitlets.Int(8).tag(sync=True)
    speed = traitlets.Float(1.0).tag(sync=True)
    opening = traitlets.Bool(True).tag(sync=True)
    playing = traitlets.Bool(True).tag(sync=True)
    state = traitlets.Dict().tag(sync=True)

    @property
    def settings(self) -> TrainingSettings:
        """The present position of all controls."""
        return TrainingSettings(**{name: getattr(self, name) for name in _SETTINGS})

    @traitlets.validate(*_SETTINGS)
    def _refuse_what_is_out_of_range(self, proposal: dict[str, Any]) -> Any:
        check_setting(proposal["trait"].name, proposal["value"])
        return proposal["value"]


def training_sphere(**settings: Any) -> TrainingSphere:
    """The sphere that trains, for a notebook; running its cell again replaces it.

    Args:
        settings: those of `TrainingSettings` that differ from its defaults; `opening` and `playing` as for
            `sphere_html`.

    Raises:
        ValueError: a setting is out of its range.
    """
    return one_per_cell(TrainingSphere(**settings))
