"""Lists of image files with their labels: `path label` lines, and iNaturalist's annotations in JSON."""

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcl_edu.files import write_atomically

LARGEST_LABEL = 1_000_000
"""Beyond any data set's number of classes: a label above it is another number, such as that of an image."""


@dataclass(frozen=True, eq=False)
class ImageList:
    """Image files and their classes, in the order of the file that lists them.

    Attributes:
        paths: relative paths with forward slashes, as UTF-8, shape (n,). One array of bytes: half a million
            Python strings would be copied into every worker process, page by page.
        labels: class of each, shape (n,), values from 0.
    """

    paths: NDArray[np.bytes_]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def path(self, index: int) -> str:
        """One path as text."""
        return bytes(self.paths[index]).decode()


def read_list(path: Path) -> ImageList:
    """Read `path label` lines, as ImageNet-LT's lists have them.

    The label is what follows the last blank, so that a path may contain blanks. Empty lines are passed over.

    Raises:
        ValueError: the file is not there or not text, it has no line, or a line is not of this form.
    """
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot read the list of images {path}: {error}") from error
    paths, labels = [], []
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        name, label = [*line.rsplit(maxsplit=1), ""][:2]
        if not (label.isascii() and label.isdigit()):
            raise ValueError(
                f"{path}, line {number}: {line.strip()[:80]!r} is not a path and a label (a whole number from 0), "
                "as in 'train/n01440764/n01440764_190.JPEG 0'"
            )
        paths.append(_inside(name.strip().removeprefix("./"), f"{path}, line {number}"))
        labels.append(int(label))
    return _image_list(path, paths, labels)


def write_list(path: Path, images: ImageList) -> None:
    """Write `path label` lines, whole or not at all."""
    lines = (name + b" %d\n" % label for name, label in zip(images.paths, images.labels, strict=True))
    write_atomically(path, b"".join(lines))


def read_annotations(path: Path) -> ImageList:
    """Read iNaturalist's annotations: a JSON file, or the .tar.gz file that is downloaded.

    The order is that of "images", the label is the "category_id" of the image's one annotation, found by
    "image_id". So the list is the one in common use as `iNaturalist18_train.txt` (Kang et al., ICLR 2020, whose
    script pairs images and annotations by position, where they agree).

    Raises:
        ValueError: the file is not there, damaged or not of this form, or an image has not exactly one annotation.
    """
    content = _json(path)
    try:
        categories = {a["image_id"]: int(a["category_id"]) for a in content["annotations"]}
        known = {category["id"] for category in content["categories"]}
        images = [(str(image["file_name"]), image["id"]) for image in content["images"]]
        annotations = len(content["annotations"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not of the form of iNaturalist's annotations ('images' with 'id' and 'file_name', "
            f"'annotations' with 'image_id' and 'category_id', 'categories' with 'id'): {error!r}"
        ) from error
    lacking = [name for name, number in images if number not in categories]
    if lacking or not len(images) == len(categories) == annotations:
        example = f"; {lacking[0]} has none" if lacking else ""
        raise ValueError(
            f"{path} has {len(images):,} images and {annotations:,} annotations of {len(categories):,} images; "
            f"expected one annotation for each image{example}"
        )
    unknown = set(categories.values()) - known
    if unknown:
        raise ValueError(f"{path}: category {min(unknown)} of an annotation is not among the 'categories'")
    return _image_list(
        path, [_inside(name, str(path)) for name, _ in images], [categories[number] for _, number in images]
    )


def _json(path: Path) -> Any:
    try:
        if path.name.endswith(".tar.gz"):
            # the member is read into memory by its name: nothing is unpacked to a path that the archive chooses
            with tarfile.open(path, "r:gz") as archive:
                member = archive.extractfile(path.name.removesuffix(".tar.gz"))
                if member is None:
                    raise ValueError("it holds no such file")
                return json.load(member)
        with open(path, "rb") as file:
            return json.load(file)
    except (OSError, EOFError, KeyError, ValueError, tarfile.TarError) as error:
        raise ValueError(f"cannot read the annotations {path}: {error}") from error


def _inside(name: str, where: str) -> str:
    """The path, if it stays inside the data set's folder."""
    if name.startswith("/") or ".." in name.split("/"):
        raise ValueError(f"{where}: {name!r} leaves the data set's folder; expected a path relative to it")
    return name


def _image_list(path: Path, paths: list[str], labels: list[int]) -> ImageList:
    if not paths:
        raise ValueError(f"{path} lists no image")
    for name, label in zip(paths, labels, strict=True):
        if not 0 <= label <= LARGEST_LABEL:
            raise ValueError(
                f"{path}: {name} has label {label}; expected the number of a class, from 0 to at most {LARGEST_LABEL:,}"
            )
    return ImageList(np.array([name.encode() for name in paths]), np.array(labels, dtype=np.int64))
