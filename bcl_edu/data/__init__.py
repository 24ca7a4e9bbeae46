"""Data sets by name, long-tailed profiles and subsets, shot groups, validation splits."""

from bcl_edu.data.class_names import ClassNamesDiffer, head_to_tail, in_recorded_classes, read_mapping
from bcl_edu.data.image_files import ImageFiles
from bcl_edu.data.labelled import Dataset, Images, LabelledImages
from bcl_edu.data.long_tail import (
    counts_by_size,
    exponential_profile,
    long_tailed_subset,
    pareto_profile,
    shot_groups,
    step_profile,
    subset_sha256,
)
from bcl_edu.data.open import (
    DATASET_NAMES,
    PHOTOGRAPH_SETS,
    default_data_dir,
    find_dataset,
    open_dataset,
    open_test_images,
    prepare_dataset,
)
from bcl_edu.data.validation import stratified_split

__all__ = [
    "DATASET_NAMES",
    "PHOTOGRAPH_SETS",
    "ClassNamesDiffer",
    "Dataset",
    "ImageFiles",
    "Images",
    "LabelledImages",
    "counts_by_size",
    "default_data_dir",
    "exponential_profile",
    "find_dataset",
    "head_to_tail",
    "in_recorded_classes",
    "long_tailed_subset",
    "open_dataset",
    "open_test_images",
    "pareto_profile",
    "prepare_dataset",
    "read_mapping",
    "shot_groups",
    "step_profile",
    "stratified_split",
    "subset_sha256",
]
