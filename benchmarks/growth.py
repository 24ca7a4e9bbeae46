"""How cost grows: the loss with K, B and D, an epoch's bookkeeping with the training images, the solver with K.

    python benchmarks/growth.py

One thread, processor time, the least of a few rounds (what disturbs a measurement only ever adds to it). Each sweep
changes one size, keeps the others, and gives every size a turn in each round. The exponent is the slope of a straight
line through the points on logarithmic axes, by least squares, with the half-width of its 95 % confidence interval
(Student's t).

With N = 2B anchors, and N + K keys, the loss has N(N + K) logits, and neither its time nor its memory may grow faster
than their number: the exponent over N(N + K) may not exceed 1. Where it is fitted is said beside it: K from 200 on,
since below most keys are samples, whose pairs need one matrix product less than those with a prototype; B from 512 on,
since up to 256 the batch is one block, which saves the same, and below 128 what every call costs bends the line.
Of the bookkeeping is fitted what more than 1,000 images cost beyond those, since a thousand is almost what nothing
costs: 100 streams of random numbers are made for the subset whatever its size. Its memory may grow like the number n of
images, its time like n log n, since the subset sorts them.

A goal is met where 1 is in the interval or above it; an interval wider than 0.1 to either side excuses nothing, and
the exponent itself is judged.
"""

import argparse
import math
import tracemalloc
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from common import RESULTS, facts, in_turns, peak_megabytes, plot, table, verdict, write
from loss import batch, forward_and_backward, kernel
from scipy.stats import linregress, t

from bcl_edu.data import exponential_profile, long_tailed_subset, shot_groups
from bcl_edu.geometry import certified_optimum
from bcl_edu.training.batches import EpochBatches
from bcl_edu.training.device import keep_freed_memory

# what changes, and the other sizes
LOSS_SWEEPS = {
    "K": ((10, 30, 100, 200, 400, 800, 1600, 3200, 5700, 8142), {"B": 256, "D": 128}),
    "B": ((64, 128, 256, 512, 768, 1024, 1536, 2048, 3072, 4096), {"K": 100, "D": 128}),
    "D": ((64, 128, 256, 512, 1024), {"B": 256, "K": 100}),
}
IMAGES = (1_000, 10_000, 50_000, 75_000, 115_846, 160_000, 220_000, 310_000, 437_513)
SOLVER_CLASSES = (4, 8, 16, 32, 48, 64, 96, 128, 192)
FIT_FROM = {"K": 200, "B": 512, "D": 64, "images": 49_000, "classes": 32}
"""Where the sizes begin that are fitted (the images of a profile are a few less than asked for)."""
ROUNDS = {"K": 20, "B": 5, "D": 20, "images": 20, "classes": 3}
CONFIDENCE = 0.95
WIDEST = 0.1


class Fit(NamedTuple):
    """An exponent, and the half-width of its confidence interval."""

    exponent: float
    uncertainty: float

    def __str__(self) -> str:
        return f"{self.exponent:.3f} ± {self.uncertainty:.3f}"

    @property
    def judged(self) -> float:
        """What a goal is compared with: the lower end of the interval, unless that is too wide to say anything."""
        return round(self.exponent - self.uncertainty * (self.uncertainty <= WIDEST), 3)


def fit(x: Sequence[float], y: Sequence[float]) -> Fit:
    """Slope of log y over log x; 0 where y does not grow from nothing."""
    if not any(y):
        return Fit(0.0, 0.0)
    line = linregress(np.log(x), np.log(y))
    half = t.ppf((1 + CONFIDENCE) / 2, len(x) - 2) * line.stderr
    return Fit(round(float(line.slope), 3), round(float(half), 3))


def at_most_linear(what: str, found: Fit) -> dict:
    """The verdict that an exponent is not above 1."""
    judged = "its lower end" if found.uncertainty <= WIDEST else "itself, the interval being wide"
    return verdict(f"{what}, {found}: {judged}", found.judged, at_most=1.0)


def least_milliseconds(runs: Mapping[Any, Callable[[], object]], rounds: int) -> dict[Any, float]:
    """Processor time of each run, undisturbed: the least of the rounds, in each of which all have a turn."""
    return {name: round(1e3 * min(seconds), 3) for name, seconds in in_turns(runs, rounds).items()}


