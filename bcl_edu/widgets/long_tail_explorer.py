"""Cut a long tail into any of several data sets: a chooser above the imbalance slider."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets

from bcl_edu.datasets import LabelledImages
from bcl_edu.widgets.imbalance import imbalance_slider


def long_tail_explorer(
    training_sets: Mapping[str, LabelledImages], imbalance_factor: float = 10.0
) -> ipywidgets.VBox:
    """The imbalance slider, for whichever of these data sets is chosen.

    Args:
        training_sets: full training sets by name, at least one; the first is shown first.
        imbalance_factor: where the slider stands at first; another data set keeps it where it is.

    Returns:
        The chooser, and below it what `imbalance_slider` returns.

    Raises:
        ValueError: there is no data set.
    """
    if not training_sets:
        raise ValueError("there is no data set to choose from; open_dataset('digits') is always there")
    chooser = ipywidgets.ToggleButtons(
        options=list(training_sets), description="data set", style={"description_width": "initial"}
    )
    box = ipywidgets.VBox([chooser, imbalance_slider(training_sets[chooser.value], imbalance_factor)])

    def on_choice(change: dict[str, str]) -> None:
        before = box.children[1]
        # another number of classes has other traces, so the figures are made anew
        box.children = (chooser, imbalance_slider(training_sets[change["new"]], before.children[0].value))
        for widget in (*before.children, before):
            widget.close()

    chooser.observe(on_choice, names="value")
    return box
