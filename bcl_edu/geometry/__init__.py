"""The regular simplex, measures of class-mean geometry, lower bounds and certified optimal geometry.

* What a regular simplex is: :func:`regular_simplex`, :func:`check_regular_simplex`.
* How far something is from it: the measures (:func:`simplex_deviation`, :func:`within_class_spread`, ...).
* What the theorems say: :func:`theorem_1`, :func:`theorem_2`, :func:`theorem_3_as_printed`,
  :func:`theorem_3_corrected`.
* Where a loss leads in the end: :func:`certified_optimum`, for class counts or for mini-batches.
* What is proved of it: :func:`average_over_equal_classes` (equal classes go to the simplex), :func:`first_order_gram`
  (what a slight imbalance does).
* What pushes on the way: :func:`gradient_shares`, :func:`opening_matrix`, :func:`unconstrained_dynamics`.

It knows nothing of training: names of losses (:data:`LOSSES`) stand for the contrastive or classification loss alone.
"""

from bcl_edu.geometry.bounds import (
    Bound,
    simplex_value,
    theorem_1,
    theorem_2,
    theorem_3_as_printed,
    theorem_3_corrected,
    theorem_3_steps,
)
from bcl_edu.geometry.compositions import BatchCompositions, every_batch, full_batch, sampled_batches
from bcl_edu.geometry.gradient_shares import gradient_shares
from bcl_edu.geometry.measures import (
    SimplexDeviation,
    class_means,
    cosine_matrix,
    simplex_deviation,
    within_class_spread,
)
from bcl_edu.geometry.opening import opening_matrix, relative_opening_rates
from bcl_edu.geometry.optimum import (
    OptimalGeometry,
    Optimality,
    Terms,
    certified_optimum,
    collapsed_loss,
    collapsed_terms,
    optimality,
)
from bcl_edu.geometry.simplex import SimplexCheck, check_regular_simplex, regular_simplex
from bcl_edu.geometry.symmetry import average_over_equal_classes, first_order_gram, first_order_ratio
from bcl_edu.geometry.unconstrained_features import Dynamics, embeddings_in_a_cone, unconstrained_dynamics
from bcl_edu.losses.named import LOSSES, CrossEntropy

__all__ = [
    "LOSSES",
    "BatchCompositions",
    "Bound",
    "CrossEntropy",
    "Dynamics",
    "OptimalGeometry",
    "Optimality",
    "SimplexCheck",
    "SimplexDeviation",
    "Terms",
    "average_over_equal_classes",
    "certified_optimum",
    "check_regular_simplex",
    "class_means",
    "collapsed_loss",
    "collapsed_terms",
    "cosine_matrix",
    "embeddings_in_a_cone",
    "every_batch",
    "first_order_gram",
    "first_order_ratio",
    "full_batch",
    "gradient_shares",
    "opening_matrix",
    "optimality",
    "regular_simplex",
    "relative_opening_rates",
    "sampled_batches",
    "simplex_deviation",
    "simplex_value",
    "theorem_1",
    "theorem_2",
    "theorem_3_as_printed",
    "theorem_3_corrected",
    "theorem_3_steps",
    "unconstrained_dynamics",
    "within_class_spread",
]
