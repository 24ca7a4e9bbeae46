"""Time to a certified optimum: cold, and warm from a neighbour as an explorer's slider would ask for it.

    python benchmarks/solver.py                  print a table, write benchmarks/results/solver.json (a minute)
    python benchmarks/solver.py --classes 10     only K = 10

One thread. `cpu` is processor time of the process, which a busy machine disturbs less than the clock; median of the
repetitions. Every case must end certified: relative gap at most 1e-8, that is the loss, less its floor, is within a
hundred-millionth of its minimum.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy loads its BLAS

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import torch
from common import RESULTS, facts, table, verdict, write

from bcl_edu.geometry import OptimalGeometry, certified_optimum, sampled_batches


def exponential(num_classes: int, imbalance_factor: float) -> np.ndarray:
    """500 samples down to 500 / IF, without the floor."""
    return 500 * imbalance_factor ** (-np.arange(num_classes) / (num_classes - 1))


def cases() -> list[tuple[int, str, Callable[..., OptimalGeometry]]]:
    """Number of classes, name, and solver of each case; the solver takes `start` and a factor on the imbalance."""
    found: list[tuple[int, str, Callable[..., OptimalGeometry]]] = []

    def add(num_classes: int, loss: str, temperature: float, **options: Any) -> None:
        def solve(imbalance_factor: float = 100.0, start: OptimalGeometry | None = None) -> OptimalGeometry:
            return certified_optimum(
                exponential(num_classes, imbalance_factor),
                loss,
                temperature=temperature,
                start=start,
                **options,
            )

        suffix = "".join(f" {key}={value}" for key, value in options.items())
        found.append((num_classes, f"{loss} tau={temperature}{suffix}", solve))

    for num_classes in (3, 10, 100):
        for temperature in (0.05, 0.1, 1.0):
            for loss in ("scl", "scl-complement", "bcl", "bcl-class-anchors"):
                add(num_classes, loss, temperature)
        add(num_classes, "bcl", 0.1, prototypes="free")
        for loss in ("ce", "lc"):
            add(num_classes, loss, 0.1)
            add(num_classes, loss, 1.0)
        add(num_classes, "ce", 1.0, average_norms=True)

    counts = [50, 29, 17, 10, 6, 3, 2, 1, 1, 1]
    batches = sampled_batches(counts, 16, num_batches=2000)

    def mini_batches(
        imbalance_factor: float = 100.0, start: OptimalGeometry | None = None
    ) -> OptimalGeometry:
        return certified_optimum(batches, "scl", start=start)

    found.append((10, "scl tau=0.1, 2000 sampled batches of 16", mini_batches))

    for loss in ("scl", "bcl", "ce"):

        def thousand(
            imbalance_factor: float = 100.0, start: OptimalGeometry | None = None, loss: str = loss
        ) -> OptimalGeometry:
            few_distinct = np.repeat(500 * imbalance_factor ** (-np.arange(4) / 3), [10, 90, 400, 500])
            return certified_optimum(few_distinct, loss, start=start)

        found.append((1000, f"{loss} tau=0.1, four distinct counts", thousand))
    return found


def measure(solve: Callable[[], OptimalGeometry], repetitions: int) -> tuple[float, float, OptimalGeometry]:
    """Median processor time and clock time in milliseconds, and the answer."""
    cpu, wall = [], []
    for _ in range(repetitions):
        before = time.process_time(), time.perf_counter()
        optimum = solve()
        cpu.append(1e3 * (time.process_time() - before[0]))
        wall.append(1e3 * (time.perf_counter() - before[1]))
    return statistics.median(cpu), statistics.median(wall), optimum


def summary(rows: list[dict]) -> dict:
    """What the page shows."""
    cells = [
        [
            row["num_classes"],
            row["case"],
            f"{row['cold_cpu_ms']:.1f}",
            f"{row['warm_cpu_ms']:.1f}",
            row["newton_steps"],
            f"{row['relative_gap']:.0e}",
            "yes" if row["certified"] else "**no**",
        ]
        for row in rows
    ]
    columns = ["K", "case", "cold, ms", "warm, ms", "Newton steps", "relative gap", "certified"]
    share = sum(row["certified"] for row in rows) / len(rows)
    return {
        "verdicts": [verdict("solver: share of the cases that end certified", share, at_least=1.0)],
        "tables": [table("Certified optima, processor time", columns, cells)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--classes", type=int, help="only cases of this number of classes")
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument(
        "--output", type=Path, default=RESULTS / "solver.json", help="where the rows are written"
    )
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    record = facts()
    rows = []
    print(
        "   K  case                                         cold cpu   wall     warm cpu   gap      certified"
    )
    for num_classes, name, solve in cases():
        if arguments.classes not in (None, num_classes):
            continue
        repetitions = arguments.repetitions if num_classes <= 10 else 3
        cpu, wall, cold = measure(solve, repetitions)
        warm_cpu, warm_wall, warm = measure(lambda solve=solve, cold=cold: solve(110.0, cold), repetitions)
        certified = cold.certified and warm.certified
        rows.append(
            {
                "num_classes": num_classes,
                "case": name,
                "cold_cpu_ms": cpu,
                "cold_wall_ms": wall,
                "warm_cpu_ms": warm_cpu,
                "warm_wall_ms": warm_wall,
                "relative_gap": max(cold.relative_gap, warm.relative_gap),
                "newton_steps": cold.newton_steps,
                "certified": certified,
            }
        )
        print(
            f"{num_classes:4}  {name:42} {cpu:8.1f} {wall:8.1f} ms {warm_cpu:8.1f} ms  {cold.relative_gap:.0e}  "
            f"{'yes' if certified else 'NO'}",
            flush=True,
        )
    write(record | summary(rows) | {"scipy": scipy.__version__, "rows": rows}, arguments.output)


if __name__ == "__main__":
    main()
