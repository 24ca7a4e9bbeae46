"""Thin interactive shells over `bcl_edu.figures`: they hold the sliders, the figures hold the drawing."""

from bcl_edu.widgets.counter_example import CounterExample, counter_example
from bcl_edu.widgets.imbalance import imbalance_slider
from bcl_edu.widgets.notebook_training import LiveClassMeans, NotebookRun, train_live, train_quietly
from bcl_edu.widgets.redraw import redraw

__all__ = [
    "CounterExample",
    "LiveClassMeans",
    "NotebookRun",
    "counter_example",
    "imbalance_slider",
    "redraw",
    "train_live",
    "train_quietly",
]
