"""From a recipe to its training, validation and test images, with the facts that identify them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from bcl_edu.augment import Normalisation, channel_statistics
from bcl_edu.counting import counted
from bcl_edu.data import (
    ImageFiles,
    Images,
    counts_by_size,
    exponential_profile,
    long_tailed_subset,
    open_dataset,
    pareto_profile,
    step_profile,
    stratified_split,
)
from bcl_edu.data.class_folders import LARGEST_IN_MEMORY
from bcl_edu.recipe import AUTO, OWN_IMAGES, Recipe
from bcl_edu.run_options import RunOptions

_PROFILES = {"exponential": exponential_profile, "step": step_profile, "pareto": pareto_profile}


@dataclass(frozen=True)
class TrainingData:
    """Data of a run: training, validation and test images."""

    train: Images
    test: Images
    validation: Images | None
    """Held-out images on which an epoch or a value is chosen; None if there are none."""
    facts: dict[str, Any]
    """For the run record: sizes, class counts and names, whether the test set is balanced, SHA-256 of the subset
    and of the images (of files: of their list)."""
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
    """Class counts of the training subset: the first class has most, or, of a user's own images, the largest.

    Raises:
        ValueError: the recipe's imbalance factor or head count is out of range.
    """
    if recipe.profile == "as-found":
        return available
    profile = _PROFILES[recipe.profile]
    if recipe.dataset in OWN_IMAGES:  # whose order of labels says nothing
        return counts_by_size(available, profile, recipe.imbalance_factor, recipe.head_count)
    head = int(available.min()) if recipe.head_count is None else recipe.head_count
    return profile(head, len(available), recipe.imbalance_factor)


def prepare_data(recipe: Recipe, options: RunOptions) -> TrainingData:
    """Open the recipe's data set, cut the long tail into its training set, and hold out a validation split.

    What the method sets aside is taken first; the tail is cut into what is left, the validation split is part of
    the tail.

    Raises:
        ValueError, FileNotFoundError: the data set is not there or damaged, a class has too few images, a
            validation split is asked for where there is one, or needed where there is none.
    """
    dataset = open_dataset(
        recipe.dataset,
        options.data_dir,
        download=options.download,
        image_size=recipe.image_size,
        lists=options.lists,
        replace_unreadable=recipe.unreadable_images == "replace",
        upright=recipe.upright,
    )
    labels = dataset.train.labels
    number_aside = torch.full((dataset.train.num_classes,), recipe.method.set_aside)
    aside = long_tailed_subset(labels, number_aside, seed=recipe.subset_seed)
    rest = torch.ones_like(labels, dtype=torch.bool).index_fill_(0, aside, False).nonzero()[:, 0]
    counts = target_counts(recipe, dataset.train.class_counts - number_aside)
    indices = rest[long_tailed_subset(labels[rest], counts, seed=recipe.subset_seed)]
    validation, facts = dataset.validation, {}
    if recipe.val_fraction:
        if validation is not None:
            raise ValueError(
                f"val_fraction is {recipe.val_fraction}, but {dataset.name} has a validation split of "
                f"{counted(len(validation), 'image')} already (a folder val, or --val-list); leave one of them out"
            )
        kept, held_out = stratified_split(labels[indices], recipe.val_fraction, recipe.subset_seed)
        validation = dataset.train.select(indices[held_out])
        facts = {"fraction": recipe.val_fraction, "sha256": dataset.train.subset_sha256(indices[held_out])}
        indices = indices[kept]
    if options.keep_best and validation is None:
        raise ValueError(
            "keep_best needs a validation split, since nothing is ever chosen on the test set; hold one out with "
            "--val-fraction 0.1, or name one (--val-list, a folder val)"
        )
    train = dataset.train.select(indices)
    facts = {
        "dataset": recipe.dataset,
        "training_images": len(train),
        "test_images": len(dataset.test),
        "class_names": list(dataset.class_names),
        "class_counts": train.class_counts.tolist(),
        "test_is_balanced": dataset.test_is_balanced,
        "subset_sha256": dataset.train.subset_sha256(indices),
        "training_images_sha256": train.sha256(),
        "test_images_sha256": dataset.test.sha256(),
        **({} if validation is None else {"validation": {"images": len(validation), **facts}}),
        **dataset.facts,
    }
    set_aside = None
    if recipe.method.set_aside:
        set_aside = dataset.train.select(aside)
        facts |= {"set_aside_images": len(aside), "set_aside_sha256": dataset.train.subset_sha256(aside)}
    return TrainingData(train, dataset.test, validation, facts, set_aside)


def fitted_to(data: TrainingData, recipe: Recipe) -> Recipe:
    """The recipe with what it leaves to the images decided by them: their size, and what `auto` stands for.

    It is this recipe that is trained and recorded, so that an evaluation sees images at the size of the training.
    """
    channels, size, _ = data.train.image_shape
    small = size <= LARGEST_IN_MEMORY
    decided: dict[str, Any] = {}
    if "image_size" in data.facts:
        decided["image_size"] = size
    if recipe.backbone == AUTO:
        decided["backbone"] = "resnet32" if small else "resnet50"
    if recipe.views == AUTO:
        decided["views"] = ("cifar" if channels == 3 else "grey") if small else "sim-sim"
    return replace(recipe, **decided)
