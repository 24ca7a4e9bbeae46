"""A widget that hears Python however long the browser took to start it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import anywidget
import traitlets

_JAVASCRIPT = Path(__file__).with_suffix(".js").read_text("utf-8")


class SlowStartWidget(anywidget.AnyWidget):
    """An anywidget without the limit that anywidget sets for its start.

    anywidget gives a widget two seconds, and a busy machine may need longer: the widget is drawn then, but never hears
    Python again. Here such a widget takes its messages past anywidget and asks for those it missed. That anywidget
    says "Failed to initialize model." to the browser's log cannot be helped: its clock runs before any code of ours.

    A subclass has `with_slow_start(source)` as its `_esm`, and exports `stayInTouch` as its `initialize`.
    """

    own_id = traitlets.Unicode().tag(sync=True)
    """The model's name in the browser, which anywidget does not tell the widget's code."""

    def __init__(self, **traits: Any) -> None:
        own_id = uuid4().hex
        super().__init__(model_id=own_id, own_id=own_id, **traits)


def with_slow_start(source: str) -> str:
    """The JavaScript of such a widget, which uses `stayInTouch` without having it."""
    return _JAVASCRIPT + source
