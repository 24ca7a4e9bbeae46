"""From a recipe to the long-tailed training set and the balanced test set, with the facts that identify them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from bcl_edu.augment import Normalisation, channel_statistics
from bcl_edu.data import (
    ImageFiles,
    Images,
    exponential_profile,
    long_tailed_subset,
    open_dataset,
    pareto_profile,
    step_profile,
)
from bcl_edu.recipe import Recipe
from bcl_edu.run_options import RunOptions

_PROFILES = {"exponential": exponential_profile, "step": step_profile, "pareto": pareto_profile}


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from and is tested on."""

    train: Images
    test: Images
    held_out: Images | None
    """Images of the long tail that are not trained on; None if the recipe holds out none."""
    facts: dict[str, Any]
    """For the run record: sizes, class counts, SHA-256 of the subset and of the images (of files: of their
    list)."""
    set_aside: Images | None = None
    """Images that the method sets aside, the same number of each class; none of them is in `train`."""

    @property
    def class_counts(self) -> Int[Tensor, " k"]:
        """Training images of each class."""
        return self.train.class_counts

    @property
    def normalisation(self) -> Normalisation:
        """Channel statistics of the training images; of image files those that were published."""
        if isinstance(self.train, ImageFiles):
            return Normalisation(self.train.mean, self.train.std)
        return Normalisation(*channel_statistics(self.train.images))


def target_counts(recipe: Recipe, available: Int[Tensor, " k"]) -> Int[Tensor, " k"]:
    """How many training images each class keeps.

    Raises:
        ValueError: the recipe's imbalance factor or head count is out of range.
    """
    if recipe.profile == "as-found":
        return available
    head = int(available.min()) if recipe.head_count is None else recipe.head_count
    return _PROFILES[recipe.profile](head, len(available), recipe.imbalance_factor)


def hold_out(
    indices: Int[Tensor, " n"], labels: Int[Tensor, " n"], share: float
) -> tuple[Int[Tensor, " m"], Int[Tensor, " r"]]:
    """Cut a share of every class off a training set: what is trained on, and what is held out.

    A class gives its last images, one at least; a class with a single image gives none.

    Args:
        indices: of the training set, shape (n,).
        labels: their classes, shape (n,).
        share: of a class's images, from 0 to below 1.
    """
    kept, held = [], []
    for label in labels.unique().tolist():
        members = indices[labels == label]
        number = 0 if len(members) == 1 else min(len(members) - 1, max(1, round(share * len(members))))
        kept.append(members[: len(members) - number])
        held.append(members[len(members) - number :])
    return torch.cat(kept), torch.cat(held)


def prepare_data(recipe: Recipe, options: RunOptions) -> TrainingData:
    """Open the recipe's data set and cut the long tail into its training set.

    What the method sets aside is taken first; the tail is cut into what is left.

    Raises:
        ValueError, FileNotFoundError: the data set is not there or damaged, or a class has too few images.
    """
    dataset = open_dataset(
        recipe.dataset,
        options.data_dir,
        download=options.download,
        image_size=recipe.image_size,
        lists=options.lists,
    )
    labels = dataset.train.labels
    number_aside = torch.full((dataset.train.num_classes,), recipe.method.set_aside)
    aside = long_tailed_subset(labels, number_aside, seed=recipe.subset_seed)
    rest = torch.ones_like(labels, dtype=torch.bool).index_fill_(0, aside, False).nonzero()[:, 0]
    counts = target_counts(recipe, dataset.train.class_counts - number_aside)
    indices = rest[long_tailed_subset(labels[rest], counts, seed=recipe.subset_seed)]
    held_out = None
    if recipe.held_out:
        indices, held = hold_out(indices, labels[indices], recipe.held_out)
        held_out = dataset.train.select(held)
    train = dataset.train.select(indices)
    counts = train.class_counts
    facts = {
        "dataset": recipe.dataset,
        "training_images": len(train),
        **({} if held_out is None else {"held_out_images": len(held_out)}),
        "test_images": len(dataset.test),
        "class_counts": counts.tolist(),
        "subset_sha256": dataset.train.subset_sha256(indices),
        "training_images_sha256": train.sha256(),
        "test_images_sha256": dataset.test.sha256(),
        **dataset.facts,
    }
    if not recipe.method.set_aside:
        return TrainingData(train, dataset.test, held_out, facts)
    facts |= {"set_aside_images": len(aside), "set_aside_sha256": dataset.train.subset_sha256(aside)}
    return TrainingData(train, dataset.test, held_out, facts, dataset.train.select(aside))
