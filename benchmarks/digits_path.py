"""How a trained network's class means approach the regular simplex, by epoch, on training and test images.

    python benchmarks/digits_path.py            five seeds into results/digits-lt-path/ (ten minutes on one core)
    python benchmarks/digits_path.py --seeds 2 --output two-seeds

Long-tailed digits, the two-branch network and its recipe, in three settings: as the recipe has it; with the
whole training set as every batch, so that no class is ever missing, and as many steps; and four times as
long. One line a run with lists over the epochs that were kept: the deviation from the simplex (root mean
square over pairs of class means) of the embeddings, where a loss trains them, and of the centred features,
both on training and on test images without augmentation, and accuracies in percent. Started again it goes on
where it stopped.
"""

import argparse
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from bcl_edu.augment import Normalisation, channel_statistics
from bcl_edu.recipe import recipe_as_dict
from bcl_edu.training import RECIPES, EpochReport, Recipe, RunOptions, train
from bcl_edu.training.checkpoint import write_atomically
from bcl_edu.training.data import prepare_data
from bcl_edu.training.evaluation import Evaluation, evaluate_method
from bcl_edu.training.record import git_revision, hardware, versions

_, RECIPE = RECIPES["digits-lt"]
DATA = prepare_data(RECIPE, RunOptions())
STEPS_AN_EPOCH = -(-len(DATA.train) // RECIPE.batch_size)
SETTINGS: dict[str, dict[str, int]] = {
    "recipe": {},
    "whole batches": {"batch_size": len(DATA.train), "epochs": STEPS_AN_EPOCH * RECIPE.epochs},
    "four times as long": {"epochs": 4 * RECIPE.epochs},
}
"""What each setting changes in the recipe."""
LOSSES = {
    "recipe": ("lc", "scl", "scl-averaging", "scl-complement", "bcl", "bcl-class-anchors"),
    "whole batches": ("scl", "bcl"),
    "four times as long": ("scl", "bcl"),
}


def path_of(recipe: Recipe) -> dict[str, list[float]]:
    """Train, and measure as often as the recipe's own run has epochs."""
    normalisation = Normalisation(*channel_statistics(DATA.train.images))
    every = recipe.epochs // RECIPE.epochs
    path: dict[str, list[float]] = {}

    def measure(report: EpochReport) -> None:
        epoch = report.metrics["epoch"]
        if epoch % every:
            return
        seen = evaluate_method(
            report.method, DATA.train, DATA.class_counts, normalisation, device=torch.device("cpu")
        )
        row = {"epoch": epoch, **numbers("train", seen), **numbers("test", report.evaluation)}
        for name, value in row.items():
            path.setdefault(name, []).append(value)

    with TemporaryDirectory() as folder:
        options = RunOptions(output=Path(folder) / "run", workers=0, tensorboard=False, progress=False)
        train(recipe, options, measure)
    return path


def numbers(images: str, seen: Evaluation) -> dict[str, float]:
    """What is kept of one evaluation."""
    assert seen.feature_simplex_deviation is not None, "the digits have images of every class"
    kept = {f"{images}_top1": seen.accuracy.top1, f"{images}_features": seen.feature_simplex_deviation}
    if seen.space == "embeddings":
        assert seen.simplex_deviation is not None
        kept[f"{images}_embeddings"] = seen.simplex_deviation
    return {name: round(value, 4) for name, value in kept.items()}


def main() -> None:
    """Train what is missing, and write after each run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, from 0")
    parser.add_argument("--output", type=Path, default=Path("results/digits-lt-path"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.output.mkdir(parents=True, exist_ok=True)

    facts = {
        "recipe": {k: v for k, v in recipe_as_dict(RECIPE).items() if k not in ("loss", "seed")},
        "settings": SETTINGS,
        "data": DATA.facts,
        "versions": versions(),
        "hardware": hardware(torch.device("cpu")),
    }
    facts_path, runs_path = arguments.output / "facts.json", arguments.output / "runs.jsonl"
    if facts_path.exists():
        stored = json.loads(facts_path.read_text())
        if {name: stored[name] for name in facts} != facts:
            raise SystemExit(
                f"{facts_path} is of other runs (recipe, data or versions); choose another --output"
            )
    else:
        facts["git_revision"] = git_revision()
        write_atomically(facts_path, (json.dumps(facts, indent=2) + "\n").encode())
    rows = [json.loads(line) for line in runs_path.read_text().splitlines()] if runs_path.exists() else []
    done = {(row["setting"], row["loss"], row["seed"]) for row in rows}

    for setting, losses in LOSSES.items():
        for seed in range(arguments.seeds):
            for loss in losses:
                if (setting, loss, seed) in done:
                    continue
                began = time.process_time()
                row: dict[str, Any] = {"setting": setting, "loss": loss, "seed": seed}
                row |= path_of(RECIPE.change(method=loss, seed=seed, **SETTINGS[setting]))
                row["processor_seconds"] = round(time.process_time() - began, 1)
                rows.append(row)
                write_atomically(runs_path, "".join(json.dumps(one) + "\n" for one in rows).encode())
                last = {name: value[-1] for name, value in row.items() if isinstance(value, list)}
                print(setting, loss, seed, last, row["processor_seconds"], flush=True)


if __name__ == "__main__":
    main()
