"""Exercise on the parts of the method: who is a positive for whom (notebook 01b)."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from bcl_edu.course.exercises.exercise import Case, Exercise, Mistake

# ---- positives of a batch of two views


def positives_with(
    labels: Tensor,
    *,
    rows: Literal["view by view", "image by image", "one view"] = "view by view",
    itself: bool = False,
    only_the_other_view: bool = False,
    opposite: bool = False,
) -> Tensor:
    """Mask of the positives p (columns) of each anchor i (rows), or a wrong variant of it."""
    number = len(labels)
    y = {
        "view by view": labels.repeat(2),
        "image by image": labels.repeat_interleave(2),
        "one view": labels,
    }[rows]
    same = y[:, None] == y
    if only_the_other_view:
        image = torch.arange(number).repeat(2)
        same = image[:, None] == image
    if opposite:
        same = ~same
    return same if itself else same & ~torch.eye(len(y), dtype=torch.bool)


def _positives(name: str, hint: str, **variant: Any) -> Mistake:
    return Mistake(name, hint, partial(positives_with, **variant))


POSITIVES = Exercise(
    name="positives",
    task="for a batch of two views a matrix that says which embeddings are positives of which anchor.",
    arguments=("labels",),
    returns="truth values (or 0 and 1), shape (2n, 2n)",
    reference=positives_with,
    by_hand=Case("two images are of one class and one of another", (torch.tensor([4, 7, 4]),)),
    hidden=lambda: [
        Case("every image has a class of its own", (torch.tensor([2, 0, 1]),)),
        Case("all images are of one class", (torch.tensor([3, 3, 3]),)),
        Case("there are eight images of three classes", (torch.tensor([0, 1, 0, 2, 2, 0, 1, 0]),)),
    ],
    mistakes=(
        _positives(
            "anchor among its positives",
            "Every anchor is a positive of itself in your answer. What would that similarity teach the network?",
            itself=True,
        ),
        _positives(
            "views interleaved",
            "Your rows come image by image: both views of the first image, then both of the second. In which order do "
            "the embeddings come?",
            rows="image by image",
        ),
        _positives(
            "interleaved, with the anchor",
            "Two things. In which order do the embeddings come? And is an anchor a positive of itself?",
            rows="image by image",
            itself=True,
        ),
        _positives(
            "only the other view",
            "In your answer an anchor has one positive, the other view of its own image. That is contrastive learning "
            "without labels. Which other embeddings are of the same class?",
            only_the_other_view=True,
        ),
        _positives(
            "negatives",
            "These are the embeddings of other classes. Asked for are those of the same class.",
            opposite=True,
            itself=True,
        ),
    ),
)
