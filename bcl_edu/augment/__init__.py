"""The three views of an image: v1 for the classifier branch, v2 and v3 for the contrastive branch."""

from bcl_edu.augment.batched import batched_views
from bcl_edu.augment.file_views import FileBatch, FileCentres, FileViews, only_batch
from bcl_edu.augment.normalisation import channel_statistics, normalise
from bcl_edu.augment.per_sample import three_views
from bcl_edu.augment.policies import POLICY_NAMES, ViewPolicy, ViewRecipe, view_policy
from bcl_edu.augment.training_views import BatchedTrainingViews, TrainingViews

__all__ = [
    "POLICY_NAMES",
    "BatchedTrainingViews",
    "FileBatch",
    "FileCentres",
    "FileViews",
    "TrainingViews",
    "ViewPolicy",
    "ViewRecipe",
    "batched_views",
    "channel_statistics",
    "normalise",
    "only_batch",
    "three_views",
    "view_policy",
]
