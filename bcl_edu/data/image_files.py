"""Labelled images that stay on disk: files, their classes, and the size at which the network sees them."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import torch
from jaxtyping import Int64
from PIL import Image
from torch import Tensor

from bcl_edu.counting import counted
from bcl_edu.data.decoding import open_picture
from bcl_edu.data.image_lists import ImageList


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """Image files of any size with their classes, decoded one at a time when they are looked at.

    Attributes:
        root: the folder that the listed paths are relative to.
        files: the paths and labels, as listed.
        class_names: the K names, in label order. A class may be without images.
        image_size: height and width in pixels at which the network sees an image.
        mean: of each colour channel, on the scale 0 to 1, as published for these images.
        std: likewise the standard deviation.
        without_class_folder: the files lie in `val/` where the list says `val/<class>/`: ImageNet's validation images
            as their archive unpacks them.
        upright: pictures are turned upright as their EXIF data say; published ones are not.

    Raises:
        ValueError: on creation, when a label has no class name or the size is not positive.
    """

    root: Path
    files: ImageList
    class_names: tuple[str, ...]
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    without_class_folder: bool = False
    upright: bool = False

    def __post_init__(self) -> None:
        if self.image_size < 1:
            raise ValueError(f"image_size is {self.image_size}; expected a number of pixels from 1")
        if len(self.files) and int(self.files.labels.max()) >= self.num_classes:
            raise ValueError(
                f"label {int(self.files.labels.max())} of {self.files.path(int(self.files.labels.argmax()))}, but "
                f"there are {counted(self.num_classes, 'class')} (labels must be 0..{self.num_classes - 1})"
            )

    def __len__(self) -> int:
        return len(self.files)

    @property
    def labels(self) -> Int64[Tensor, " n"]:
        """Class of each image, shape (n,), values 0..K-1."""
        return torch.from_numpy(self.files.labels)

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
        """Channels, height and width of what the network sees."""
        return 3, self.image_size, self.image_size

    def file(self, index: int) -> Path:
        """Path of an image."""
        listed = PurePosixPath(self.files.path(index))
        if self.without_class_folder:
            listed = listed.parent.parent / listed.name
        return self.root / listed

    def picture(self, index: int) -> Image.Image:
        """An image in its own size, RGB.

        Raises:
            ValueError: the file is missing, damaged or not an image; the message names it.
        """
        return open_picture(self.file(index), upright=self.upright)

    def select(self, indices: Int64[Tensor, " m"]) -> "ImageFiles":
        """The files at these positions, in this order, with the same class names."""
        return replace(self, files=self.files.select(indices.numpy()))

    def sha256(self) -> str:
        """SHA-256 of class names, labels and listed paths: the same wherever the files lie.

        The pixels are not read: half a million photographs take hours. `python -m bcl_edu.data check` reads them.
        """
        digest = hashlib.sha256(repr(self.class_names).encode())
        digest.update(self.files.labels.astype("<i8").tobytes())
        digest.update(b"\n".join(self.files.paths))
        return digest.hexdigest()

    def subset_sha256(self, indices: Int64[Tensor, " m"]) -> str:
        """SHA-256 of a set of these images, whatever their order: of its sorted `path label` lines.

        Unlike positions, lines say the same in two lists of the same images in different orders.
        """
        return hashlib.sha256(b"\n".join(sorted(self.files.lines(indices.numpy())))).hexdigest()
