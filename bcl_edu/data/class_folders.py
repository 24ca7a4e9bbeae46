"""Image trees ``train/<class>/*`` and ``test/<class>/*``: listed, and decoded into memory where they fit."""

import os
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import median_low
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from bcl_edu.counting import counted
from bcl_edu.data.cache import cache_file, cached_arrays, file_facts, fingerprint
from bcl_edu.data.decoding import decode_image, image_dimensions
from bcl_edu.data.image_files import ImageFiles
from bcl_edu.data.image_lists import image_list
from bcl_edu.data.imagenet_lt import IMAGENET_LT
from bcl_edu.data.labelled import Dataset, Images, LabelledImages
from bcl_edu.data.photographs import IMAGE_SIZE

REQUIRED_SPLITS = ("train", "test")

LARGEST_IN_MEMORY = 64
"""Image size up to which a user's own images are decoded into memory; larger ones stay on disk."""

SMALLEST_BY_DEFAULT = 16
"""Smallest image size that is chosen by default, since strips one pixel high are no pictures."""

# left behind by file managers; every other visible file in a class folder has to be an image
_NOT_IMAGES = {"Thumbs.db", "desktop.ini"}

# what the decoded images may take in memory
_LARGEST_BYTES = 8 * 2**30

# the array of a cache file that says which images were replaced
_REPLACED = "replaced"

# images a thread decodes at a time: enough to make handing them out cheap
_CHUNK = 64


Order = Callable[[NDArray[np.uint8], NDArray[np.int64]], NDArray[np.int64]]


class ReplacedImageWarning(UserWarning):
    """A training image that cannot be read was replaced by another of its class."""


def read_class_folders(
    name: str,
    root: Path,
    cache_dir: Path,
    *,
    class_names: tuple[str, ...] | None = None,
    order: Order | None = None,
) -> Dataset:
    """Every image of ``root/train/<class>/*`` and ``root/test/<class>/*``, in memory, at the one size that they have.

    Args:
        name: name of the data set.
        root: the folder that has ``train`` and ``test``.
        cache_dir: where decoded images are kept.
        class_names: the class folders that must be there; by default whichever there are.
        order: puts the images of a split, sorted by label, into another order.

    Raises:
        ValueError: as ``list_class_folders``; an image cannot be read, sizes differ, or the images together would not
            fit in memory.
    """
    files = list_class_folders(root, class_names)
    parts = decoded(
        name, root, cache_dir, {split: files[split] for split in REQUIRED_SPLITS}, None, order=order
    )
    return Dataset(name, parts["train"], parts["test"])


def list_class_folders(
    root: Path, class_names: tuple[str, ...] | None = None, splits: tuple[str, ...] = REQUIRED_SPLITS
) -> dict[str, ImageFiles]:
    """The image files of ``root/train/<class>/*``, ``root/test/<class>/*`` and, where it is, ``root/val/<class>/*``.

    Labels follow the alphabetical order of the class folders; images are in the order of class, then of file name.
    Hidden files and folders are skipped. Nothing is decoded.

    Args:
        root: has the splits' folders.
        class_names: the class folders that must be there; by default whichever there are.
        splits: those that must be there; only these and, with "train", the validation split are looked at.

    Returns:
        By split ("train", "test", "validation"), to be seen at ``IMAGE_SIZE``.

    Raises:
        ValueError: a split or class is missing or empty, splits have different classes, or an entry of a class folder
            is not a regular file.
    """
    folders = {split: root / split for split in splits}
    if "train" in splits and (root / "val").is_dir():
        folders["validation"] = root / "val"
    found = {split: _class_folders(folder) for split, folder in folders.items()}
    if class_names is not None:
        for split in splits:
            _refuse_difference(f"{folders[split]}", found[split], "the official class names", class_names)
    first = splits[0]
    for split in folders:
        _refuse_difference(f"{folders[first]}", found[first], f"{folders[split]}", found[split])
    names = tuple(
        name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") for name in found[first]
    )
    files = {}
    for split, folder in folders.items():
        members = [_image_names(folder / name) for name in found[split]]
        paths = [
            f"{folder.name}/{name}/{member}"
            for name, own in zip(found[split], members, strict=True)
            for member in own
        ]
        labels = np.repeat(np.arange(len(members)), [len(own) for own in members]).tolist()
        listed = image_list(folder, paths, labels)
        files[split] = ImageFiles(root, listed, names, IMAGE_SIZE, IMAGENET_LT.mean, IMAGENET_LT.std)
    return files


