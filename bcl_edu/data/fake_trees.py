"""Small trees in the formats of ImageNet-LT and iNaturalist 2018, to try everything without the real ones.

The images are the digits, written as JPEG files into the folders of the format, with its lists or annotations. Their
counts are not the published ones, so they can be opened only as a user's own lists.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from PIL import Image
from torch import Tensor

from bcl_edu.data.digits import read_digits
from bcl_edu.data.image_files import ImageFiles
from bcl_edu.data.image_lists import ImageList, write_list
from bcl_edu.data.labelled import LabelledImages
from bcl_edu.data.long_tail import exponential_profile, long_tailed_subset
from bcl_edu.data.open import PHOTOGRAPH_SETS
from bcl_edu.files import write_atomically

SIDE = 64
"""Height and width of the files in pixels; the digits have 8."""

TEST_IMAGES = 20
"""Test images of each class."""


@dataclass(frozen=True)
class ListedTree:
    """A folder of images and the lists that go with it.

    Attributes:
        folder: what --data-dir names.
        train_list: list or annotations of the training images.
        test_list: likewise of the test images.
    """

    folder: Path
    train_list: Path
    test_list: Path


def write_practice_tree(
    name: str, folder: Path, *, max_per_class: int = 60, imbalance_factor: float = 30.0
) -> ListedTree:
    """Write digits into a folder as if they were one of the published sets of image files.

    Args:
        name: "imagenet-lt" or "inaturalist2018".
        folder: where; made if it is not there.
        max_per_class: training images of the largest class, at most 134.
        imbalance_factor: largest over smallest class count.

    Raises:
        ValueError: there is no such format, or the digits have too few images.
    """
    if name not in PHOTOGRAPH_SETS:
        raise ValueError(f"{name!r} has no format of its own; expected one of {', '.join(PHOTOGRAPH_SETS)}")
    digits = read_digits()
    counts = exponential_profile(max_per_class, digits.num_classes, imbalance_factor)
    train = digits.train.select(long_tailed_subset(digits.train.labels, counts))
    test = digits.test.select(
        long_tailed_subset(digits.test.labels, torch.full((digits.num_classes,), TEST_IMAGES))
    )
    place = _imagenet_path if name == "imagenet-lt" else _inaturalist_path
    lists = {}
    for split, images in (("train", train), ("test", test)):
        assert isinstance(images, LabelledImages)
        listed = _image_list(images, split, place)
        for path, image in zip(listed.paths, images.images, strict=True):
            _write_jpeg(folder / path.decode(), image)
        lists[split] = _write_listing(name, folder, split, listed)
    return ListedTree(folder, lists["train"], lists["test"])


def write_subset_lists(
    train: ImageFiles, test: ImageFiles, folder: Path, *, classes: int = 10, most: int = 60
) -> ListedTree:
    """List a part of a set of image files that is there: some classes from head to tail, and few images of each.

    Args:
        train: training images.
        test: test images of the same classes.
        folder: where the lists are written; the images stay where they are.
        classes: how many classes, evenly chosen by rank from the largest to the smallest.
        most: training images of the largest class; the others keep their proportion to it, and at least one. For
            testing, each class has TEST_IMAGES, or all it has.
    """
    counts = train.class_counts
    ranks = torch.linspace(0, train.num_classes - 1, min(classes, train.num_classes)).round().long()
    chosen = counts.argsort(descending=True, stable=True)[ranks]
    share = most / max(most, int(counts[chosen].max()))
    lists = {}
    for split, images in (("train", train), ("test", test)):
        paths, labels = [], []
        for new_label, class_id in enumerate(chosen.tolist()):
            own = (images.labels == class_id).nonzero().flatten()
            keep = max(1, round(share * len(own))) if split == "train" else min(TEST_IMAGES, len(own))
            paths += [images.files.paths[index] for index in own[:keep].tolist()]
            labels += [new_label] * keep
        lists[split] = folder / f"part_{split}.txt"
        write_list(lists[split], ImageList(np.array(paths), np.array(labels, dtype=np.int64)))
    return ListedTree(train.root, lists["train"], lists["test"])


# ---- the formats


def _imagenet_path(split: str, label: int, number: int) -> str:
    wnid = f"digit{label}"
    if split == "train":
        return f"train/{wnid}/{wnid}_{number}.JPEG"
    return f"val/{wnid}/ILSVRC2012_val_{label:05}{number:03}.JPEG"


def _inaturalist_path(split: str, label: int, number: int) -> str:
    group = "Even" if label % 2 == 0 else "Odd"
    return f"train_val2018/{group}/{label}/{split}{number:05}.jpg"


def _image_list(images: LabelledImages, split: str, place: Any) -> ImageList:
    seen: dict[int, int] = {}
    paths = []
    for label in images.labels.tolist():
        paths.append(place(split, label, seen.get(label, 0)).encode())
        seen[label] = seen.get(label, 0) + 1
    return ImageList(np.array(paths), images.labels.numpy())


def _write_jpeg(path: Path, image: UInt8[Tensor, "channel height width"]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = Image.fromarray(image[0].numpy())
    grey.resize((SIDE, SIDE), Image.Resampling.BICUBIC).convert("RGB").save(path, format="jpeg", quality=90)


def _write_listing(name: str, folder: Path, split: str, listed: ImageList) -> Path:
    """The list in the format of the set: lines, or annotations in JSON."""
    if name == "imagenet-lt":
        path = folder / f"practice_{split}.txt"
        write_list(path, listed)
        return path
    path = folder / f"practice_{split}.json"
    write_atomically(path, json.dumps(_annotations(listed)).encode())
    return path


def _annotations(listed: ImageList) -> dict[str, Any]:
    labels: Int64[np.ndarray, " n"] = listed.labels
    return {
        "images": [
            {"id": number, "file_name": listed.path(number), "width": SIDE, "height": SIDE}
            for number in range(len(listed))
        ],
        "categories": [{"id": label, "name": str(label)} for label in sorted(set(labels.tolist()))],
        "annotations": [
            {"id": number, "image_id": number, "category_id": label}
            for number, label in enumerate(labels.tolist())
        ],
    }