def loss_costs(changed: str, values: Sequence[int], others: Mapping[str, int]) -> list[dict]:
    """Time and peak extra memory of the loss and its gradient, for each value of the size that changes."""
    sizes = {value: others | {changed: value} for value in values}
    runs = {}
    inputs = {value: batch(size["B"], size["K"], size["D"]) for value, size in sizes.items()}
    for value, (z, labels, c) in inputs.items():
        runs[value] = forward_and_backward(lambda z=z, labels=labels, c=c: kernel(z, labels, c), z, c)
    milliseconds = least_milliseconds(runs, ROUNDS[changed])
    for z, _, c in inputs.values():
        z.grad = c.grad = None  # what a run frees of the one before would count against it
    return [
        size
        | {
            "logits": 2 * size["B"] * (2 * size["B"] + size["K"]),
            "milliseconds": milliseconds[value],
            "megabytes": round(peak_megabytes(runs[value]), 2),
            "n": ROUNDS[changed],
        }
        for value, size in sizes.items()
    ]


def megabytes_of_all(run: Callable[[], object]) -> float:
    """Peak extra memory of Python, NumPy and torch: the sum of the peaks, which need not be at the same moment."""
    run()
    of_torch = peak_megabytes(run)
    tracemalloc.start()
    run()
    of_python = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return of_torch + of_python


def bookkeeping(images: int) -> tuple[int, dict[str, Callable[[], object]]]:
    """What an epoch needs besides images, for 100 classes at IF 100; and how many images there are exactly."""
    classes = 100
    profile = exponential_profile(images, classes, 100.0).double()
    counts = (profile * images / profile.sum()).long().clamp(min=1)
    labels = torch.arange(classes).repeat_interleave(counts)[torch.randperm(int(counts.sum()))]
    chosen = (counts * 0.5).long().clamp(min=1)
    return len(labels), {
        "subset": lambda: long_tailed_subset(labels, chosen),
        "batches": lambda: deque(EpochBatches(len(labels), 256, 0), maxlen=0),
        "shot groups": lambda: shot_groups(torch.bincount(labels, minlength=classes)),
    }


def bookkeeping_costs() -> list[dict]:
    """Time and peak extra memory of the bookkeeping, for each number of images."""
    parts = dict(map(bookkeeping, IMAGES))
    runs = {(images, name): run for images, of_images in parts.items() for name, run in of_images.items()}
    milliseconds = least_milliseconds(runs, ROUNDS["images"])
    return [
        {
            "images": images,
            "milliseconds": {name: milliseconds[images, name] for name in of_images},
            "megabytes": {name: round(megabytes_of_all(run), 4) for name, run in of_images.items()},
            "n": ROUNDS["images"],
        }
        for images, of_images in parts.items()
    ]


def solver_costs(loss: str) -> list[dict]:
    """Time to a certified optimum, from nothing, for each number of classes."""
    counts = {classes: 500 * 100.0 ** (-np.arange(classes) / (classes - 1)) for classes in SOLVER_CLASSES}
    runs = {
        classes: lambda of_class=of_class: certified_optimum(of_class, loss, temperature=0.1)
        for classes, of_class in counts.items()
    }
    milliseconds = least_milliseconds(runs, ROUNDS["classes"])
    found = {classes: run() for classes, run in runs.items()}
    return [
        {
            "K": classes,
            "loss": loss,
            "milliseconds": milliseconds[classes],
            "newton_steps": optimum.newton_steps,
            "certified": optimum.certified,
            "n": ROUNDS["classes"],
        }
        for classes, optimum in found.items()
    ]