def own_images(
    name: str,
    root: Path,
    cache_dir: Path,
    files: Mapping[str, ImageFiles],
    image_size: int | None,
    *,
    replace_unreadable: bool = False,
    upright: bool = True,
) -> dict[str, Images]:
    """A user's own images, at the size at which the network sees them: in memory up to 64 x 64, otherwise on disk.

    One rule for pictures of any shape: the short side is resized to the image size, and the network sees squares. In
    memory these are the centre squares. On disk, training crops the whole picture at random, and evaluation cuts the
    centre square as ``resize_center_crop`` does.

    Args:
        name: name of the data set.
        root: what the cache of decoded images is named after.
        cache_dir: where decoded images are kept.
        files: by split.
        image_size: by default the median of the training images' short sides, from 16 to 224.
        replace_unreadable: replace a training image that cannot be read by the next one of its class, with a warning.
            For images on disk, training decides this.
        upright: turn pictures upright as their EXIF data say.

    Raises:
        ValueError: an image that has to be looked at cannot be read, or the image size is below 1.
    """
    if image_size is not None and image_size < 1:
        raise ValueError(f"image_size is {image_size}; expected a number of pixels from 1")
    if image_size is None:
        image_size = _usual_size(name, root, cache_dir, files["train"], skip=replace_unreadable)
    files = {split: replace(images, upright=upright) for split, images in files.items()}
    if image_size <= LARGEST_IN_MEMORY:
        return dict(decoded(name, root, cache_dir, files, image_size, replace_unreadable=replace_unreadable))
    return {split: replace(images, image_size=image_size) for split, images in files.items()}


def _usual_size(name: str, root: Path, cache_dir: Path, files: ImageFiles, *, skip: bool) -> int:
    """The median of the images' short sides, from SMALLEST_BY_DEFAULT to IMAGE_SIZE."""
    paths = [files.file(index) for index in range(len(files))]

    def short_side(path: Path) -> int:
        try:
            return min(image_dimensions(path))
        except ValueError:
            if skip:
                return 0
            raise

    def build() -> dict[str, NDArray[Any]]:
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            return {"sides": np.array(list(pool.map(short_side, paths)))}

    path = cache_file(cache_dir, f"{name}-sizes", root, skip)
    sides = cached_arrays(path, fingerprint(_facts({"train": files})), build)["sides"]
    if not sides.any():
        raise ValueError(
            f"{counted(len(paths), 'training image')} in {root}, none of which can be read, such as {paths[0]}"
        )
    return min(IMAGE_SIZE, max(SMALLEST_BY_DEFAULT, median_low(sides[sides > 0].tolist())))


def decoded(
    name: str,
    root: Path,
    cache_dir: Path,
    files: Mapping[str, ImageFiles],
    image_size: int | None,
    *,
    replace_unreadable: bool = False,
    order: Order | None = None,
) -> dict[str, LabelledImages]:
    """Image files decoded into memory, and cached.

    If all images of all splits are grey they have one channel, otherwise grey images become RGB by repeating their
    channel (further conversions: see ``decode_image``). The cache is used as long as the name, size, time of
    modification and time of last change of every file are the same; nothing else is read the second time.

    Args:
        name: name of the data set.
        root: what the cache is named after.
        cache_dir: where it is.
        files: by split.
        image_size: each image's short side is resized to it and its centre square cut out; None: as they are.
        replace_unreadable: as in ``own_images``.
        order: as in ``read_class_folders``.

    Raises:
        ValueError: an image cannot be read, sizes differ, or the images together would not fit in memory.
    """

    def build() -> dict[str, NDArray[Any]]:
        arrays, replaced = _decode(files, image_size, replace_unreadable)
        if order is not None:
            arrays = {split: a[order(a, files[split].files.labels)] for split, a in arrays.items()}
        return {**arrays, _REPLACED: np.array(replaced, dtype=np.str_)}

    upright = ("upright",) if any(images.upright for images in files.values()) else ()
    path = cache_file(cache_dir, name, root, image_size, replace_unreadable, order is not None, *upright)
    arrays = cached_arrays(path, fingerprint(_facts(files)), build)
    for said in arrays.get(_REPLACED, ()):  # also by a run that finds them in the cache
        warnings.warn(str(said), ReplacedImageWarning, stacklevel=2)
    return {
        split: LabelledImages(torch.from_numpy(arrays[split]), images.labels, images.class_names)
        for split, images in files.items()
    }


def _facts(files: Mapping[str, ImageFiles]) -> list[object]:
    facts: list[object] = []
    for split, images in files.items():
        facts.append((split, images.class_names, images.files.labels.tobytes()))
        root = str(images.root)
        for index in range(len(images)):
            listed = images.files.path(index)
            try:
                path = images.file(index) if images.without_class_folder else f"{root}/{listed}"
                facts.append(file_facts(listed, os.stat(path)))
            except OSError as error:  # for instance a link to a file that is gone
                raise ValueError(f"cannot read the image {images.file(index)}: {error.strerror}") from error
    return facts


