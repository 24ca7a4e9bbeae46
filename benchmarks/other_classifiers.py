"""What a finished network would predict with other classifiers on the same features, for every value of their options.

    python benchmarks/other_classifiers.py results/RUN --data-dir DIR --output FILE.json

Accuracies on the test set, in percent: of the classifier as it was trained; with its weight rows divided by a power tau
of their length (Kang et al., ICLR 2020); with a multiple of the logarithm of the training prior subtracted from the
logits (post-hoc logit adjustment, Menon et al., ICLR 2021). All values are shown and none is chosen: whoever quotes the
best of them has chosen on the test set.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bcl_edu.after_training import Outputs, logits_as_trained, outputs_on, shifted_logits, tau_norm_logits
from bcl_edu.files import write_atomically
from bcl_edu.methods import Method
from bcl_edu.run_options import RunOptions
from bcl_edu.training.data import prepare_data
from bcl_edu.training.metrics import accuracy
from bcl_edu.training.record import git_revision, hardware, versions
from bcl_edu.training.weights import load_trained

VALUES = tuple(step / 4 for step in range(9))
"""Quarters from 0 to 2: few enough to read side by side."""


def classifiers(
    outputs: Outputs, method: Method, class_counts: torch.Tensor
) -> Mapping[tuple[str, float], torch.Tensor]:
    """Logits of the test images, each of shape (n, k), by classifier and value."""
    trained = logits_as_trained(outputs, method)
    found = {("as trained", 0.0): trained}
    for value in VALUES:
        found["tau-norm", value] = tau_norm_logits(outputs.features, method, value)
        found["prior-shift", value] = shifted_logits(trained, class_counts, value)
    return found


def main() -> None:
    """Look at the test images once, and write a row for each classifier."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of a run or of an export")
    parser.add_argument("--data-dir", type=Path, help="folder of the data set")
    parser.add_argument("--output", type=Path, required=True, help="file to write")
    arguments = parser.parse_args()

    trained = load_trained(arguments.run)
    data = prepare_data(trained.recipe, RunOptions(data_dir=arguments.data_dir))
    outputs = outputs_on(trained, data.test, torch.device("cpu"))
    rows: list[dict[str, Any]] = []
    for (name, value), logits in classifiers(outputs, trained.method, trained.class_counts).items():
        of_test = accuracy(logits.argmax(dim=1), outputs.labels, trained.class_counts)
        shots = {group: getattr(of_test, group) for group in ("top1", "many", "medium", "few")}
        rows.append({"classifier": name, "value": value, **shots})
        print(f"{name:12} {value:4.2f}  " + "  ".join(f"{group} {shot}" for group, shot in shots.items()))
    record = {
        "run": trained.recipe.name,
        "seed": trained.recipe.seed,
        "epochs": trained.epoch,
        "versions": versions(),
        "hardware": hardware(torch.device("cpu")),
        "git_revision": git_revision(),
        "rows": rows,
    }
    write_atomically(arguments.output, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
