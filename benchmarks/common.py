"""What all benchmarks share: facts of the machine, timing in turns, medians with their spread, one way to
write them.

A record, benchmarks/results/NAME.json, holds what was measured, and beside it what a reader wants of it:

    verdicts    goals that the project has set itself, each with the measured figure and whether it is met
    tables      title, columns and rows
    plots       title, axes and series, drawn on logarithmic axes

`python -m tools.benchmark_page` makes docs/benchmarks.md of all records, and asks nothing else of them.
"""

import json
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault(
    "KINETO_LOG_LEVEL", "5"
)  # the profiler, which counts memory, is silent about missing GPUs

import torch

from bcl_edu.augment import Normalisation
from bcl_edu.files import write_atomically
from bcl_edu.methods import Clock, build_method
from bcl_edu.run_options import CompileMode
from bcl_edu.training import Recipe, RunOptions
from bcl_edu.training.batches import Loaded
from bcl_edu.training.data import prepare_data
from bcl_edu.training.precision import with_precision
from bcl_edu.training.record import git_revision, hardware, versions
from bcl_edu.training.step import TrainingStep

RESULTS = Path(__file__).parent / "results"


def facts(device: torch.device | str = "cpu") -> dict[str, Any]:
    """Machine, versions and source of what is measured in this process, printed and for its record."""
    found: dict[str, Any] = {
        "machine": hardware(torch.device(device)) | {"load_average_1min": round(os.getloadavg()[0], 2)},
        "versions": versions(),
        "git_revision": git_revision(),
        "measured": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    print(", ".join(f"{name} {value}" for name, value in (found["machine"] | found["versions"]).items()))
    return found


def package_step(
    recipe: Recipe,
    counts: torch.Tensor,
    normalisation: Normalisation,
    device: torch.device,
    *,
    compile: CompileMode | None = None,
) -> Callable[[torch.Tensor, torch.Tensor], Mapping[str, torch.Tensor]]:
    """A step of the recipe's method on CIFAR's images, of views (as bytes) and labels, at a small learning
    rate."""
    method = build_method(recipe, counts, (3, 32, 32))
    stage = method.stages()[0]
    precision = with_precision(recipe, device).precision
    step = TrainingStep(method, stage, normalisation, device, precision=precision, compile=compile)
    step.train_mode()
    clock = Clock(0, stage.name, 0, stage.epochs, 0, 1, 0.01)

    def take(views: torch.Tensor, labels: torch.Tensor) -> Mapping[str, torch.Tensor]:
        return step(Loaded(views, labels, torch.arange(len(labels))), clock)

    return take


def data_is_there(recipe: Recipe) -> bool:
    """Whether a recipe's data set is found where `BCL_EDU_DATA` says, or in data/; says why if not."""
    try:
        prepare_data(recipe, RunOptions())
    except (ValueError, OSError) as error:
        print(f"{recipe.name}: {error}")
        return False
    return True


def spread(values: Sequence[float], digits: int = 3) -> dict[str, Any]:
    """Number, median and quartiles of measurements."""
    low, median, high = (
        statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else 3 * [values[0]]
    )
    return {
        "n": len(values),
        "median": round(median, digits),
        "quartiles": [round(low, digits), round(high, digits)],
    }


def ratios(numerators: Sequence[float], denominators: Sequence[float], digits: int = 3) -> dict[str, Any]:
    """Spread of the ratios within each round: what disturbed a round disturbed both sides."""
    return spread([a / b for a, b in zip(numerators, denominators, strict=True)], digits)


def in_turns(
    sides: Mapping[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.process_time,
    warm_up: int = 1,
) -> dict[str, list[float]]:
    """Seconds of each side in each round, all sides once a round, after rounds that are not counted.

    The default clock is processor time of this process: what others do on the machine only counts for what it
    evicts from the caches.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for round_ in range(warm_up + rounds):
        for name, side in sides.items():
            start = clock()
            side()
            if round_ >= warm_up:
                seconds[name].append(clock() - start)
    return seconds


def peak_megabytes(run: Callable[[], object]) -> float:
    """Largest sum of what torch's allocator held at once during the run, beyond what it held before."""
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profiler:
        run()
    events = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak / 1e6


def verdict(
    goal: str, measured: float, *, at_most: float | None = None, at_least: float | None = None
) -> dict[str, Any]:
    """A goal, what was measured, and whether it is met; printed too.

    Args:
        goal: what the figure is, in words, with its unit.
        measured: the median, or whatever the goal is about.
        at_most: the goal, if less is better.
        at_least: the goal, if more is better.
    """
    assert (at_most is None) != (at_least is None), "a goal has one bound"
    if at_least is not None:
        sign, bound, met = "at least", at_least, measured >= at_least
    else:
        assert at_most is not None
        sign, bound, met = "at most", at_most, measured <= at_most
    print(f"{'met   ' if met else 'MISSED'}  {goal}: {measured:g} (goal: {sign} {bound:g})", flush=True)
    return {"goal": goal, "measured": measured, "bound": f"{sign} {bound:g}", "met": met}


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> dict[str, Any]:
    """A table for the page; cells are text or numbers, shown as they are; printed too."""
    assert all(len(row) == len(columns) for row in rows), f"a row of {title!r} does not fit its columns"
    lines = [list(map(str, row)) for row in (columns, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print(title, *("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines), sep="\n", flush=True)
    return {"title": title, "columns": list(columns), "rows": [list(row) for row in rows]}


def plot(
    title: str, look_at: str, x: str, y: str, series: Mapping[str, tuple[Sequence[float], Sequence[float]]]
) -> dict[str, Any]:
    """A plot for the page, both axes logarithmic: what is shown, what to look at, the axes, points of each
    series."""
    drawn = {name: {"x": list(points[0]), "y": list(points[1])} for name, points in series.items()}
    return {"title": title, "look_at": look_at, "x": x, "y": y, "series": drawn}


def write(record: Mapping[str, Any], path: Path) -> None:
    """Write a record as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())
