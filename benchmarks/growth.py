"""How cost grows: the loss with K, B and D, an epoch's bookkeeping with the training images, the solver with K.

    python benchmarks/growth.py

One thread, processor time, the least of a few repetitions (what disturbs a measurement only ever adds to it). Each
sweep changes one size and keeps the others; the exponent is the slope of a straight line through the points on
logarithmic axes, by least squares. With N = 2B anchors, and N + K keys, the loss has N(N + K) logits: neither its time
nor its memory may grow faster than their number, so the exponent over N(N + K) may not exceed 1. Times are allowed 0.05
more, which is what repeated fits differ by.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from common import RESULTS, facts, peak_megabytes, plot, table, verdict, write
from loss import batch, kernel

from bcl_edu.datasets import exponential_profile, long_tailed_subset, shot_groups
from bcl_edu.geometry import certified_optimum
from bcl_edu.training.batches import EpochBatches
from bcl_edu.training.memory import keep_freed_memory

NOISE = 0.05

# what changes, and the other sizes
LOSS_SWEEPS = {
    "K": ((10, 30, 100, 300, 1000, 3000, 8142), {"B": 256, "D": 128}),
    "B": ((64, 128, 256, 512, 1024, 2048, 4096), {"K": 100, "D": 128}),
    "D": ((64, 128, 256, 512, 1024), {"B": 256, "K": 100}),
}
IMAGES = (1_000, 10_000, 50_000, 115_846, 437_513)
SOLVER_CLASSES = (4, 8, 16, 32, 64, 128)


def exponent(x: Sequence[float], y: Sequence[float]) -> float:
    """Slope of log y over log x."""
    return round(float(np.polyfit(np.log(x), np.log(y), 1)[0]), 3)


def least_seconds(run: Callable[[], object], repetitions: int) -> float:
    """Processor time of a run, undisturbed; one more run goes before."""
    seconds = []
    for _ in range(repetitions + 1):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return min(seconds[1:])


def loss_cost(B: int, K: int, D: int) -> dict:
    """Time and peak extra memory of the loss and its gradient."""
    z, labels, c = batch(B, K, D)

    def step() -> None:
        z.grad = c.grad = None
        kernel(z, labels, c).backward()

    logits = 2 * B * (2 * B + K)
    repetitions = 20 if logits * D < 1e8 else 3
    milliseconds = 1e3 * least_seconds(step, repetitions)
    z.grad = c.grad = None
    return {
        "B": B,
        "K": K,
        "D": D,
        "logits": logits,
        "milliseconds": round(milliseconds, 3),
        "megabytes": round(peak_megabytes(step), 2),
        "n": repetitions,
    }


def bookkeeping_cost(images: int) -> dict:
    """Time of what an epoch needs besides images: subset, batches of 256, shot groups; 100 classes, IF 100."""
    classes = 100
    profile = exponential_profile(images, classes, 100.0).double()
    counts = (profile * images / profile.sum()).long().clamp(min=1)
    labels = torch.arange(classes).repeat_interleave(counts)[torch.randperm(int(counts.sum()))]
    chosen = (counts * 0.5).long().clamp(min=1)

    def groups() -> None:
        shot_groups(torch.bincount(labels, minlength=classes))

    parts = {
        "subset": lambda: long_tailed_subset(labels, chosen),
        "batches": lambda: list(EpochBatches(len(labels), 256, 0)),
        "shot groups": groups,
    }
    milliseconds = {name: round(1e3 * least_seconds(run, 5), 3) for name, run in parts.items()}
    return {"images": len(labels), "milliseconds": milliseconds, "n": 5}


def solver_cost(classes: int, loss: str) -> dict:
    """Time to a certified optimum, from nothing."""
    counts = 500 * 100.0 ** (-np.arange(classes) / (classes - 1))
    found = certified_optimum(counts, loss, temperature=0.1)
    milliseconds = 1e3 * least_seconds(lambda: certified_optimum(counts, loss, temperature=0.1), 2)
    return {
        "K": classes,
        "loss": loss,
        "milliseconds": round(milliseconds, 2),
        "newton_steps": found.newton_steps,
        "certified": found.certified,
        "n": 2,
    }


def summary(sweeps: dict[str, list[dict]], bookkeeping: list[dict], solver: list[dict]) -> dict:
    """Fitted exponents, verdicts and plots."""
    verdicts, fits, plots = [], [], []
    for changed, points in sweeps.items():
        x = [point[changed] for point in points]
        logits = [point["logits"] for point in points]
        for name, unit in (("milliseconds", "time"), ("megabytes", "memory")):
            y = [point[name] for point in points]
            over_size = exponent(x, y)
            fits.append([f"loss, {unit}", changed, f"{x[0]:,} to {x[-1]:,}", over_size])
            if changed == "D":
                verdicts.append(
                    verdict(
                        f"loss: exponent of {unit} over D", over_size, at_most=1 + NOISE * (unit == "time")
                    )
                )
            else:
                goal = f"loss: exponent of {unit} over N(N + K), {changed} from {x[0]:,} to {x[-1]:,}"
                verdicts.append(verdict(goal, exponent(logits, y), at_most=1 + NOISE * (unit == "time")))
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

    images = [point["images"] for point in bookkeeping]
    series = {
        name: (images, [point["milliseconds"][name] for point in bookkeeping])
        for name in bookkeeping[0]["milliseconds"]
    }
    for name, (_, y) in series.items():
        fits.append(
            [f"{name}, time", "training images", f"{images[0]:,} to {images[-1]:,}", exponent(images, y)]
        )
        verdicts.append(
            verdict(
                f"{name}: exponent of time over training images", exponent(images, y), at_most=1 + 2 * NOISE
            )
        )
    plots.append(
        plot(
            "Bookkeeping of an epoch",
            "100 classes, imbalance factor 100, batches of 256",
            "training images",
            "ms",
            series,
        )
    )

    losses = sorted({point["loss"] for point in solver})
    by_loss = {loss: [point for point in solver if point["loss"] == loss] for loss in losses}
    for loss, points in by_loss.items():
        K, y = [p["K"] for p in points], [p["milliseconds"] for p in points]
        fits.append([f"certified optimum of {loss}, time", "K", f"{K[0]} to {K[-1]}", exponent(K, y)])
        fits.append(
            [f"certified optimum of {loss}, time", "K", f"{K[-3]} to {K[-1]}", exponent(K[-3:], y[-3:])]
        )
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
        "tables": [table("Fitted exponents", ["what", "over", "from, to", "exponent"], fits)],
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
        sweeps[changed] = [loss_cost(**others, **{changed: value}) for value in values]
        print(*sweeps[changed], sep="\n", flush=True)
    bookkeeping = [bookkeeping_cost(images) for images in IMAGES]
    print(*bookkeeping, sep="\n", flush=True)
    solver = [solver_cost(classes, loss) for loss in ("scl", "bcl") for classes in SOLVER_CLASSES]
    print(*solver, sep="\n", flush=True)
    measured = {"loss": sweeps, "bookkeeping": bookkeeping, "solver": solver}
    write(record | summary(sweeps, bookkeeping, solver) | measured, arguments.output)


if __name__ == "__main__":
    main()
