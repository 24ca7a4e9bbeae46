"""Does bfloat16 learn what float32 learns? Ten epochs of each, with several seeds, their difference against the seeds'.

    python benchmarks/convergence.py --output runs/convergence             hours; stop and start it again at will
    python benchmarks/convergence.py --output runs/convergence --report    only what is finished so far

The cases run one after the other through `python -m bcl_edu.train`, so what is compared is the training that users
get; both precisions of a seed see the same initial weights, batches and views. In the order of the list: the whole
method on digits, with their own small network (ten seeds) and with ResNet-32 (three); CIFAR-100-LT with the
classification branch alone (a third of the price); and CIFAR-100-LT with the whole method and one seed.
Every finished case is in benchmarks/results/convergence.json at once.

A precision is as good as the other where the mean difference of the last epoch is at most what lies between two seeds
of one precision, in the standard deviation; that is judged from three seeds on. The digits' whole recipe of 30
epochs is compared by `--epochs 30 --only digits-lt-bcl` with another --output and --results.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from common import RESULTS, table, verdict, write


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
MEASURES = {"top1": "top-1 accuracy, %", "loss": "training loss"}
FEWEST_SEEDS = 3
"""From which on the precisions are judged."""


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
    compared = []
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
            compared.append(row)
    return compared


def facts(sessions: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Machine, versions and source of the runs, as their own records say; what differs among them side by side."""
    sessions = sorted(sessions, key=lambda session: session["started"])

    def together(part: str) -> dict[str, Any]:
        names = dict.fromkeys(name for session in sessions for name in session[part])
        return {name: _one_or_all(session[part].get(name) for session in sessions) for name in names}

    if not sessions:
        return {}
    return {
        "machine": together("hardware"),
        "versions": together("versions"),
        "git_revision": _one_or_all(session["git_revision"] or "unknown" for session in sessions),
        "measured": _one_or_all(session["started"][:10] for session in sessions),
    }


def _one_or_all(values: Iterable[Any]) -> Any:
    different = list(dict.fromkeys(values))
    return different[0] if len(different) == 1 else " / ".join(map(str, different))


def summary(rows: list[dict[str, Any]], epochs: int) -> dict[str, Any]:
    """What the page shows."""
    cells, verdicts = [], []
    for row in rows:
        what, measure = f"{row['what']}, last of {epochs} epochs", MEASURES[row["measure"]]
        of_seeds = {precision: list(row["last_epoch"][precision].values()) for precision in PRECISIONS}
        if not any(of_seeds.values()):
            continue
        means = [f"{statistics.mean(values):.3f}" if values else "not run" for values in of_seeds.values()]
        names = ("bfloat16_minus_float32", "standard_error_of_difference", "standard_deviation_between_seeds")
        figures = [f"{row[name]:.3f}" if name in row else "" for name in names]
        seeds = " and ".join(str(len(values)) for values in of_seeds.values())
        cells.append([row["what"], measure, seeds, *means, *figures])
        if len(row.get("each_seed", [])) >= FEWEST_SEEDS:
            ratio = abs(row["bfloat16_minus_float32"]) / row["standard_deviation_between_seeds"]
            goal = f"{what}, {measure}: |bfloat16 - float32| over the standard deviation between seeds"
            verdicts.append(verdict(goal, round(ratio, 3), at_most=1.0))
    columns = ["what", "measure", "seeds", "bfloat16", "float32", "difference", "its standard error"]
    columns += ["standard deviation between seeds"]
    title = f"Last of {epochs} epochs in both precisions, mean over the seeds"
    return {"verdicts": verdicts, "tables": [table(title, columns, cells)]}


def record(folder: Path, epochs: int) -> dict[str, Any]:
    """All that is finished, and what it says."""
    found = {case: rows for case in CASES if (rows := finished(case, folder, epochs)) is not None}
    runs = [json.loads((folder / case.name / "run.json").read_text()) for case in found]
    rows = comparison(found)
    return {
        **facts(session for run in runs for session in run["sessions"]),
        **summary(rows, epochs),
        "epochs": epochs,
        "not_finished": [case.name for case in CASES if case not in found],
        "comparison": rows,
        "epochs_of_each_case": {
            case.name: [
                {name: row[name] for name in ("epoch", *MEASURES, "many", "medium", "few")} for row in rows
            ]
            for case, rows in found.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--report", action="store_true", help="train nothing")
    parser.add_argument("--results", type=Path, default=RESULTS / "convergence.json")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")

    for case in CASES:
        if options.report or options.only not in case.name:
            continue
        if finished(case, options.output, options.epochs) is None:
            run(case, options.output, options.epochs)
        write(record(options.output, options.epochs), options.results)
    write(record(options.output, options.epochs), options.results)


if __name__ == "__main__":
    main()
