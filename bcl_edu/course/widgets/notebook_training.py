"""Training inside a notebook: quietly, or watched while the class means move on the sphere."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import plotly.graph_objects as go
import torch
from IPython.display import display
from jaxtyping import Float, Int
from torch import Tensor

from bcl_edu.course.figures import class_mean_film, class_mean_sphere
from bcl_edu.course.figures.style import heading
from bcl_edu.course.widgets.live_figure import LiveFigure
from bcl_edu.course.widgets.one_per_cell import one_per_cell
from bcl_edu.training import EpochReport, Interrupted, Recipe, RunOptions, train
from bcl_edu.training.checkpoint import CHECKPOINT_NAME
from bcl_edu.training.data import prepare_data


@dataclass(frozen=True)
class NotebookRun:
    """A run that left nothing on disk, epoch by epoch.

    Attributes:
        recipe: what was trained.
        reports: one an epoch; fewer than the recipe's epochs if the run was stopped.
        class_counts: training images of each class, shape (K,).
        class_names: shape (K,).
    """

    recipe: Recipe
    reports: Sequence[EpochReport]
    class_counts: Int[Tensor, " k"]
    class_names: tuple[str, ...]

    @property
    def last(self) -> EpochReport:
        """After the last epoch: what the run is judged by."""
        return self.reports[-1]

    @property
    def means_by_epoch(self) -> Float[Tensor, "epochs k d"]:
        """Class means of the test images after each epoch."""
        return torch.stack([_class_means(report) for report in self.reports])

    def film(self, title: str = "Class means as they moved", *, every: int = 1) -> go.Figure:
        """The whole run again, with a slider over its epochs; it plays without Python.

        Args:
            title: the figure's title.
            every: show each epoch, or only every second, third, ... (always the last): a notebook stores each
                frame.
        """
        epochs = [int(report.metrics["epoch"]) for report in self.reports][::-every][::-1]
        means = self.means_by_epoch.flip(0)[::every].flip(0)
        return class_mean_film(means, self.class_counts, self.class_names, epochs=epochs, title=title)


def head_dim(recipe: Recipe) -> int | None:
    """Dimensions of the embeddings that a recipe's method trains; None if it trains none."""
    return getattr(recipe.method, "head_dim", None)


class LiveClassMeans:
    """A sphere that shows the class means of the newest report, under a line that says how far training is."""

    def __init__(self, recipe: Recipe, class_counts: Int[Tensor, " k"], class_names: tuple[str, ...]) -> None:
        self.recipe, self.class_counts, self.class_names = recipe, class_counts, class_names
        centre = torch.zeros(len(class_counts), head_dim(recipe) or 3)
        self.live = LiveFigure(self._drawn(centre, "the first epoch is under way"), moves=True)

    def show(self, report: EpochReport) -> None:
        """Move the means to where they are after this epoch."""
        figure = self._drawn(_class_means(report), self._progress(report))
        self.live.show(_counted(figure, f"epoch {report.metrics['epoch']}"))

    def say(self, text: str) -> None:
        """Change the line under the title only."""
        self.live.show(_titled(go.Figure(self.live.figure), self._title, text))

    def _drawn(self, means: Float[Tensor, "k d"], progress: str) -> go.Figure:
        figure = class_mean_sphere(means, self.class_counts, self.class_names)
        return _titled(figure, self._title, progress)

    @property
    def _title(self) -> str:
        return f"Class means while training with {self.recipe.method.name}"

    def _progress(self, report: EpochReport) -> str:
        row, epochs = report.metrics, self.recipe.epochs
        few = "n/a" if row["few"] is None else f"{row['few']:.0f} %"
        text = f"epoch {row['epoch']} of {epochs}: test accuracy {row['top1']:.0f} %, few-shot classes {few}"
        left = (epochs - row["epoch"]) * row["seconds"]
        return text + (f", about {left:.0f} s left" if left else "")


def _titled(figure: go.Figure, title: str, caption: str) -> go.Figure:
    """The figure with another title and another line under it."""
    figure.layout.title.text = heading(title, caption)
    figure.layout.meta = dict(figure.layout.meta) | {"caption": caption}
    return figure


def _counted(figure: go.Figure, count: str) -> go.Figure:
    """The figure with a count beside what moves: it is read there, and also where the title is out of sight."""
    figure.add_annotation(
        text=count,
        showarrow=False,
        font={"size": 18},
        **{"x": 0.02, "xref": "paper", "xanchor": "left", "y": 0.02, "yref": "paper", "yanchor": "bottom"},
    )
    return figure


def train_quietly(recipe: Recipe) -> NotebookRun:
    """Train in this notebook, in this process, to the end.

    Nothing is kept on disk: `python -m bcl_edu.train` is for runs whose checkpoints matter.
    """
    reports: list[EpochReport] = []
    with tempfile.TemporaryDirectory() as folder:
        train(recipe, _options(Path(folder)), reports.append)
    return _notebook_run(recipe, reports)


_stopped: dict[Recipe, tuple[tempfile.TemporaryDirectory[str], list[EpochReport]]] = {}
"""Live runs that were stopped in this kernel: where their checkpoint lies, and what was seen."""


def train_live(recipe: Recipe) -> NotebookRun:
    """Train in this notebook and draw the class means after each epoch.

    The stop button ends it early; what was seen until then is returned. The same call in the same kernel
    (running the cell again) continues it.

    Args:
        recipe: its embeddings must have 2 or 3 dimensions (`head_dim`), so that the picture is exact.

    Raises:
        ValueError: embeddings of more dimensions, or a loss that trains none.
        Interrupted: stopped before the first epoch was finished.
    """
    dimensions = head_dim(recipe)
    if dimensions is None:
        raise ValueError(
            f"method {recipe.method.name!r} trains no embeddings to draw; choose 'scl' or 'bcl', say"
        )
    if dimensions > 3:
        raise ValueError(
            f"head_dim is {dimensions}, and a picture shows 2 or 3 dimensions; "
            "train with recipe.change(head_dim=3)"
        )
    data = prepare_data(recipe, RunOptions())
    live = LiveClassMeans(recipe, data.class_counts, data.train.class_names)
    display(one_per_cell(live.live))
    folder, reports = _stopped.pop(recipe) if recipe in _stopped else (tempfile.TemporaryDirectory(), [])
    if reports:
        live.show(reports[-1])

    def on_epoch(report: EpochReport) -> None:
        reports.append(report)
        live.show(report)

    try:
        train(recipe, _options(Path(folder.name)), on_epoch)
    except Interrupted:
        _stopped[recipe] = folder, reports
        if not reports:
            raise
        live.say(f"stopped after epoch {len(reports)} of {recipe.epochs}; run the cell again to continue")
    else:
        folder.cleanup()
    return _notebook_run(recipe, reports)


def _options(folder: Path) -> RunOptions:
    """Options of a run in this folder, in this process and without printing; continued if it was begun."""
    output = folder / "run"
    begun = (output / CHECKPOINT_NAME).exists()
    return RunOptions(output=output, resume=begun, workers=0, tensorboard=False, progress=False)


def _notebook_run(recipe: Recipe, reports: Sequence[EpochReport]) -> NotebookRun:
    data = prepare_data(recipe, RunOptions())
    return NotebookRun(recipe, tuple(reports), data.class_counts, data.train.class_names)


def _class_means(report: EpochReport) -> Float[Tensor, "k d"]:
    means = report.evaluation.class_means
    if means is None:
        raise ValueError("the test set has no image of some class, so not every class has a mean to draw")
    return means
