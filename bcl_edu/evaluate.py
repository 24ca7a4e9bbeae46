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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import tyro

from bcl_edu import terminal
from bcl_edu.after_training import Asked, figures_after_training
from bcl_edu.counting import counted
from bcl_edu.data import (
    PHOTOGRAPH_SETS,
    Images,
    LabelledImages,
    default_data_dir,
    in_recorded_classes,
    open_dataset,
    open_test_images,
    read_mapping,
)
from bcl_edu.data.cache import default_cache_dir
from bcl_edu.data.photographs import find_list
from bcl_edu.escape import for_terminal
from bcl_edu.files import explain_error
from bcl_edu.option_values import parse_options
from bcl_edu.plugins import load_plugins
from bcl_edu.recipe import Recipe
from bcl_edu.run_options import Device, RunOptions, own_lists, require_workers
from bcl_edu.training.checkpoint import CheckpointError
from bcl_edu.training.data import TrainingData, prepare_data
from bcl_edu.training.device import choose_device
from bcl_edu.training.display import format_number
from bcl_edu.training.evaluation import evaluate_method
from bcl_edu.training.weights import TrainedModel, load_trained
from bcl_edu.training.workers import named_worker_errors

DESCRIPTION = "Evaluate a run on its test set; needs nothing but its weights and the data."


@dataclass(frozen=True)
class Command:
    """Options of the command: a trained model, the data, and the evaluations to add."""

    run: tyro.conf.Positional[Path]
    """A run's folder, a folder that was exported, or a checkpoint file, also one made on another machine."""
    data_dir: Path | None = None
    """Folder of the data set; by default data/<data set>."""
    train_list: Path | None = None
    """Your own list of training images, where the run had one and the options below look at them."""
    test_list: Path | None = None
    """Your own list of test images."""
    val_list: Path | None = None
    """Your own list of validation images, where the run had one."""
    class_map: Path | None = None
    """File of `name here,name in the run` lines, for images whose classes have other names than the run's or are some
    of them. Without it other names are refused."""
    device: Device = "auto"
    """Device to compute on; auto takes the GPU if there is one."""
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
    """Also classify features by the votes of this many nearest training images."""
    linear_probe: str | None = None
    """Also classify features by a new linear classifier with this weight decay; or 'choose', as above."""
    plugin: tyro.conf.UseAppendAction[tuple[Path, ...]] = ()
    """A file of your own that registers the run's backbone, loss or method, if they are yours; may be repeated."""
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
    class_map: Path | None = None,
    asked: Asked | None = None,
) -> dict[str, Any]:
    """Accuracy and geometry of a stored model on the test set of its recipe.

    Args:
        path: a checkpoint file, a run's folder or an exported one.
        data_dir: folder of the data set; by default data/<data set>.
        device: auto, cpu or cuda.
        lists: for image files, the user's own lists under "train" and "test".
        workers: processes that decode image files.
        class_map: a file that says which class of the run each class of the images is; see
            `bcl_edu.data.read_mapping`.
        asked: other logits and classifiers, whose accuracies come besides.

    Returns:
        The recipe's and the method's name, epochs trained and planned, accuracies in percent, simplex deviation, a
        class's name, training images and accuracy each under "per_class", and a row for each option of `asked`
        under "after_training".

    Raises:
        CheckpointError: the file is missing, damaged or not ours.
        ClassNamesDiffer: the images have other classes than the run was trained on, and no mapping was given.
        ValueError: the data are missing, their class counts are not those of the run, or workers is below 0.
    """
    require_workers(workers)
    trained = load_trained(path)
    _refuse_unused(trained.recipe, lists or {}, asked)
    recipe, counts, method = trained.recipe, trained.class_counts, trained.method
    images = _test_images(trained, data_dir, lists or {}, class_map)
    where = choose_device(device)
    method.to(where).to(memory_format=torch.channels_last)
    evaluation = evaluate_method(
        method,
        images,
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
                f"{recipe.dataset} has {counted(int(data.class_counts.sum()), 'training image')} here, but the run had "
                f"{int(counts.sum()):,}"
            )
        data = replace(data, test=images)
        rows = figures_after_training(
            trained, data, asked, lambda: _held_out(recipe, data, run), device=where, workers=workers
        )
    tested = images.class_counts
    columns = (images.class_names, counts.tolist(), tested.tolist(), evaluation.accuracy.per_class)
    return {
        "recipe": recipe.name,
        "method": recipe.method.name,
        "epochs_trained": trained.epoch,
        "epochs_planned": trained.epochs_planned,
        "test_images": len(images),
        "test_is_balanced": bool((tested == tested[0]).all()),
        **evaluation.summary(),
        "per_class": [
            {"class": name, "training_images": trained_on, "test_images": tested_on, "accuracy": accuracy}
            for name, trained_on, tested_on, accuracy in zip(*columns, strict=True)
        ],
        "after_training": rows,
    }


def _refuse_unused(recipe: Recipe, lists: Mapping[str, Path], asked: Asked | None) -> None:
    """Refuse lists that nothing looks at: the test images alone are evaluated unless `asked` wants more.

    Raises:
        ValueError: with the list and what would look at it.
    """
    if asked is not None and asked.anything:
        return
    for split in ("validation", *(("train",) if recipe.dataset == "lists" else ())):
        if split in lists:
            raise ValueError(
                f"a {split} list is named, {lists[split]}, but only test images are evaluated; leave it out, or add "
                "--knn, --linear-probe, --tau-norm or --prior-shift"
            )


