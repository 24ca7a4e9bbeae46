"""Evaluate a run on its test set; needs nothing but its weights and the data.

python -m bcl_edu.evaluate runs/digits-lt-bcl-seed0
python -m bcl_edu.evaluate checkpoint.pt --data-dir DIR --per-class
python -m bcl_edu.evaluate results/digits-lt/bcl                 # what python -m bcl_edu.export has kept
python -m bcl_edu.evaluate runs/imagenet-lt-ce-seed0 --tau-norm choose --knn 20
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro

from bcl_edu import terminal
from bcl_edu.data import PHOTOGRAPH_SETS, Images, default_data_dir, open_dataset
from bcl_edu.data.cache import default_cache_dir
from bcl_edu.data.photographs import find_list
from bcl_edu.files import in_words
from bcl_edu.option_values import PLAIN_VALUES
from bcl_edu.recipe import Recipe
from bcl_edu.run_options import Device, RunOptions, own_lists, require_workers
from bcl_edu.training.after_training import Asked, figures_after_training
from bcl_edu.training.checkpoint import CheckpointError
from bcl_edu.training.data import TrainingData, prepare_data
from bcl_edu.training.device import choose_device
from bcl_edu.training.display import figure
from bcl_edu.training.evaluation import evaluate_method
from bcl_edu.training.pretrained import load_trained

DESCRIPTION = "Evaluate a run on its test set; needs nothing but its weights and the data."


@dataclass(frozen=True)
class Command:
    """What to evaluate, and where its data lie."""

    run: tyro.conf.Positional[Path]
    """A run's folder, a folder that was exported, or a checkpoint file, also one made on another machine."""
    data_dir: Path | None = None
    """Folder of the data set; by default data/<data set>."""
    train_list: Path | None = None
    """Your own list of training images, where the run had one: it names the classes."""
    test_list: Path | None = None
    """Your own list of test images."""
    val_list: Path | None = None
    """Your own list of validation images, where the run had one."""
    device: Device = "auto"
    """Where to compute; auto takes the GPU if there is one."""
    workers: int = 2
    """Processes that decode image files."""
    tau_norm: str | None = None
    """Divide the weight rows of a linear classifier by this power of their length, without the bias (Kang et al.
    2020); 'choose' takes the best of 0 to 2 on held-out images: ImageNet-LT's validation list, or the
    validation split of the run."""
    prior_shift: str | None = None
    """Subtract this multiple of the logarithm of the training prior from the logits: 1 is PC softmax, for a
    network trained by cross-entropy; or 'choose', as above (post-hoc logit adjustment, Menon et al. 2021)."""
    target_imbalance: float | None = None
    """With --prior-shift: test classes have frequencies that fall by this factor from the most frequent
    training class to the rarest (below 1 they rise), known to the network; top-1 is weighted by them."""
    knn: int | None = None
    """Classify features by the votes of so many nearest training images, besides."""
    linear_probe: str | None = None
    """Classify features by a new linear classifier with this weight decay, besides; or 'choose', as above."""
    per_class: bool = False
    """Print the accuracy of every class, head to tail."""
    json: bool = False
    """Print everything as JSON, for another program."""


def evaluate_checkpoint(
    path: Path,
    data_dir: Path | None = None,
    device: Device = "auto",
    *,
    lists: Mapping[str, Path] | None = None,
    workers: int = 2,
    asked: Asked | None = None,
) -> dict[str, Any]:
    """Accuracy and geometry of a stored model on the test set of its recipe.

    Args:
        path: a checkpoint file, a run's folder or an exported one.
        data_dir: folder of the data set; by default data/<data set>.
        device: auto, cpu or cuda.
        lists: for image files, lists of one's own under "train" and "test".
        workers: processes that decode image files.
        asked: other logits and classifiers, whose accuracies come besides.

    Returns:
        The recipe's and the method's name, epochs trained, accuracies in percent, simplex deviation, a class's
        name, training images and accuracy each under "per_class", and a row for each option of `asked` under
        "after_training".

    Raises:
        CheckpointError: the file is missing, damaged or not ours.
        ValueError: the data are missing, their class counts are not those of the run, or workers is below 0.
    """
    require_workers(workers)
    trained = load_trained(path)
    recipe, counts, method = trained.recipe, trained.class_counts, trained.method
    dataset = open_dataset(recipe.dataset, data_dir, image_size=recipe.image_size, lists=lists)
    if dataset.num_classes != len(counts):
        raise ValueError(
            f"{recipe.dataset} has {dataset.num_classes} classes here, but the run had {len(counts)}"
        )
    where = choose_device(device)
    method.to(where).to(memory_format=torch.channels_last)
    evaluation = evaluate_method(
        method,
        dataset.test,
        counts,
        trained.normalisation,
        device=where,
        precision=recipe.precision,
        workers=workers,
    )
    rows: list[dict[str, Any]] = []
    if asked is not None and asked.anything:
        own = lists or {}
        run = RunOptions(
            data_dir=data_dir,
            train_list=own.get("train"),
            test_list=own.get("test"),
            val_list=own.get("validation"),
        )
        data = prepare_data(recipe, run)
        if data.class_counts.tolist() != counts.tolist():
            raise ValueError(
                f"{recipe.dataset} has {int(data.class_counts.sum()):,} training images here, but the run had "
                f"{int(counts.sum()):,}"
            )
        rows = figures_after_training(
            trained, data, asked, lambda: _held_out(recipe, data, run), device=where, workers=workers
        )
    names = zip(dataset.class_names, counts.tolist(), evaluation.accuracy.per_class, strict=True)
    return {
        "recipe": recipe.name,
        "method": recipe.method.name,
        "epochs_trained": trained.epoch,
        "test_images": len(dataset.test),
        **evaluation.summary(),
        "per_class": [{"class": name, "training_images": n, "accuracy": a} for name, n, a in names],
        "after_training": rows,
    }


