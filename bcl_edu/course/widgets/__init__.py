"""Thin interactive shells over `bcl_edu.course.figures`: they hold the sliders, the figures hold the drawing."""

from bcl_edu.course.widgets.bound_sliders import bound_sliders
from bcl_edu.course.widgets.counter_example_widget import CounterExample, counter_example
from bcl_edu.course.widgets.imbalance import imbalance_slider
from bcl_edu.course.widgets.live_figure import LiveFigure
from bcl_edu.course.widgets.long_tail_explorer import long_tail_explorer
from bcl_edu.course.widgets.method_chooser import method_chooser
from bcl_edu.course.widgets.notebook_training import LiveClassMeans, NotebookRun, train_live, train_quietly
from bcl_edu.course.widgets.sphere import TrainingSphere, training_sphere
from bcl_edu.course.widgets.watched_run import WatchedRun, watch_run

__all__ = [
    "CounterExample",
    "LiveClassMeans",
    "LiveFigure",
    "NotebookRun",
    "TrainingSphere",
    "WatchedRun",
    "bound_sliders",
    "counter_example",
    "imbalance_slider",
    "long_tail_explorer",
    "method_chooser",
    "train_live",
    "train_quietly",
    "training_sphere",
    "watch_run",
]
