"""Image trees ``train/<class>/*`` and ``test/<class>/*``: listed, decoded once, cached."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from bcl_edu.datasets.cache import cached_arrays
from bcl_edu.datasets.decoding import decode_image
from bcl_edu.datasets.labelled import Dataset, LabelledImages
from bcl_edu.datasets.order import content_order

SPLITS = ("train", "test")

# left behind by file managers; every other file in a class folder has to be an image
_NOT_IMAGES = {"Thumbs.db", "desktop.ini"}

# what one array of decoded images may take in memory
_LARGEST_BYTES = 8 * 2**30


@dataclass(frozen=True)
class ClassFolder:
    """Files of one class of one split: names in alphabetical order, and a digest of names, sizes and times."""

    path: Path
    file_names: tuple[str, ...]
    digest: bytes


def read_class_folders(
    name: str,
    root: Path,
    cache_dir: Path,
    *,
    class_names: tuple[str, ...] | None = None,
    image_size: int | None = None,
    order_by_content: bool = False,
) -> Dataset:
    """Every image of ``root/train/<class>/*`` and ``root/test/<class>/*``.

    Labels follow the alphabetical order of the class folders; images are in the order of class, then of file
    name (or of content). If all images of both splits are grey the set has one channel, otherwise grey
    images become RGB by repeating their channel (further conversions: see ``decode_image``).

    The decoded images are cached. The cache is used as long as the name, size, time of modification and time
    of last change of every file are the same; nothing else is read the second time.

    Args:
        name: name of the data set.
        root: the folder that has ``train`` and ``test``.
        cache_dir: where decoded images are kept.
        class_names: the class folders that must be there; by default whichever there are.
        image_size: if given, each image's short side is resized to it and its centre square cut out. Otherwise
            all images must be of one size.
        order_by_content: order the images of a class by ``content_order`` instead of by file name.

    Raises:
        ValueError: a split or class is missing or empty, train and test have different classes, an image cannot
            be read, sizes differ, or the images together would not fit in memory.
    """
    folders = {split: _list_classes(root / split) for split in SPLITS}
    _check_same_classes(folders, class_names)
    found_names = tuple(folder.path.name for folder in folders["train"])
    fingerprint = hashlib.sha256(repr(image_size).encode())
    for split in SPLITS:
        for folder in folders[split]:
            fingerprint.update(f"{split}/{folder.path.name}\0".encode("utf-8", "surrogateescape"))
            fingerprint.update(folder.digest)

    labels = {
        split: np.repeat(np.arange(len(found_names)), [len(folder.file_names) for folder in folders[split]])
        for split in SPLITS
    }

    def build() -> dict[str, NDArray[np.uint8]]:
        images = _decode_splits(folders, image_size)
        if order_by_content:
            images = {split: images[split][content_order(images[split], labels[split])] for split in SPLITS}
        return images

    source = f"{name}:{root.resolve()}:{image_size}:{order_by_content}"
    arrays = cached_arrays(cache_dir, source, fingerprint.hexdigest(), build)
    parts = [
        LabelledImages(torch.from_numpy(arrays[split]), torch.from_numpy(labels[split]), found_names)
        for split in SPLITS
    ]
    return Dataset(name, *parts)


def _list_classes(split: Path) -> list[ClassFolder]:
    if not split.is_dir():
        raise ValueError(
            f"there is no folder {split}; expected train/<class>/* and test/<class>/* "
            f"in {split.parent} (a validation folder can be renamed, or linked, to test)"
        )
    with os.scandir(split) as entries:
        classes = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    if not classes:
        raise ValueError(f"{split} has no folders; expected one for each class, with its images")
    return [_list_images(split / name) for name in classes]


def _list_images(folder: Path) -> ClassFolder:
    facts = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _NOT_IMAGES:
                continue
            if entry.is_dir():
                raise ValueError(f"{entry.path} is a folder; expected only images in a class folder")
            status = entry.stat()
            # the time of last change also moves when an image is replaced by one with the same old date
            facts.append((entry.name, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    if not facts:
        raise ValueError(
            f"class folder {folder} has no images; add some, or remove the class from train and test"
        )
    facts.sort()
    digest = hashlib.sha256(repr(facts).encode("utf-8", "surrogateescape")).digest()
    return ClassFolder(folder, tuple(fact[0] for fact in facts), digest)


def _check_same_classes(folders: dict[str, list[ClassFolder]], class_names: tuple[str, ...] | None) -> None:
    train, test = ({folder.path.name for folder in folders[split]} for split in SPLITS)
    if class_names is not None:
        for split, found in (("train", train), ("test", test)):
            _refuse_difference(
                f"{folders[split][0].path.parent}", found, "the official class names", set(class_names)
            )
    _refuse_difference(f"{folders['train'][0].path.parent}", train, "its test folder", test)


def _refuse_difference(here: str, found: set[str], there: str, expected: set[str]) -> None:
    if found == expected:
        return
    only_here, only_there = sorted(found - expected), sorted(expected - found)
    raise ValueError(
        f"the class folders of {here} differ from {there}: "
        f"only in the first: {_listing(only_here)}; only in the second: {_listing(only_there)}"
    )


def _listing(names: Sequence[str], at_most: int = 8) -> str:
    if not names:
        return "none"
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + more


def _decode_splits(
    folders: dict[str, list[ClassFolder]], image_size: int | None
) -> dict[str, NDArray[np.uint8]]:
    paths = {
        split: [folder.path / name for folder in folders[split] for name in folder.file_names]
        for split in SPLITS
    }
    every_path = [path for split in SPLITS for path in paths[split]]
    height, width = decode_image(every_path[0], image_size).shape[1:]
    total = len(every_path) * 3 * height * width
    if total > _LARGEST_BYTES:
        raise ValueError(
            f"{len(every_path)} images of {width} x {height} take {total / 2**30:.1f} GiB decoded, above the "
            f"{_LARGEST_BYTES / 2**30:.0f} GiB that are held in memory; pass a smaller image_size"
        )
    images = np.empty((len(every_path), 3, height, width), dtype=np.uint8)

    def decode(position: int) -> bool:
        """Fill one row; say whether it is in colour."""
        pixels = decode_image(every_path[position], image_size)
        if pixels.shape[1:] != (height, width):
            raise ValueError(
                f"{every_path[position]} is {pixels.shape[2]} x {pixels.shape[1]} pixels, {every_path[0]} is "
                f"{width} x {height}; images must have one size, or pass image_size to resize them"
            )
        images[position] = pixels  # a grey image fills all three channels
        return len(pixels) == 3

    # threads, not processes: they need no guarded __main__, and Pillow decodes outside Python's lock
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        try:
            results = pool.map(decode, range(len(every_path)))
            progress = tqdm(results, total=len(every_path), desc="decoding images", unit="image", delay=1)
            colour = any(list(progress))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if not colour:
        images = np.ascontiguousarray(images[:, :1])
    train, test = np.split(images, [len(paths["train"])])
    return {"train": train, "test": test}