def _class_folders(split: Path) -> list[str]:
    if not split.is_dir():
        raise ValueError(
            f"there is no folder {split}; expected train/<class>/* and test/<class>/* in {split.parent} "
            "(a validation folder can be renamed, or linked, to test)"
        )
    with os.scandir(split) as entries:
        classes = sorted(
            entry.name for entry in entries if _is_folder(entry) and not entry.name.startswith(".")
        )
    if not classes:
        raise ValueError(f"{split} has no folders; expected one for each class, with its images")
    return classes


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()  # False for a circle of links


def is_file(entry: os.DirEntry[str]) -> bool:
    """True if an entry of a folder is a regular file, or a link to one."""
    return os.path.isfile(entry.path) if entry.is_symlink() else entry.is_file()


def _image_names(folder: Path) -> list[str]:
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _NOT_IMAGES:
                continue
            if _is_folder(entry):
                raise ValueError(f"{entry.path} is a folder; expected only images in a class folder")
            if not is_file(entry):
                raise ValueError(
                    f"cannot read the image {entry.path}: it is not a regular file, or a link that leads to none"
                )
            names.append(entry.name)
    if not names:
        raise ValueError(
            f"class folder {folder} has no images; add some, or remove the class from train and test"
        )
    return sorted(names)


def _refuse_difference(
    first: str, names: list[str], second: str, others: list[str] | tuple[str, ...]
) -> None:
    if names == list(others):
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
            f"{counted(number, 'image')} of {width} x {height} pixels take {total / 2**30:.1f} GiB decoded, above "
            f"the {_LARGEST_BYTES / 2**30:.0f} GiB that are held in memory; pass another image_size"
        )


def _decode(
    files: Mapping[str, ImageFiles], image_size: int | None, replace_unreadable: bool
) -> tuple[dict[str, NDArray[np.uint8]], list[str]]:
    """All images of each split in one array, with three channels unless every image is grey; what was replaced."""
    every_file = [(images, index) for images in files.values() for index in range(len(images))]
    if image_size is None:
        height, width = decode_image(every_file[0][0].file(0), upright=every_file[0][0].upright).shape[1:]
    else:
        height = width = image_size
    _require_room(len(every_file), height, width)
    pixels = np.empty((len(every_file), 3, height, width), dtype=np.uint8)
    replaced: list[str] = []

    def decode(start: int) -> list[bool]:
        """Fill one chunk of rows; return for each whether it is in colour."""
        colour = []
        for position in range(start, min(start + _CHUNK, len(every_file))):
            images, index = every_file[position]
            may_replace = replace_unreadable and images is files["train"]
            image = (
                _readable(images, index, image_size, replaced)
                if may_replace
                else decode_image(images.file(index), image_size, upright=images.upright)
            )
            if image.shape[1:] != (height, width):
                raise ValueError(
                    f"{images.file(index)} is {image.shape[2]} x {image.shape[1]} pixels, "
                    f"{every_file[0][0].file(0)} is {width} x {height}; expected images of one size"
                )
            pixels[position] = image  # a grey image fills all three channels
            colour.append(len(image) == 3)
        return colour

    any_colour = False
    # threads, not processes: they need no guarded __main__, and Pillow decodes photographs outside Python's lock
    with (
        ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool,
        tqdm(total=len(every_file), desc="decoding images", unit="image", delay=1, disable=None) as progress,
    ):
        try:
            for colour in pool.map(decode, range(0, len(every_file), _CHUNK)):
                any_colour |= any(colour)
                progress.update(len(colour))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if not any_colour:
        pixels = np.ascontiguousarray(pixels[:, :1])
    ends = np.cumsum([len(images) for images in files.values()])[:-1]
    return dict(zip(files, np.split(pixels, ends), strict=True)), sorted(replaced)


def _readable(
    images: ImageFiles, index: int, image_size: int | None, replaced: list[str]
) -> NDArray[np.uint8]:
    """The image, or the next one of its class that can be read, which is then noted in `replaced`."""
    members = np.flatnonzero(images.files.labels == images.files.labels[index])
    reasons = []
    for candidate in np.roll(members, -int(np.searchsorted(members, index))).tolist():
        try:
            pixels = decode_image(images.file(candidate), image_size, upright=images.upright)
        except ValueError as error:
            reasons.append(str(error))
            continue
        if reasons:
            replaced.append(f"{reasons[0]}; replaced by {images.file(candidate)}")
        return pixels
    raise ValueError(f"{reasons[0]}; no other image of its class can be read either")
