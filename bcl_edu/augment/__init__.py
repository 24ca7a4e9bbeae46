"""The three views of an image: v1 for the classifier branch, v2 and v3 for the contrastive branch."""

from bcl_edu.augment.batched import BatchedTrainingViews, batched_views, view_seeds
from bcl_edu.augment.file_views import EvalImages, FileBatch, FileViews, identity_collate
from bcl_edu.augment.normalisation import Normalisation, channel_statistics, normalise
from bcl_edu.augment.policies import POLICY_NAMES, Augmentation, ViewPolicy, view_policy

__all__ = [
    "POLICY_NAMES",
    "Augmentation",
    "BatchedTrainingViews",
    "EvalImages",
    "FileBatch",
    "FileViews",
    "Normalisation",
    "ViewPolicy",
    "batched_views",
    "channel_statistics",
    "identity_collate",
    "normalise",
    "view_policy",
    "view_seeds",
]