def _held_out(recipe: Recipe, data: TrainingData, run: RunOptions) -> tuple[Images, str]:
    """Images to choose values on, and where they come from.

    Raises:
        ValueError: there are none.
    """
    if data.validation is not None:
        return data.validation, f"{len(data.validation):,} images held out of the training"
    photographs = PHOTOGRAPH_SETS.get(recipe.dataset)
    if photographs is None or "validation" not in photographs.splits:
        raise ValueError(
            f"this run was trained on every image of {recipe.dataset}'s training set, so that nothing is left to "
            "choose a value on; name the value, or train with --val-fraction 0.1"
        )
    folder = default_data_dir(recipe.dataset) if run.data_dir is None else run.data_dir
    validation = find_list(photographs, "validation", folder, default_cache_dir())
    lists = run.lists | {"test": validation}
    images = open_dataset(recipe.dataset, folder, image_size=recipe.image_size, lists=lists).test
    return images, f"the {len(images):,} images of {validation.name}"


def report(result: dict[str, Any], *, per_class: bool) -> str:
    """The evaluation as text."""
    lines = [
        f"{result['recipe']}, method {result['method']}, after {result['epochs_trained']} epochs, "
        f"on {result['test_images']:,} test images",
        f"top-1 {result['top1']:.2f} %   many {figure(result['many'], '.2f')}   "
        f"medium {figure(result['medium'], '.2f')}   few {figure(result['few'], '.2f')}",
        f"simplex deviation of the class means ({result['simplex_space']}): "
        f"{figure(result['simplex_deviation'], '.4f')}",
    ]
    lines += [_in_words(row) for row in result["after_training"]]
    if per_class:
        width = max(len(row["class"]) for row in result["per_class"])
        lines.append(f"{'class':<{width}}  training images  top-1 %")
        lines += [
            f"{row['class']:<{width}}  {row['training_images']:>15,}  {figure(row['accuracy']):>7}"
            for row in result["per_class"]
        ]
    return "\n".join(lines)


def _in_words(row: Mapping[str, Any]) -> str:
    """An option's figures in one line."""
    chosen = ""
    if "chosen_on" in row:
        chosen = f", chosen on {row['chosen_on']} ({row['held_out_accuracy']:.2f} % of a class there)"
    where = f", target imbalance {row['target_imbalance']:g}" if "target_imbalance" in row else ""
    shots = "   ".join(f"{name} {figure(row[name], '.2f')}" for name in ("many", "medium", "few"))
    return f"{row['option']} {row['value']:g}{where}: top-1 {row['top1']:.2f} %   {shots}{chosen}"


@terminal.command
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a problem the user can mend is one message on stderr and exit status 1."""
    with PLAIN_VALUES:
        command = tyro.cli(
            Command,
            prog="python -m bcl_edu.evaluate",
            description=terminal.description(DESCRIPTION),
            args=arguments,
        )
    try:
        lists = own_lists(command.train_list, command.test_list, command.val_list)
        result = evaluate_checkpoint(
            command.run,
            command.data_dir,
            command.device,
            lists=lists,
            workers=command.workers,
            asked=Asked(
                tau_norm=command.tau_norm,
                prior_shift=command.prior_shift,
                target_imbalance=command.target_imbalance,
                knn=command.knn,
                linear_probe=command.linear_probe,
            ),
        )
    except (ValueError, OSError, CheckpointError) as error:
        sys.exit(f"bcl_edu.evaluate: {in_words(error)}")
    print(json.dumps(result, indent=2) if command.json else report(result, per_class=command.per_class))


if __name__ == "__main__":
    main()
