"""What the authors of a data set state of its splits, and how a split that was found differs from it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Published:
    """One split as it was published.

    Attributes:
        images: number of images.
        classes: number of classes K; labels are 0..K-1, each with an image.
        largest: images of the most frequent class.
        smallest: images of the rarest class.
    """

    images: int
    classes: int
    largest: int
    smallest: int

    def __str__(self) -> str:
        return describe(self.images, self.classes, self.largest, self.smallest)

    def differences(self, labels: NDArray[np.int64]) -> list[str]:
        """One sentence for each of the four numbers that another set of labels does not have."""
        counts = np.bincount(labels)
        counts = counts[counts > 0]
        found = (
            len(labels),
            len(counts),
            int(counts.max(initial=0)),
            int(counts.min(initial=len(labels))),
        )
        expected = (self.images, self.classes, self.largest, self.smallest)
        names = ("{} images", "{} classes", "{} in the largest class", "{} in the smallest class")
        return [
            f"{name.format(f'{have:,}')} instead of {want:,}"
            for have, want, name in zip(found, expected, names, strict=True)
            if have != want
        ]


def describe(images: int, classes: int, largest: int, smallest: int) -> str:
    """The four numbers as words."""
    spread = f"{largest:,} each" if largest == smallest else f"{largest:,} down to {smallest:,} each"
    return f"{images:,} images, {classes:,} classes, {spread}"


def describe_labels(labels: NDArray[np.int64]) -> str:
    """The same of labels that were found."""
    counts = np.bincount(labels)
    counts = counts[counts > 0]
    if len(counts) == 0:
        return "no images"
    return describe(len(labels), len(counts), int(counts.max()), int(counts.min()))
