"""The sphere that trains: free embeddings under two losses, side by side, while the reader slides; live in the browser.

training_sphere(imbalance_factor=100)                       in a notebook
python -m bcl_edu.course.widgets.sphere PAGE.html           as a page that works from disk
"""

from bcl_edu.course.widgets.sphere.sphere_page import sphere_html, write_sphere_page
from bcl_edu.course.widgets.sphere.sphere_widget import TrainingSphere, training_sphere
from bcl_edu.course.widgets.sphere.training_settings import LOSSES, TrainingSettings

__all__ = [
    "LOSSES",
    "TrainingSettings",
    "TrainingSphere",
    "sphere_html",
    "training_sphere",
    "write_sphere_page",
]