def summary(sweeps: dict[str, list[dict]], epochs: list[dict], solver: list[dict]) -> dict:
    """Fitted exponents, verdicts and plots."""
    verdicts, fits, plots = [], [], []

    def add(what: str, over: str, x: Sequence[float], found: Fit) -> Fit:
        fits.append([what, over, f"{x[0]:,} to {x[-1]:,}", len(x), str(found)])
        return found

    for changed, points in sweeps.items():
        fitted = [point for point in points if point[changed] >= FIT_FROM[changed]]
        for name, unit in (("milliseconds", "time"), ("megabytes", "memory")):
            over = changed if changed == "D" else f"N(N + K), {changed}"
            size = "D" if changed == "D" else "logits"
            for part in [points, fitted] if len(fitted) < len(points) else [fitted]:
                x = [point[changed] for point in part]
                found = fit([point[size] for point in part], [point[name] for point in part])
                add(f"loss, {unit}", over, x, found)
            what = f"loss: exponent of {unit} over {over} from {x[0]:,} to {x[-1]:,}"
            verdicts.append(at_most_linear(what, found))
    for name, title, axis in (("milliseconds", "Time", "ms"), ("megabytes", "Peak extra memory", "MB")):
        plots.append(
            plot(
                f"{title} of the loss, forward and backward",
                "no series may be steeper than the line of N(N + K)",
                "logits, N(N + K)",
                axis,
                {
                    f"{changed} changes": ([p["logits"] for p in points], [p[name] for p in points])
                    for changed, points in sweeps.items()
                    if changed != "D"
                }
                | {"proportional to N(N + K)": _through_the_largest(sweeps["B"], name)},
            )
        )
    plots.append(
        plot(
            "Time of the loss over the dimension D",
            "B 256, K 100",
            "D",
            "ms",
            {
                "kernel": (
                    [p["D"] for p in sweeps["D"]],
                    [p["milliseconds"] for p in sweeps["D"]],
                )
            },
        )
    )

    images = [point["images"] for point in epochs]
    start = next(i for i, number in enumerate(images) if number >= FIT_FROM["images"])
    for name, unit, axis, over in (
        ("milliseconds", "time", "ms", "n log n"),
        ("megabytes", "memory", "MB", "n"),
    ):
        size = [number * math.log(number) for number in images] if over == "n log n" else images
        series = {part: (images, [point[name][part] for point in epochs]) for part in epochs[0][name]}
        for part, (_, y) in series.items():
            more, beyond = ([value - values[0] for value in values[start:]] for values in (size, y))
            found = add(f"{part}, {unit}", f"{over}, n training images", images[start:], fit(more, beyond))
            what = f"{part}: exponent of {unit} over {over}, n training images from {images[start]:,} to {images[-1]:,}"
            verdicts.append(at_most_linear(what, found))
        plots.append(
            plot(
                f"Bookkeeping of an epoch, {unit}",
                "100 classes, imbalance factor 100, batches of 256",
                "training images",
                axis,
                series,
            )
        )

    losses = sorted({point["loss"] for point in solver})
    by_loss = {loss: [point for point in solver if point["loss"] == loss] for loss in losses}
    for loss, points in by_loss.items():
        large = [p for p in points if p["K"] >= FIT_FROM["classes"]]
        for part in (points, large):
            K = [p["K"] for p in part]
            found = fit(K, [p["milliseconds"] for p in part])
            add(f"certified optimum of {loss}, time", "K", K, found)
    plots.append(
        plot(
            "Time to a certified optimum",
            "exponential profile, imbalance factor 100, temperature 0.1, from nothing",
            "classes, K",
            "ms",
            {
                loss: ([p["K"] for p in points], [p["milliseconds"] for p in points])
                for loss, points in by_loss.items()
            },
        )
    )
    return {
        "verdicts": verdicts,
        "tables": [
            table(
                f"Fitted exponents, ± the half-width of the {CONFIDENCE:.0%} confidence interval",
                ["what", "over", "from, to", "points", "exponent"],
                fits,
            )
        ],
        "plots": plots,
    }


def _through_the_largest(points: list[dict], name: str) -> tuple[list[float], list[float]]:
    """The line of slope 1 through the last point."""
    logits, cost = points[-1]["logits"], points[-1][name]
    first = points[0]["logits"]
    x = [float(v) for v in np.geomspace(first, logits, 3).round()]
    return x, [float(f"{cost * v / logits:.4g}") for v in x]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=RESULTS / "growth.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    record = facts()
    keep_freed_memory()
    sweeps: dict[str, list[dict]] = {}
    for changed, (values, others) in LOSS_SWEEPS.items():
        sweeps[changed] = loss_costs(changed, values, others)
        print(*sweeps[changed], sep="\n", flush=True)
    epochs = bookkeeping_costs()
    print(*epochs, sep="\n", flush=True)
    solver = [cost for loss in ("scl", "bcl") for cost in solver_costs(loss)]
    print(*solver, sep="\n", flush=True)
    measured = {"loss": sweeps, "bookkeeping": epochs, "solver": solver}
    write(record | summary(sweeps, epochs, solver) | measured, arguments.output)


if __name__ == "__main__":
    main()
