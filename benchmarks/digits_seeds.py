"""Many seeds of the long-tailed digits, so that a notebook can tell a difference from luck.

    python benchmarks/digits_seeds.py              ten seeds of four losses into results/digits-lt-seeds/
    python benchmarks/digits_seeds.py --losses lc scl bcl --output results/digits-lt-ablation      other losses
    python benchmarks/digits_seeds.py --losses bcl-prototypes --output results/digits-lt-ablation --keep-others
    python benchmarks/digits_seeds.py --seeds 2 --output two-seeds

The first takes four minutes. With --keep-others one loss is run again and the runs of the others stay; facts.json says
which revision made which.

One line a run: accuracies of the last epoch in percent, how far the class means of the test images are from the
regular simplex, and the mean cosine within the five largest and within the five smallest classes. Where a loss
trains no embeddings ("ce", "lc"), the geometry is that of the features, and `space` says so.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from bcl_edu.course.widgets import NotebookRun, train_quietly
from bcl_edu.geometry import cosine_matrix
from bcl_edu.recipe import recipe_as_dict
from bcl_edu.rows import METHODS
from bcl_edu.training import RECIPES
from bcl_edu.training.checkpoint import write_atomically
from bcl_edu.training.record import git_revision, hardware, versions

LOSSES = ("ce", "lc", "scl", "bcl")


def row(run: NotebookRun) -> dict[str, Any]:
    """What is kept of a run."""
    metrics, evaluation = run.last.metrics, run.last.evaluation
    cosines = cosine_matrix(run.means_by_epoch[-1])
    half = len(cosines) // 2
    kept = {name: metrics[name] for name in ("top1", "many", "medium", "few", "simplex_deviation")}
    return {
        "loss": run.recipe.method.name,
        "seed": run.recipe.seed,
        **kept,
        "space": evaluation.space,
        "head_cosine": mean_cosine(cosines[:half, :half]),
        "tail_cosine": mean_cosine(cosines[half:, half:]),
        "seconds": sum(report.metrics["seconds"] for report in run.reports),
    }


def mean_cosine(block: torch.Tensor) -> float:
    """Mean over the pairs of different classes."""
    classes = len(block)
    return float((block.sum() - block.trace()) / (classes * (classes - 1)))


def beside_the_others(
    folder: Path, rows: list[dict[str, Any]], facts: dict[str, Any]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """New runs in the place of the old ones of the same losses; the others, and what made them, stay.

    The facts of the new runs stand under "later", by loss; their recipe only where it differs.
    """
    new_losses = {one["loss"] for one in rows}
    old_rows = [json.loads(line) for line in (folder / "runs.jsonl").read_text().splitlines()]
    old_facts = json.loads((folder / "facts.json").read_text())
    of_new = {name: value for name, value in facts.items() if value != old_facts.get(name)}
    together = [one for one in old_rows if one["loss"] not in new_losses] + rows
    later = old_facts.get("later", {}) | dict.fromkeys(sorted(new_losses), of_new)
    return sorted(together, key=lambda one: one["seed"]), {**old_facts, "later": later}


def main() -> None:
    """Train, and write what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--losses", nargs="+", choices=METHODS, default=LOSSES)
    parser.add_argument("--output", type=Path, default=Path("results/digits-lt-seeds"))
    parser.add_argument("--keep-others", action="store_true", help="replace only the runs of --losses")
    arguments = parser.parse_args()
    _, recipe = RECIPES["digits-lt"]
    rows = []
    for seed in range(arguments.seeds):
        for loss in arguments.losses:
            rows.append(row(train_quietly(recipe.change(method=loss, seed=seed))))
            print(json.dumps(rows[-1]), flush=True)
    facts: dict[str, Any] = {
        "recipe": {k: v for k, v in recipe_as_dict(recipe).items() if k not in ("loss", "seed")},
        "git_revision": git_revision(),
        "versions": versions(),
        "hardware": hardware(torch.device("cpu")),
    }
    if arguments.keep_others:
        rows, facts = beside_the_others(arguments.output, rows, facts)
    arguments.output.mkdir(parents=True, exist_ok=True)
    write_atomically(arguments.output / "facts.json", (json.dumps(facts, indent=2) + "\n").encode())
    lines = "".join(json.dumps(one) + "\n" for one in rows)
    write_atomically(arguments.output / "runs.jsonl", lines.encode())


if __name__ == "__main__":
    main()
