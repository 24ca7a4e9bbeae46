"""What is seen: labelled images by name, long-tailed profiles and subsets, shot groups."""

from bcl_edu.data.image_files import ImageFiles
from bcl_edu.data.labelled import Dataset, Images, LabelledImages
from bcl_edu.data.profiles import exponential_profile, pareto_profile, step_profile
from bcl_edu.data.registry import DATASET_NAMES, default_data_dir, find_dataset, open_dataset
from bcl_edu.data.shots import shot_groups
from bcl_edu.data.subset import long_tailed_subset, subset_sha256

__all__ = [
    "DATASET_NAMES",
    "Dataset",
    "ImageFiles",
    "Images",
    "LabelledImages",
    "default_data_dir",
    "exponential_profile",
    "find_dataset",
    "long_tailed_subset",
    "open_dataset",
    "pareto_profile",
    "shot_groups",
    "step_profile",
    "subset_sha256",
]
