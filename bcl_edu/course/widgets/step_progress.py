"""A progress bar for a notebook: which epoch, which loss, and how long it will still take."""

from __future__ import annotations

import time
from collections.abc import Callable

import ipywidgets

from bcl_edu.training.display import duration

SECONDS_BETWEEN_UPDATES = 0.25
"""A browser shows no more than a reader can follow."""


class StepProgress:
    """Progress of a run in one line of a notebook (a `bcl_edu.training.display.StepDisplay`).

    Args:
        total: steps of the whole run.
        done: steps that an earlier stretch of the run has taken.
        clock: seconds that only go forward.

    Attributes:
        box: to put on the page.
    """

    def __init__(self, total: int, done: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._began, self._shown = clock, clock(), float("-inf")
        self._first = self._done = done
        self._bar = ipywidgets.IntProgress(
            value=done, max=total, layout={"width": "min(40%, 300px)"}, style={"bar_color": "#2f7fc1"}
        )
        self._text = ipywidgets.Label(
            "the first step is under way" if done < total else f"all {total:,} steps are taken"
        )
        self.box = ipywidgets.HBox([self._bar, self._text])

    @property
    def text(self) -> str:
        """Text beside the bar."""
        return str(self._text.value)

    def update(self, steps: int, epoch: int, loss: float) -> None:
        """So many steps further."""
        self._done += steps
        now = self._clock()
        if now - self._shown < SECONDS_BETWEEN_UPDATES and self._done < self._bar.max:
            return
        self._shown = now
        left = (now - self._began) / (self._done - self._first) * (self._bar.max - self._done)
        self._bar.value = self._done
        self._text.value = f"step {self._done:,} of {self._bar.max:,}, epoch {epoch}, loss {loss:.3f}" + (
            f", about {duration(left)} left" if self._done < self._bar.max else ""
        )

    def log(self, line: str) -> None:
        """Ignore the beginning of a run and finished epochs: the curves show them."""

    def close(self) -> None:
        """The run is over or was stopped: what stands there stays."""
        self._bar.value = self._done
