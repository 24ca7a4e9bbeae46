"""The regular simplex, measures of class-mean geometry, lower bounds and certified optimal geometry."""

from bcl_edu.geometry.measures import (
    ClassifierAlignment,
    SimplexDeviation,
    class_means,
    classifier_alignment,
    cosine_matrix,
    effective_rank,
    nearest_mean_agreement,
    norm_variation,
    simplex_deviation,
    within_class_spread,
    within_class_variability,
)

__all__ = [
    "ClassifierAlignment",
    "SimplexDeviation",
    "class_means",
    "classifier_alignment",
    "cosine_matrix",
    "effective_rank",
    "nearest_mean_agreement",
    "norm_variation",
    "simplex_deviation",
    "within_class_spread",
    "within_class_variability",
]
