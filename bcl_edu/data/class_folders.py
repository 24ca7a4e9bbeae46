"""Image trees ``train/<class>/*`` and ``test/<class>/*``: listed, decoded once, cached."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from bcl_edu.data.cache import cache_file, cached_arrays, file_facts, fingerprint
from bcl_edu.data.decoding import decode_image
from bcl_edu.data.labelled import Dataset, LabelledImages
from bcl_edu.data.pixel_order import content_order

SPLITS = ("train", "test")

# left behind by file managers; every other visible file in a class folder has to be an image
_NOT_IMAGES = {"Thumbs.db", "desktop.ini"}

# what the decoded images may take in memory
_LARGEST_BYTES = 8 * 2**30

# images a thread decodes at a time: enough to make handing them out cheap
_CHUNK = 64


@dataclass(frozen=True)
class _ClassFolder:
    """The files of one class of one split, in the order of their names, with what their fingerprint takes."""

    path: Path
    facts: tuple[tuple[str, int, int, int], ...]

    @property
    def files(self) -> list[Path]:
        return [self.path / fact[0] for fact in self.facts]


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
    images become RGB by repeating their channel (further conversions: see ``decode_image``). Hidden files
    and folders are passed over.

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
    if image_size is not None and image_size < 1:
        raise ValueError(f"image_size is {image_size}; expected a number of pixels from 1")
    folders = {split: _list_classes(root / split) for split in SPLITS}
    _check_class_names(root, folders, class_names)
    labels = {
        split: np.repeat(np.arange(len(folders[split])), [len(folder.facts) for folder in folders[split]])
        for split in SPLITS
    }

    def build() -> dict[str, NDArray[np.uint8]]:
        images = _decode_splits(folders, image_size)
        if order_by_content:
            images = {split: images[split][content_order(images[split], labels[split])] for split in SPLITS}
        return images

    path = cache_file(cache_dir, name, root, image_size, order_by_content)
    facts = ((split, folder.path.name, folder.facts) for split in SPLITS for folder in folders[split])
    arrays = cached_arrays(path, fingerprint(facts), build)
    found_names = tuple(folder.path.name for folder in folders["train"])
    train, test = (
        LabelledImages(torch.from_numpy(arrays[split]), torch.from_numpy(labels[split]), found_names)
        for split in SPLITS
    )
    return Dataset(name, train, test)


def class_folder_files(split: Path) -> list[Path]:
    """Every image file of a split's class folders.

    Raises:
        ValueError: the folder is not there, or it or one of its classes is empty.
    """
    return [file for folder in _list_classes(split) for file in folder.files]


def _list_classes(split: Path) -> list[_ClassFolder]:
    if not split.is_dir():
        raise ValueError(
            f"there is no folder {split}; expected train/<class>/* and test/<class>/* in {split.parent} "
            "(a validation folder can be renamed, or linked, to test)"
        )
    with os.scandir(split) as entries:
        classes = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    if not classes:
        raise ValueError(f"{split} has no folders; expected one for each class, with its images")
    return [_list_images(split / name) for name in classes]


def _list_images(folder: Path) -> _ClassFolder:
    facts = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _NOT_IMAGES:
                continue
            if entry.is_dir():
                raise ValueError(f"{entry.path} is a folder; expected only images in a class folder")
            try:
                facts.append(file_facts(entry.name, entry.stat()))
            except OSError as error:  # for instance a link to a file that is gone
                raise ValueError(f"cannot read the image {entry.path}: {error}") from error
    if not facts:
        raise ValueError(
            f"class folder {folder} has no images; add some, or remove the class from train and test"
        )
    return _ClassFolder(folder, tuple(sorted(facts)))


def _check_class_names(
    root: Path, folders: dict[str, list[_ClassFolder]], class_names: tuple[str, ...] | None
) -> None:
    found = {split: [folder.path.name for folder in folders[split]] for split in SPLITS}
    if class_names is not None:
        for split in SPLITS:
            _refuse_difference(f"{root / split}", found[split], "the official class names", list(class_names))
    _refuse_difference(f"{root / 'train'}", found["train"], f"{root / 'test'}", found["test"])


def _refuse_difference(first: str, names: list[str], second: str, others: list[str]) -> None:
    if names == others:
        return
    raise ValueError(
        f"the class folders of {first} differ from {second}: only in the first: "
        f"{_listing(set(names) - set(others))}; only in the second: {_listing(set(others) - set(names))}"
    )


def _listing(names: set[str], at_most: int = 8) -> str:
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return (", ".join(sorted(names)[:at_most]) or "none") + more


def _require_room(number: int, height: int, width: int) -> None:
    total = number * 3 * height * width
    if total > _LARGEST_BYTES:
        raise ValueError(
            f"{number} images of {width} x {height} pixels take {total / 2**30:.1f} GiB decoded, above "
            f"the {_LARGEST_BYTES / 2**30:.0f} GiB that are held in memory; pass a smaller image_size"
        )


def _decode_splits(
    folders: dict[str, list[_ClassFolder]], image_size: int | None
) -> dict[str, NDArray[np.uint8]]:
    """All images of a split in one array each, with three channels unless every image of both is grey."""
    paths = {split: [file for folder in folders[split] for file in folder.files] for split in SPLITS}
    every_path = paths["train"] + paths["test"]
    if image_size is not None:
        _require_room(
            len(every_path), image_size, image_size
        )  # before the first image is brought to this size
    height, width = decode_image(every_path[0], image_size).shape[1:]
    _require_room(len(every_path), height, width)
    images = np.empty((len(every_path), 3, height, width), dtype=np.uint8)

    def decode(start: int) -> list[bool]:
        """Fill one chunk of rows; say of each whether it is in colour."""
        colour = []
        for position in range(start, min(start + _CHUNK, len(every_path))):
            pixels = decode_image(every_path[position], image_size)
            if pixels.shape[1:] != (height, width):
                raise ValueError(
                    f"{every_path[position]} is {pixels.shape[2]} x {pixels.shape[1]} pixels, {every_path[0]} is "
                    f"{width} x {height}; images must have one size, or pass image_size to resize them"
                )
            images[position] = pixels  # a grey image fills all three channels
            colour.append(len(pixels) == 3)
        return colour

    any_colour = False
    # threads, not processes: they need no guarded __main__, and Pillow decodes photographs outside Python's lock
    with (
        ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool,
        tqdm(total=len(every_path), desc="decoding images", unit="image", delay=1, disable=None) as progress,
    ):
        try:
            for colour in pool.map(decode, range(0, len(every_path), _CHUNK)):
                any_colour |= any(colour)
                progress.update(len(colour))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if not any_colour:
        images = np.ascontiguousarray(images[:, :1])
    train, test = np.split(images, [len(paths["train"])])
    return {"train": train, "test": test}
