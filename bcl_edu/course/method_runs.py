"""The stored series of all methods on the long-tailed digits: results/digits-lt-methods."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

MethodRun = Mapping[str, Any]
"""One line of runs.jsonl: method, seed, accuracies in percent, deviations of the class means, seconds."""


class MeanAndDeviation(NamedTuple):
    """Of a quantity over the seeds: the mean, and the standard deviation of one run."""

    mean: float
    deviation: float


def read_method_runs(folder: Path | str) -> dict[str, list[MethodRun]]:
    """Runs by method, in the order of the file, each method's in the order of its seeds.

    Args:
        folder: holds runs.jsonl, as `benchmarks/digits_methods.py` writes it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: methods differ in their seeds, so that they cannot be compared seed by seed.
    """
    path = Path(folder) / "runs.jsonl"
    runs: dict[str, list[MethodRun]] = {}
    for line in path.read_text("utf-8").splitlines():
        run = json.loads(line)
        runs.setdefault(run["method"], []).append(run)
    for of_method in runs.values():
        of_method.sort(key=lambda run: int(run["seed"]))
    seeds = {name: [run["seed"] for run in of_method] for name, of_method in runs.items()}
    first = next(iter(seeds), "")
    for name, found in seeds.items():
        if found != seeds[first]:
            raise ValueError(f"{path}: {name} has the seeds {found}, but {first} has {seeds[first]}")
    return runs


def over_seeds(runs: Sequence[MethodRun], quantity: str) -> MeanAndDeviation:
    """Mean and standard deviation of a quantity over the runs of one method.

    Raises:
        ValueError: fewer than two runs, or runs that have not got it.
    """
    values = [run[quantity] for run in runs]
    if len(values) < 2 or None in values:
        raise ValueError(f"{quantity} is {values}; expected a number from each of at least two runs")
    return MeanAndDeviation(statistics.mean(values), statistics.stdev(values))


def class_accuracies(runs: Sequence[MethodRun]) -> list[float]:
    """Mean accuracy of each class over those runs of one method that have it, in percent.

    Raises:
        ValueError: no run has the accuracies of its classes.
    """
    found = [run["per_class"] for run in runs if "per_class" in run]
    if not found:
        raise ValueError("no run has 'per_class'; expected the accuracies of the classes in one run at least")
    return [statistics.mean(of_class) for of_class in zip(*found, strict=True)]


def difference(
    first: Sequence[MethodRun], second: Sequence[MethodRun], quantity: str = "top1"
) -> MeanAndDeviation:
    """Of a quantity of two methods, seed by seed: the mean difference, and the standard error of that mean."""
    gaps = [one[quantity] - other[quantity] for one, other in zip(first, second, strict=True)]
    return MeanAndDeviation(statistics.mean(gaps), statistics.stdev(gaps) / len(gaps) ** 0.5)
