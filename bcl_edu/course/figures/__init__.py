"""Figures: functions that take tensors and numbers and return a plotly `Figure`; no widget, no state."""

from bcl_edu.course.figures.accuracy import accuracy_by_class_count, shot_group_bars
from bcl_edu.course.figures.bending_simplex import bending_simplex
from bcl_edu.course.figures.bound_figures import bound_versus_loss, proof_ladder
from bcl_edu.course.figures.class_counts import class_counts_bars, image_columns
from bcl_edu.course.figures.class_gains import class_gains
from bcl_edu.course.figures.class_means import class_mean_film, class_mean_sphere
from bcl_edu.course.figures.class_profiles import class_profiles
from bcl_edu.course.figures.closest_pairs import closest_pairs
from bcl_edu.course.figures.cosine_heatmap import cosine_heatmap
from bcl_edu.course.figures.counter_example_figure import counter_example
from bcl_edu.course.figures.counter_example_landscape import counter_example_map, tail_angle_curves
from bcl_edu.course.figures.deviation_curves import deviation_curves
from bcl_edu.course.figures.film import film
from bcl_edu.course.figures.means_and_accuracy import means_and_accuracy
from bcl_edu.course.figures.method_comparison import method_comparison
from bcl_edu.course.figures.method_map import METHOD_COLUMNS, method_map
from bcl_edu.course.figures.prior_shift import prior_shift
from bcl_edu.course.figures.projection import Projection, best_projection
from bcl_edu.course.figures.pushes import push_circles
from bcl_edu.course.figures.share_bars import gradient_shares
from bcl_edu.course.figures.style import caption, text_alternative
from bcl_edu.course.figures.training_curves import training_curves
from bcl_edu.course.figures.view_columns import view_columns

__all__ = [
    "METHOD_COLUMNS",
    "Projection",
    "accuracy_by_class_count",
    "bending_simplex",
    "best_projection",
    "bound_versus_loss",
    "caption",
    "class_counts_bars",
    "class_gains",
    "class_mean_film",
    "class_mean_sphere",
    "class_profiles",
    "closest_pairs",
    "cosine_heatmap",
    "counter_example",
    "counter_example_map",
    "deviation_curves",
    "film",
    "gradient_shares",
    "image_columns",
    "means_and_accuracy",
    "method_comparison",
    "method_map",
    "prior_shift",
    "proof_ladder",
    "push_circles",
    "shot_group_bars",
    "tail_angle_curves",
    "text_alternative",
    "training_curves",
    "view_columns",
]
