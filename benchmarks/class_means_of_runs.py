"""Where finished networks have their class means, within and between the shot groups, on training and test images.

    python benchmarks/class_means_of_runs.py results/RUN results/RUN --data-dir DIR --output FILE.json

Looks at runs that kept their weights, in evaluation mode and without augmentation, and writes a row for each run, each
set of images (train, test) and each space (the backbone's features, centred; embeddings, where a loss trains them).
`deviation` is the simplex deviation (root mean square of <mu_i, mu_j> + 1/(K-1)), `cosines` the mean cosine of class
means over the pairs of two shot groups, in the order many, medium, few, and `spread` the mean over a group's classes of
1 - ||mean of the unit vectors||, 0 for a collapsed class.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from bcl_edu.augment import normalise
from bcl_edu.data import Images
from bcl_edu.data.long_tail import shot_groups
from bcl_edu.files import write_atomically
from bcl_edu.geometry import class_means, cosine_matrix, simplex_deviation, within_class_spread
from bcl_edu.run_options import RunOptions
from bcl_edu.training.batches import load_images
from bcl_edu.training.data import prepare_data
from bcl_edu.training.record import git_revision, hardware, versions
from bcl_edu.training.weights import TrainedModel, load_trained

CPU = torch.device("cpu")


@torch.no_grad()
def vectors_of(trained: TrainedModel, images: Images) -> dict[str, Float[Tensor, "n d"]]:
    """Vectors of the images by space: features less the mean of their class means, and embeddings."""
    trained.method.eval()
    features, embeddings = [], []
    mean, std = trained.normalisation.mean, trained.normalisation.std
    for _, pixels in load_images(images, torch.arange(len(images)), CPU):
        prediction = trained.method.predict(normalise(pixels, mean, std))
        features.append(prediction.features.double())
        if prediction.embeddings is not None:
            embeddings.append(prediction.embeddings.double())
    of_features = torch.cat(features)
    # after a ReLU all features share a large mean; what tells classes apart is left without it
    centre = class_means(of_features, images.labels, len(images.class_counts)).mean(dim=0)
    found = {"features": of_features - centre}
    if embeddings:
        found["embeddings"] = torch.cat(embeddings)
    return found


def mean_or_none(values: Float[Tensor, " n"]) -> float | None:
    """Mean to four decimals; None where there is nothing to average."""
    return round(values.mean().item(), 4) if len(values) else None


def group_cosines(
    cosines: Float[Tensor, "k k"], groups: list[Int[Tensor, " group"]]
) -> list[list[float | None]]:
    """Mean cosine over the pairs of different classes of two groups; None where there is no such pair."""
    different = ~torch.eye(len(cosines), dtype=torch.bool)
    return [
        [mean_or_none(cosines[first][:, second][different[first][:, second]]) for second in groups]
        for first in groups
    ]


def rows_of(run: Path, data_dir: Path | None) -> Iterator[dict[str, Any]]:
    """A row for each set of images and each space of one run."""
    trained = load_trained(run)
    data = prepare_data(trained.recipe, RunOptions(data_dir=data_dir))
    num_classes = len(trained.class_counts)
    groups = list(shot_groups(trained.class_counts).values())
    for name, images in {"train": data.train, "test": data.test}.items():
        for space, vectors in vectors_of(trained, images).items():
            means = class_means(vectors, images.labels, num_classes)
            spread = within_class_spread(functional.normalize(vectors, dim=1), images.labels, num_classes)
            yield {
                "run": run.name,
                "method": trained.recipe.method.name,
                "seed": trained.recipe.seed,
                "epochs": trained.epoch,
                "images": name,
                "space": space,
                "deviation": round(simplex_deviation(means).rms, 4),
                "cosines": group_cosines(cosine_matrix(means), groups),
                "spread": [mean_or_none(spread[group]) for group in groups],
            }


def main() -> None:
    """Look at every run once, and write the rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs or of exports")
    parser.add_argument("--data-dir", type=Path, help="folder of the data set")
    parser.add_argument("--output", type=Path, required=True, help="file to write")
    arguments = parser.parse_args()
    rows = []
    for run in arguments.runs:
        for row in rows_of(run, arguments.data_dir):
            rows.append(row)
            print({name: value for name, value in row.items() if name not in ("seed", "epochs")}, flush=True)
    record = {
        "versions": versions(),
        "hardware": hardware(CPU),
        "git_revision": git_revision(),
        "rows": rows,
    }
    write_atomically(arguments.output, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
