"""Output of a run: a first line, a progress bar or sparse lines with the time left, each epoch, and a final table."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from tqdm import tqdm

from bcl_edu import terminal
from bcl_edu.counting import counted

SECONDS_BETWEEN_LINES = 60.0
"""Shortest time between two lines in a log file, which show within a long epoch that the run is alive."""


def format_number(value: float | None, form: str = ".1f") -> str:
    """A number, or n/a where there is none (an empty shot group)."""
    return "n/a" if value is None else format(value, form)


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, whichever reads best."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def protocol_note(protocol: str | None) -> str:
    """Note on a run's protocol, to follow the name of its method; empty for the faithful one."""
    return " under the common protocol" if protocol == "common" else ""


def first_line(
    recipe: Mapping[str, Any],
    data: Mapping[str, Any],
    *,
    epochs: int,
    steps: int,
    where: str,
    folder: Path,
    epoch: int,
    step: int,
) -> str:
    """First line of a run: recipe, method, data, device, folder, and the epoch and step from which it continues.

    Args:
        recipe: as in the run record.
        data: likewise.
        epochs: of all stages.
        steps: of an epoch.
        where: the device, in words.
        folder: what the run writes into.
        epoch: epochs that are finished already.
        step: steps of the next one that are.
    """
    begun = (
        f"; continued after {counted(epoch, 'epoch')} and {counted(step, 'step')}" if epoch or step else ""
    )
    return (
        f"{recipe['name']}, method {recipe['method']['name']}{protocol_note(recipe.get('protocol'))}, "
        f"seed {recipe['seed']}: {counted(epochs, 'epoch')} of {counted(steps, 'step')} on "
        f"{counted(data['training_images'], 'image')} of {counted(len(data['class_counts']), 'class')}, on "
        f"{where}, into {folder}{begun}"
    )


def epoch_line(row: Mapping[str, Any], epochs: int, width: int | None = None) -> str:
    """One epoch in one line: loss, accuracies in percent, simplex deviation, time left.

    Args:
        row: of the run's history.
        epochs: of the whole run.
        width: columns, by default those of the terminal. In 80 there is no room for the deviation and the
            time left, which the bar below shows too.
    """
    width = terminal.columns() if width is None else width
    begin = [f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}", f"loss {row['loss']:.3f}"]
    left = duration(row["seconds"] * (epochs - row["epoch"]))
    if "top1" not in row:
        return " | ".join([*begin, f"{left} left"])
    groups = ", ".join(f"{name} {format_number(row[name])}" for name in ("many", "medium", "few"))
    accuracies = f"top-1 {row['top1']:.1f} ({groups})"
    deviation = f"deviation {format_number(row['simplex_deviation'], '.3f')}"
    lines = (
        " | ".join([*begin, accuracies, deviation, f"{left} left"]),
        " | ".join([*begin, accuracies, f"{left} left"]),
        " | ".join([*begin, accuracies]),
    )
    return next((line for line in lines if len(line) <= width), lines[-1])


def method_name(recipe: Mapping[str, Any]) -> str:
    """The method of a recipe as a record has it, also in the flat form of earlier versions."""
    method = recipe.get("method", {})
    return str(method.get("name", recipe.get("loss")))


def _test_set(data: Mapping[str, Any]) -> str:
    """Description of the test set and of its averages; older records do not say whether it is balanced."""
    balanced = data.get("test_is_balanced")
    if balanced is False:
        return "test set, which is not balanced: over all its images, and the mean over its classes"
    return "balanced test set" if balanced else "test set"


def result_table(record: Mapping[str, Any]) -> str:
    """The run's last and best epoch, with what is needed to compare them."""
    last, best = record["last"], record["best"]
    recipe, data = record["recipe"], record["data"]
    counts = data["class_counts"]
    columns = {"all": "top1", "many": "many", "medium": "medium", "few": "few"}
    if data.get("test_is_balanced") is False:
        columns = {"all": "top1", "classes": "class_average"} | columns
    head = f"{'':<22}{''.join(f'{name:>8}' for name in columns)}{'simplex deviation':>19}"

    def line(title: str, row: Mapping[str, Any]) -> str:
        figures = "".join(f"{format_number(row[name]):>8}" for name in columns.values())
        return f"{title:<22}{figures}{format_number(row['simplex_deviation'], '.3f'):>19}"

    facts = (
        f"{recipe['name']}, method {method_name(recipe)}{protocol_note(recipe.get('protocol'))}: "
        f"{counted(last['epoch'], 'epoch')}, seed {recipe['seed']}, "
        f"IF {max(counts) / min(counts):.4g}, {record['parameters']:,} parameters, "
        f"subset {data['subset_sha256'][:12]}"
    )
    chosen = []
    if row := record.get("chosen"):
        chosen = [
            line(f"validation's ({row['epoch']})", row),
            "the validation images chose this epoch; with --keep-best its weights are kept, as best.pt",
        ]
    return "\n".join(
        [
            terminal.fitted(facts),
            f"top-1 accuracy in percent on the {_test_set(data)}",
            head,
            line(f"last epoch ({last['epoch']})", last),
            line(f"best epoch ({best['epoch']})", best),
            *chosen,
            "best is chosen on the test set: quote the last epoch",
        ]
    )


@runtime_checkable
class StepDisplay(Protocol):
    """Interface of a progress display: what the loop calls, in a terminal or a notebook."""

    def update(self, steps: int, epoch: int, loss: float) -> None:
        """Advance by `steps` steps, into `epoch` (counted from 1); `loss` is that of the last step."""
        ...

    def log(self, line: str) -> None:
        """Show a line about the run, such as its beginning or a finished epoch."""
        ...

    def close(self) -> None:
        """End the display, when the run is over or was stopped."""
        ...


class Progress:
    """A progress bar over the steps of the whole run (its time left includes the evaluations so far), and lines.

    In a log file, a line a minute takes the place of the bar, unless epochs end more often. If it is not enabled, it
    shows nothing.
    """

    def __init__(
        self, total: int, done: int, *, enabled: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._enabled, self._clock = enabled, clock
        self._total, self._first, self._done = total, done, done
        self._began = self._spoke = clock()
        self._bar = tqdm(
            total=total,
            initial=done,
            disable=None if enabled else True,  # None: a bar only on a terminal
            unit="step",
            dynamic_ncols=True,
            leave=False,
            smoothing=0.05,
        )

    def update(self, steps: int, epoch: int, loss: float) -> None:
        """Advance the bar, or print a line where one is due."""
        self._bar.set_postfix_str(f"epoch {epoch}, loss {loss:.3f}", refresh=False)
        self._bar.update(steps)
        self._done += steps
        now = self._clock()
        if self._enabled and self._bar.disable and now - self._spoke >= SECONDS_BETWEEN_LINES:
            left = (now - self._began) / (self._done - self._first) * (self._total - self._done)
            self.log(
                f"epoch {epoch}, step {self._done:,} of {self._total:,}, loss {loss:.3f} | "
                f"{duration(now - self._began)} so far, {duration(left)} left"
            )

    def log(self, line: str) -> None:
        """Print a line above the bar and flush it, since a log file would otherwise receive lines in blocks."""
        if self._enabled:
            self._bar.write(line if self._bar.disable else terminal.fitted(line))
            sys.stdout.flush()
            self._spoke = self._clock()

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()
