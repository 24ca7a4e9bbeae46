"""The explorer in a notebook: an anywidget whose traits are the sliders."""

from __future__ import annotations

from typing import Any

import traitlets

from bcl_edu.course.widgets import bundle
from bcl_edu.course.widgets.explorer import settings
from bcl_edu.course.widgets.explorer.page import BROWSER, stylesheet
from bcl_edu.course.widgets.explorer.settings import Settings
from bcl_edu.course.widgets.slow_start_widget import SlowStartWidget, with_slow_start


class SimplexExplorer(SlowStartWidget):
    """Certified optimal class means under an imbalance that you set; solved and drawn in the browser.

    The traits and the sliders follow each other. `state` is what the browser shows; `{}` before it shows anything:

        {"settings": {...}, "optima": [{"loss", "value", "gap", "relativeGap", "certified",
                                        "deviation": {"rms", "smallest", "largest"}, "cosines", "positions"}, ...]}

    The same optimum from Python is
    `certified_optimum(explorer.settings.compositions, explorer.losses[0], temperature=explorer.temperature)`.

    Args:
        imbalance_factor: IF, 1 to 1000.
        temperature: tau, 0.05 to 2.
        num_classes: K, 2 to 10; up to 4 the picture is exact, beyond it is a projection.
        losses: the two losses that are compared, names of `bcl_edu.course.widgets.explorer.LOSSES`.
        batch_size: images in a mini-batch, 2 to 2048; 0 for the full data as one batch.

    Raises:
        ValueError: a setting is out of its range.
    """

    _esm = with_slow_start(
        bundle.module(BROWSER / "widget.js")
        + "\nexport default { initialize: stayInTouch, render: widget_module.render };\n"
    )
    _css = stylesheet()

    imbalance_factor = traitlets.Float(Settings.imbalance_factor).tag(sync=True)
    temperature = traitlets.Float(Settings.temperature).tag(sync=True)
    num_classes = traitlets.Int(Settings.num_classes).tag(sync=True)
    losses = traitlets.List(traitlets.Unicode(), list(Settings.losses)).tag(sync=True)
    batch_size = traitlets.Int(Settings.batch_size).tag(sync=True)
    state = traitlets.Dict().tag(sync=True)

    @property
    def settings(self) -> Settings:
        """The present position of all sliders."""
        return Settings(
            self.imbalance_factor, self.temperature, self.num_classes, tuple(self.losses), self.batch_size
        )

    @traitlets.validate("imbalance_factor", "temperature", "num_classes", "losses", "batch_size")
    def _refuse_what_is_out_of_range(self, proposal: dict[str, Any]) -> Any:
        getattr(settings, f"check_{proposal['trait'].name}")(proposal["value"])
        return proposal["value"]
