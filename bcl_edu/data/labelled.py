"""Labelled uint8 images in memory, and data sets with their splits: the types that every source returns."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from bcl_edu.counting import counted
from bcl_edu.data.image_files import ImageFiles
from bcl_edu.data.long_tail import subset_sha256


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images of one size with their classes, held in memory.

    Attributes:
        images: pixel values 0..255, shape (n, channel, height, width); one channel is grey, three are RGB.
        labels: class of each image, shape (n,), values 0..K-1.
        class_names: the K names, in label order. A class may be without images.

    Raises:
        ValueError: on creation, when dtypes, shapes or labels disagree with the above.
    """

    images: UInt8[Tensor, "n channel height width"]
    labels: Int64[Tensor, " n"]
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        shape = tuple(self.images.shape)
        if self.images.dtype != torch.uint8 or len(shape) != 4 or shape[1] not in (1, 3):
            raise ValueError(
                f"images have shape {shape} and dtype {self.images.dtype}; expected uint8 of shape "
                "(n, 1 or 3, height, width)"
            )
        if self.labels.dtype != torch.int64 or tuple(self.labels.shape) != shape[:1]:
            raise ValueError(
                f"labels have shape {tuple(self.labels.shape)} and dtype {self.labels.dtype}; expected int64 "
                f"of shape ({shape[0]},), one for each image"
            )
        outside = ((self.labels < 0) | (self.labels >= self.num_classes)).nonzero()
        if len(outside):
            position = int(outside[0])
            raise ValueError(
                f"label {int(self.labels[position])} at position {position}, but there are "
                f"{counted(self.num_classes, 'class name')} (labels must be 0..{self.num_classes - 1})"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def num_classes(self) -> int:
        """K, the number of class names."""
        return len(self.class_names)

    @property
    def class_counts(self) -> Int64[Tensor, " k"]:
        """Number of images of each class, shape (K,), in label order."""
        return torch.bincount(self.labels, minlength=self.num_classes)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def select(self, indices: Int64[Tensor, " m"]) -> "LabelledImages":
        """The images at these positions, in this order, with the same class names (a copy)."""
        return LabelledImages(self.images[indices], self.labels[indices], self.class_names)

    def sha256(self) -> str:
        """SHA-256 of sizes, class names, labels and pixels: the same on every machine for the same data."""
        digest = hashlib.sha256(repr((tuple(self.images.shape), self.class_names)).encode())
        digest.update(self.labels.cpu().contiguous().numpy().astype("<i8").tobytes())
        digest.update(self.images.cpu().contiguous().numpy().data)
        return digest.hexdigest()

    def subset_sha256(self, indices: Int64[Tensor, " m"]) -> str:
        """SHA-256 of a set of positions, see ``bcl_edu.data.subset_sha256``."""
        return subset_sha256(indices)


Images = LabelledImages | ImageFiles
"""Labelled images, in memory or as files: both have labels, names and counts of classes, ``image_shape``, ``select``
and the two hashes; how their pixels become batches is the business of `bcl_edu.training.batches`."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A labelled set of images in its splits.

    Attributes:
        name: one of DATASET_NAMES, or the user's own.
        train: training images, usually balanced until ``long_tailed_subset`` thins them.
        test: what accuracy is measured on. Nothing here says that it is balanced.
        facts: further facts for a run's record, as plain values.
        validation: images to choose an epoch or an option by; None where nobody held any out.

    Raises:
        ValueError: on creation, when the splits differ in class names or in the size of their images.
    """

    name: str
    train: Images
    test: Images
    facts: dict[str, Any] = field(default_factory=dict)
    validation: Images | None = None

    def __post_init__(self) -> None:
        for split, images in (("test", self.test), ("validation", self.validation)):
            if images is None:
                continue
            if self.train.class_names != images.class_names:
                raise ValueError(f"{self.name}: class names of train and {split} differ")
            if self.train.image_shape != images.image_shape:
                raise ValueError(
                    f"{self.name}: train images are {self.train.image_shape}, {split} images {images.image_shape} "
                    "(channels, height, width); expected one size"
                )

    @property
    def class_names(self) -> tuple[str, ...]:
        """The K names, in label order."""
        return self.train.class_names

    @property
    def num_classes(self) -> int:
        """K, the number of classes."""
        return self.train.num_classes

    @property
    def test_is_balanced(self) -> bool:
        """True if every class has the same number of test images."""
        counts = self.test.class_counts
        return bool((counts == counts[0]).all())
