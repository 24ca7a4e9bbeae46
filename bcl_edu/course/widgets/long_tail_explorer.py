"""Cut a long tail into any of several data sets: a chooser above the imbalance slider."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets

from bcl_edu.course.widgets.imbalance import imbalance_slider
from bcl_edu.course.widgets.one_per_cell import close, one_per_cell
from bcl_edu.course.widgets.reaction import on_change
from bcl_edu.data import LabelledImages


def long_tail_explorer(
    training_sets: Mapping[str, LabelledImages], imbalance_factor: float = 10.0
) -> ipywidgets.VBox:
    """The imbalance slider, for whichever of these data sets is chosen.

    Args:
        training_sets: full training sets by name, at least one; the first is shown first.
        imbalance_factor: where the slider stands at first; another data set keeps it where it is.

    Returns:
        The chooser, a place for errors, and what `imbalance_slider` returns, in this order.

    Raises:
        ValueError: there is no data set.
    """
    if not training_sets:
        raise ValueError("there is no data set to choose from; open_dataset('digits') is always there")
    chooser = ipywidgets.ToggleButtons(
        options=list(training_sets), description="data set", style={"description_width": "initial"}
    )
    box = ipywidgets.VBox()

    def choose() -> None:
        before = box.children[2]
        # another number of classes has other sliders' ends, so slider and figures are made anew
        after = imbalance_slider(training_sets[chooser.value], before.children[0].value)
        box.children = (*box.children[:2], after)
        close(before)

    errors = on_change([chooser], choose)
    box.children = (chooser, errors, imbalance_slider(training_sets[chooser.value], imbalance_factor))
    return one_per_cell(box)
