"""A run that is kept: trained, continued or loaded by running a cell, with curves that grow while it trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ipywidgets
import plotly.graph_objects as go
from IPython.display import display

from bcl_edu.course.figures import style, training_curves
from bcl_edu.course.widgets.live_figure import LiveFigure
from bcl_edu.course.widgets.one_per_cell import one_per_cell
from bcl_edu.course.widgets.step_progress import StepProgress
from bcl_edu.methods import Method
from bcl_edu.training import EpochReport, Interrupted, Recipe, RunOptions, train
from bcl_edu.training.checkpoint import CHECKPOINT_NAME
from bcl_edu.training.display import format_number
from bcl_edu.training.evaluation import Evaluation
from bcl_edu.training.record import read_metrics
from bcl_edu.training.run import run_folder

ACCURACIES = {"all": "top1", "many-shot": "many", "medium-shot": "medium", "few-shot": "few"}
"""The curves, and what the metrics call them."""


@dataclass(frozen=True)
class WatchedRun:
    """A run in a folder, as far as its files tell.

    Attributes:
        recipe: what is trained.
        folder: its checkpoint, record and metrics.
        metrics: one row a finished epoch.
        record: the run record, as in run.json; None if the run was stopped.
        evaluation: after the last epoch; None if the run was stopped.
        method: the trained method; None if the run was stopped.
    """

    recipe: Recipe
    folder: Path
    metrics: Sequence[Mapping[str, Any]]
    record: Mapping[str, Any] | None = None
    evaluation: Evaluation | None = None
    method: Method | None = None

    @property
    def finished(self) -> bool:
        """True if it was trained to its last epoch."""
        return self.method is not None


def watch_run(recipe: Recipe, options: RunOptions, *, note: str = "") -> WatchedRun:
    """Train a recipe in this notebook, or continue it, or load it: whatever its folder asks for.

    The stop button saves and stops; running the cell again continues from there, also in another kernel.

    Args:
        recipe: what to train.
        options: where and how; `resume` is decided here.
        note: said under the title of the curves, such as that this is a reduced run.

    Raises:
        ValueError, CheckpointError, LossNotFinite: as `bcl_edu.training.train`; above all the folder may hold the
            run of another recipe.
    """
    folder = run_folder(recipe, options)
    options = replace(options, resume=(folder / CHECKPOINT_NAME).exists(), progress=False)
    curves = LiveCurves(recipe, note)
    display(one_per_cell(curves.box))
    if options.resume:
        curves.show(read_metrics(folder))
    try:
        result = train(recipe, options, curves.add, curves.progress)
    except Interrupted as stopped:
        curves.say(f"{stopped}".split(";")[0] + ", and saved; run this cell again to continue")
        return WatchedRun(recipe, folder, tuple(curves.rows))
    curves.show(result.metrics)
    return WatchedRun(recipe, folder, tuple(result.metrics), result.record, result.evaluation, result.method)


class LiveCurves:
    """A progress line above curves that appear with the first epoch and grow in place.

    Attributes:
        box: to put on the page.
        rows: metrics seen so far, one an epoch.
    """

    def __init__(self, recipe: Recipe, note: str = "") -> None:
        self.recipe, self.note = recipe, note
        self.rows: list[Mapping[str, Any]] = []
        self._status = ipywidgets.Label("the data are being read")
        self._bar = ipywidgets.VBox(
            layout={"min_height": "32px"}
        )  # kept free, so that nothing moves when it comes
        self.box = ipywidgets.VBox([self._bar, self._status])
        self._figure: LiveFigure | None = None

    @property
    def text(self) -> str:
        """The line above the curves."""
        return str(self._status.value)

    def progress(self, total: int, done: int) -> StepProgress:
        """The run begins: show its steps."""
        steps = StepProgress(total, done)
        if not done:
            self.say("the first epoch is under way")
        self._bar.children = (steps.box,)
        return steps

    def add(self, report: EpochReport) -> None:
        """An epoch is over."""
        self.show([*self.rows, report.metrics])

    def show(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show these epochs, and the last one in words; nothing yet if there is none."""
        self.rows = list(rows)
        if not rows:
            return
        self.say(self._summary())
        drawn = accuracy_curves(self.rows, self.recipe, self.note)
        if self._figure is None:
            self._figure = LiveFigure(drawn)
            self.box.children = (*self.box.children, self._figure)
        else:
            self._figure.show(drawn)

    def say(self, text: str) -> None:
        """Change the line above the curves."""
        self._status.value = text

    def _summary(self) -> str:
        row = self.rows[-1]
        groups = " / ".join(format_number(row[name]) for name in ("many", "medium", "few"))
        return (
            f"epoch {row['epoch']} of {self.recipe.epochs}: top-1 {format_number(row['top1'])} %, "
            f"many / medium / few {groups}, {row['seconds']:.1f} s an epoch"
        )


def accuracy_curves(rows: Sequence[Mapping[str, Any]], recipe: Recipe, note: str = "") -> go.Figure:
    """Accuracy of all and of each shot group over the epochs of one run.

    Args:
        rows: metrics, one row an epoch, at least one.
        recipe: of the run.
        note: the caption; by default how long the run is.
    """
    # a group without classes has no curve
    shown = {
        name: [{"epoch": row["epoch"], "accuracy": row[key]} for row in rows]
        for name, key in ACCURACIES.items()
        if rows[0][key] is not None
    }
    figure = training_curves(
        shown,
        "accuracy",
        title=f"{recipe.name}, {recipe.method.name}: test accuracy",
        look_at=note or f"{recipe.epochs} epochs, seed {recipe.seed}. The last epoch counts.",
    )
    for name, group in ACCURACIES.items():
        if colour := style.GROUP_COLOURS.get(group):  # the colours that shot groups have in every figure
            figure.update_traces(line_color=colour, marker_color=colour, selector={"name": name})
    figure.update_traces(cliponaxis=False)  # or half of a line at 0 or at 100 is cut off
    figure.update_layout(
        xaxis={"range": [0.5, recipe.epochs + 0.5]},
        yaxis={"range": [0, 100], "title": {"text": "accuracy, %"}},
    )
    return figure
