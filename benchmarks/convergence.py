"""Does bfloat16 learn what float32 learns? Ten epochs of each, with several seeds, their difference against the seeds'.

    python benchmarks/convergence.py --output runs/convergence             hours; stop and start it again at will
    python benchmarks/convergence.py --output runs/convergence --report    only what is finished so far

The cases run one after the other through `python -m bcl_edu.train`, so what is compared is the training that users
get; both precisions of a seed see the same initial weights, batches and views. In the order of the list: the whole
method on digits, with their own small network (ten seeds) and with ResNet-32 (three); CIFAR-100-LT with the
classification branch alone (a third of the price); and CIFAR-100-LT with the whole method and one seed.
Every finished case is in benchmarks/results/convergence.json at once.

So far only the digits are compared: after 10 epochs bfloat16 is behind float32 in most seeds, by less than what lies
between two seeds; CIFAR-100-LT has a single run in bfloat16, which says nothing yet. The digits' whole recipe of 30
epochs is compared by `--epochs 30 --only digits-lt-bcl` with another --output and --results.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import torch


class Case(NamedTuple):
    """One training run."""

    recipe: str
    loss: str
    seed: int
    precision: str
    backbone: str = ""
    """Another network than the recipe's."""

    @property
    def what(self) -> str:
        """Everything but seed and precision."""
        return "-".join(filter(None, (self.recipe, self.backbone, self.loss)))

    @property
    def name(self) -> str:
        return f"{self.what}-seed{self.seed}-{self.precision}"


EPOCHS = 10
PRECISIONS = ("bfloat16", "float32")
CASES = [
    *(Case("digits-lt", "bcl", seed, precision) for seed in range(10) for precision in PRECISIONS),
    *(Case("digits-lt", "bcl", seed, precision, "resnet32") for seed in range(3) for precision in PRECISIONS),
    *(Case("cifar100-lt", "lc", seed, precision) for seed in range(3) for precision in PRECISIONS),
    *(Case("cifar100-lt", "bcl", 0, precision) for precision in PRECISIONS),
]
MEASURES = ("top1", "loss")


def run(case: Case, folder: Path, epochs: int) -> None:
    """Train a case to its end, from wherever it was stopped."""
    output = folder / case.name
    command = [
        *(sys.executable, "-m", "bcl_edu.train", case.recipe, "--loss", case.loss),
        *("--seed", str(case.seed), "--precision", case.precision, "--epochs", str(epochs)),
        *(("--backbone", case.backbone) if case.backbone else ()),
        *("--no-tensorboard", "--checkpoint-minutes", "2", "--output", str(output)),
    ]
    if (output / "run.json").exists():
        command.append("--resume")
    subprocess.run(command, check=True)


def finished(case: Case, folder: Path, epochs: int) -> list[dict[str, Any]] | None:
    """The metrics of a case, an epoch each, once all are there."""
    path = folder / case.name / "metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return rows if len(rows) == epochs else None


def comparison(results: dict[Case, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """For each recipe, network and loss: the last epoch in both precisions, their difference, and that of seeds."""
    table = []
    for what in dict.fromkeys(case.what for case in CASES):
        for measure in MEASURES:
            last = {
                precision: {
                    case.seed: rows[-1][measure]
                    for case, rows in results.items()
                    if (case.what, case.precision) == (what, precision)
                }
                for precision in PRECISIONS
            }
            pairs = sorted(set(last["bfloat16"]) & set(last["float32"]))
            row: dict[str, Any] = {"what": what, "measure": measure, "last_epoch": last}
            if pairs:
                differences = [last["bfloat16"][seed] - last["float32"][seed] for seed in pairs]
                row["bfloat16_minus_float32"] = statistics.mean(differences)
                row["each_seed"] = differences
            spreads = [
                statistics.stdev(of_seed.values()) for of_seed in last.values() if len(of_seed) > 1
            ]  # of one precision between seeds
            if len(pairs) > 1:
                row["standard_error_of_difference"] = statistics.stdev(differences) / len(pairs) ** 0.5
            if spreads:
                row["standard_deviation_between_seeds"] = statistics.mean(spreads)
            table.append(row)
    return table


def report(table: list[dict[str, Any]]) -> str:
    lines = [
        f"last of {EPOCHS} epochs",
        f"{'':30s} {'seeds':>7s} {'bfloat16':>9s} {'float32':>9s} "
        f"{'difference':>11s} {'its error':>10s} {'sd of seeds':>12s}",
    ]
    for row in table:
        of_seeds = [list(row["last_epoch"][precision].values()) for precision in PRECISIONS]
        values = [f"{statistics.mean(of_seed):.2f}" if of_seed else "not run" for of_seed in of_seeds]
        names = ("bfloat16_minus_float32", "standard_error_of_difference", "standard_deviation_between_seeds")
        shown = [f"{row[name]:.3f}" if name in row else "" for name in names]
        lines.append(
            f"{row['what']}, {row['measure']}".ljust(30)
            + f" {'/'.join(str(len(of_seed)) for of_seed in of_seeds):>7s} {values[0]:>9s} {values[1]:>9s}"
            + f" {shown[0]:>11s} {shown[1]:>10s} {shown[2]:>12s}"
        )
    return "\n".join(lines)


def write(results: dict[Case, list[dict[str, Any]]], path: Path, epochs: int) -> list[dict[str, Any]]:
    table = comparison(results)
    stored = {
        "machine": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "epochs": epochs,
        "not_finished": [case.name for case in CASES if case not in results],
        "comparison": table,
        "epochs_of_each_case": {
            case.name: [
                {name: row[name] for name in ("epoch", *MEASURES, "many", "medium", "few")} for row in rows
            ]
            for case, rows in results.items()
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(stored, indent=1) + "\n")
    temporary.replace(path)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--report", action="store_true", help="train nothing")
    default = Path(__file__).parent / "results" / "convergence.json"
    parser.add_argument("--results", type=Path, default=default)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")

    for case in CASES:
        if options.report or options.only not in case.name:
            continue
        if finished(case, options.output, options.epochs) is None:
            run(case, options.output, options.epochs)
        found = {c: finished(c, options.output, options.epochs) for c in CASES}
        write({c: rows for c, rows in found.items() if rows is not None}, options.results, options.epochs)
    found = {c: finished(c, options.output, options.epochs) for c in CASES}
    print(report(write({c: r for c, r in found.items() if r is not None}, options.results, options.epochs)))


if __name__ == "__main__":
    main()
