"""Ten seeds of every method on the long-tailed digits under the common protocol: methods compared as methods.

    python benchmarks/digits_methods.py                              every method into results/digits-lt-methods/
    python benchmarks/digits_methods.py --methods crt lws            these alone; the runs of others that are there stay
    python benchmarks/digits_methods.py --seeds 1 --epochs 3 --output /tmp/short
    python benchmarks/digits_methods.py --table                      the runs that are there, as a Markdown table

A run that is in the folder already is not made again, so that an interrupted series goes on. The ablations of Tables 1
and 2 are left out by default: results/digits-lt-ablation has them.

One line a run: accuracies of the last epoch in percent, by shot group and of each class too; how far the class means of
the test images are from the regular simplex, of the features in every method and of the embeddings where it has them;
epochs and processor seconds of all its stages. With --epochs, later stages are shortened alike.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from bcl_edu.files import write_atomically
from bcl_edu.recipe import Recipe, recipe_as_dict
from bcl_edu.rows import METHODS
from bcl_edu.run_options import RunOptions
from bcl_edu.training import RECIPES, train
from bcl_edu.training.record import git_revision, hardware, versions

ABLATIONS = ("scl-complement", "scl-averaging", "bcl-inside", "bcl-prototypes", "bcl-class-anchors")
LATER_STAGES = (
    "second_epochs",
    "router_epochs",
    "feature_epochs",
    "classifier_epochs",
    "linear_epochs",
    "target_epochs",
)
"""Options that say how long a later stage is."""


def recipe_of(method: str, seed: int, epochs: int | None) -> Recipe:
    """The long-tailed digits with a method under the common protocol."""
    recipe = RECIPES["digits-lt"][1].change(method=method, protocol="common", seed=seed)
    if epochs is None:
        return recipe
    share = epochs / recipe.epochs
    values: dict[str, Any] = {
        name: max(1, round(share * getattr(recipe.method, name)))
        for name in LATER_STAGES
        if hasattr(recipe.method, name)
    }
    if hasattr(recipe.method, "linear_milestones"):
        milestones = recipe.method.linear_milestones
        values["linear_milestones"] = tuple(sorted({round(share * milestone) for milestone in milestones}))
    return recipe.change(epochs=epochs, **values)


def row(recipe: Recipe) -> dict[str, Any]:
    """Train, and what is kept of the run."""
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        options = RunOptions(
            output=Path(folder),
            device="cpu",
            workers=0,
            tensorboard=False,
            progress=False,
            evaluate_every=1000,
        )
        result = train(recipe, options)
    last, evaluation = result.metrics[-1], result.evaluation
    kept = {name: last[name] for name in ("top1", "many", "medium", "few")}
    return {
        "method": recipe.method.name,
        "seed": recipe.seed,
        **kept,
        "per_class": list(evaluation.accuracy.per_class),
        "feature_simplex_deviation": evaluation.feature_simplex_deviation,
        "embedding_simplex_deviation": evaluation.simplex_deviation
        if evaluation.space == "embeddings"
        else None,
        "epochs": len(result.metrics),
        "processor_seconds": round(time.process_time() - began, 2),
    }


def read(path: Path) -> list[dict[str, Any]]:
    """The runs that are there."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: one line a method, means over seeds, of the accuracy with its standard deviation."""
    columns = ["method", "seeds", "all", "many", "medium", "few"]
    columns += ["deviation, features", "deviation, embeddings", "epochs", "seconds"]
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for method in dict.fromkeys(one["method"] for one in rows):
        runs = [one for one in rows if one["method"] == method]

        def mean(name: str, form: str, runs: list[Mapping[str, Any]] = runs) -> str:
            values = [run[name] for run in runs]
            return "-" if None in values else format(statistics.mean(values), form)

        top1 = mean("top1", ".1f")
        if len(runs) > 1:
            top1 += f" ± {statistics.stdev(run['top1'] for run in runs):.1f}"
        groups = [mean(name, ".1f") for name in ("many", "medium", "few")]
        deviations = [mean(f"{space}_simplex_deviation", ".3f") for space in ("feature", "embedding")]
        ending = [mean("epochs", ".0f"), mean("processor_seconds", ".1f")]
        lines.append(f"| {' | '.join([method, str(len(runs)), top1, *groups, *deviations, *ending])} |")
    return "\n".join(lines)


def main() -> None:
    """Train what is not there yet, seed by seed, and write after every run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    by_default = [name for name in METHODS if name not in ABLATIONS]
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=by_default)
    parser.add_argument("--epochs", type=int, help="of the main stage, by default those of the recipe")
    parser.add_argument("--output", type=Path, default=Path("results/digits-lt-methods"))
    parser.add_argument("--table", action="store_true", help="print the runs that are there, and train none")
    arguments = parser.parse_args()
    runs = arguments.output / "runs.jsonl"
    rows = read(runs)
    if arguments.table:
        print(table(rows))
        return
    there = {(one["method"], one["seed"]) for one in rows}
    arguments.output.mkdir(parents=True, exist_ok=True)
    options = {
        name: recipe_as_dict(recipe_of(name, 0, arguments.epochs))["method"] for name in arguments.methods
    }
    shared = recipe_as_dict(recipe_of("bcl", 0, arguments.epochs))
    facts: dict[str, Any] = {
        "recipe": {name: value for name, value in shared.items() if name not in ("method", "seed")},
        "methods": options,
        "git_revision": git_revision(),
        "versions": versions(),
        "hardware": hardware(torch.device("cpu")),
    }
    write_atomically(arguments.output / "facts.json", (json.dumps(facts, indent=2) + "\n").encode())
    for seed in range(arguments.seeds):
        for method in arguments.methods:
            if (method, seed) in there:
                continue
            rows.append(row(recipe_of(method, seed, arguments.epochs)))
            print(json.dumps(rows[-1]), flush=True)
            write_atomically(runs, "".join(json.dumps(one) + "\n" for one in rows).encode())


if __name__ == "__main__":
    main()