def _test_images(
    trained: TrainedModel, data_dir: Path | None, lists: Mapping[str, Path], class_map: Path | None
) -> Images:
    """The test images with the labels that the run's classes have.

    Raises:
        ClassNamesDiffer, ValueError: as `evaluate_checkpoint`.
    """
    recipe, classes = trained.recipe, len(trained.class_counts)
    recorded = trained.class_names or tuple(map(str, range(classes)))
    images = open_test_images(
        recipe.dataset, data_dir, recorded, recipe.image_size, lists, upright=recipe.upright
    )
    mapping = None if class_map is None else read_mapping(class_map)
    if trained.class_names is not None:
        images = in_recorded_classes(images, trained.class_names, mapping)
    elif mapping is not None:
        raise ValueError("the run's record is of an earlier version and has no class names to map to")
    elif images.num_classes != classes:
        raise ValueError(
            f"{recipe.dataset} has {counted(images.num_classes, 'class')} here, but the run had {classes}"
        )
    channels, wanted = images.image_shape[0], trained.image_shape[0]
    if isinstance(images, LabelledImages) and channels != wanted:
        if channels > wanted:
            raise ValueError(
                "the run was trained on grey images, but these have colour; convert them to grey first"
            )
        images = LabelledImages(images.images.repeat(1, 3, 1, 1), images.labels, images.class_names)
    return images


def _held_out(recipe: Recipe, data: TrainingData, run: RunOptions) -> tuple[Images, str]:
    """Images to choose values on, and where they come from.

    Raises:
        ValueError: there are none.
    """
    if data.validation is not None:
        return data.validation, f"{counted(len(data.validation), 'image')} held out of the training"
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
    return images, f"the {counted(len(images), 'image')} of {validation.name}"


def report(result: dict[str, Any], *, per_class: bool) -> str:
    """The evaluation as text."""
    done, planned = result["epochs_trained"], result["epochs_planned"]
    epochs = counted(done, "epoch") if done == planned else f"{done} of {counted(planned, 'epoch')}"
    lines = [
        f"{result['recipe']}, method {result['method']}, after {epochs}, "
        f"on {counted(result['test_images'], 'test image')}"
        + (", " if result["test_is_balanced"] else ", not ")
        + "the same number of each class",
        f"top-1 {result['top1']:.2f} %   many {format_number(result['many'], '.2f')}   "
        f"medium {format_number(result['medium'], '.2f')}   few {format_number(result['few'], '.2f')}",
        f"mean over classes {result['class_average']:.2f} %   calibration error (ECE, 15 bins) "
        f"{result['calibration_error']:.2f} %",
        f"simplex deviation of the class means ({result['simplex_space']}): "
        f"{format_number(result['simplex_deviation'], '.4f')}",
    ]
    lines += [_option_line(row) for row in result["after_training"]]
    if per_class:
        names = [for_terminal(row["class"]) for row in result["per_class"]]
        width = max(map(len, ["class", *names]))
        lines.append(f"{'class':<{width}}  training images  test images  top-1 %")
        lines += [
            f"{name:<{width}}  {row['training_images']:>15,}  {row['test_images']:>11,}  "
            f"{format_number(row['accuracy']):>7}"
            for name, row in zip(names, result["per_class"], strict=True)
        ]
    return "\n".join(lines)


def _option_line(row: Mapping[str, Any]) -> str:
    """An option's figures in one line."""
    chosen = ""
    if "chosen_on" in row:
        chosen = f", chosen on {row['chosen_on']} ({row['held_out_accuracy']:.2f} % of a class there)"
    where = f", target imbalance {row['target_imbalance']:g}" if "target_imbalance" in row else ""
    shots = "   ".join(f"{name} {format_number(row[name], '.2f')}" for name in ("many", "medium", "few"))
    classes = f"   mean over classes {row['class_average']:.2f} %"
    return f"{row['option']} {row['value']:g}{where}: top-1 {row['top1']:.2f} %   {shots}{classes}{chosen}"


@terminal.command
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a problem the user can mend is one message on stderr and exit status 1."""
    command: Command = parse_options(Command, "python -m bcl_edu.evaluate", DESCRIPTION, arguments)
    try:
        load_plugins(command.plugin)
        lists = own_lists(command.train_list, command.test_list, command.val_list, data_dir=command.data_dir)
        with named_worker_errors():
            result = evaluate_checkpoint(
                command.run,
                command.data_dir,
                command.device,
                lists=lists,
                workers=command.workers,
                class_map=command.class_map,
                asked=Asked(
                    tau_norm=command.tau_norm,
                    prior_shift=command.prior_shift,
                    target_imbalance=command.target_imbalance,
                    knn=command.knn,
                    linear_probe=command.linear_probe,
                ),
            )
    except (ValueError, OSError, CheckpointError) as error:
        sys.exit(f"bcl_edu.evaluate: {explain_error(error)}")
    print(json.dumps(result, indent=2) if command.json else report(result, per_class=command.per_class))


if __name__ == "__main__":
    main()
