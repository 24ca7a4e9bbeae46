"""Data sets of photographs: lists of image files beside trees of images, published or a user's own."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from bcl_edu.counting import counted
from bcl_edu.data.annotations import read_annotations
from bcl_edu.data.class_names import name_classes
from bcl_edu.data.image_files import ImageFiles
from bcl_edu.data.image_lists import ImageList, read_list, write_list
from bcl_edu.data.labelled import Dataset
from bcl_edu.data.published import ExpectedCounts, OfficialFile, fetch

IMAGE_SIZE = 224
"""Height and width of the views and of the evaluated images, unless asked for otherwise."""


@dataclass(frozen=True)
class PublishedList:
    """Source of the list of a split.

    Attributes:
        list_name: file of `path label` lines.
        official: what is fetched on demand: this file, or annotations in JSON.
        expected: what the list must have.
    """

    list_name: str
    official: OfficialFile
    expected: ExpectedCounts

    @property
    def file_names(self) -> tuple[str, ...]:
        """Names under which the split is looked for, in this order; the list is the fastest to read."""
        fetched = self.official.file_name
        if fetched == self.list_name:
            return (self.list_name,)
        return self.list_name, fetched.removesuffix(".tar.gz"), fetched


@dataclass(frozen=True)
class PhotographSet:
    """Facts about a data set of photographs.

    Attributes:
        name: one of DATASET_NAMES.
        splits: published lists by split; "train" and "test" are what is trained and tested on. Empty for a user's own.
        mean: of each colour channel, on the scale 0 to 1.
        std: likewise the standard deviation.
        image_roots: folders below the data set's own in which the images are looked for.
        images_from: where the images come from, in words.
    """

    name: str
    splits: dict[str, PublishedList]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    image_roots: tuple[str, ...]
    images_from: str


class ClassFoldersDiffer(UserWarning):
    """Two lists have the same labels in folders of other names."""


def read_photographs(
    source: PhotographSet,
    data_dir: Path,
    cache_dir: Path,
    *,
    download: bool = False,
    lists: Mapping[str, Path] | None = None,
    image_size: int | None = None,
) -> Dataset:
    """Open a data set of photographs, long-tailed as it was published or listed.

    Only the first image of each class is looked for: `python -m bcl_edu.data check` looks for all of them.

    Args:
        source: which data set.
        data_dir: has the images, and the lists unless they are elsewhere.
        cache_dir: where lists are looked for and put if `data_dir` cannot be written to.
        download: fetch the lists that are missing; images are never fetched.
        lists: the user's own lists, by split ("train", "test", "validation"); they need not have the published counts.
            Images of a validation list are taken out of the training list.
        image_size: height and width at which the network sees an image; by default 224.

    Raises:
        ValueError: a list is missing, malformed or not the published one, or images are missing.
        ConnectionError: the download of a list failed.
    """
    own = dict(lists or {})
    paths = {
        split: own.get(split) or find_list(source, split, data_dir, cache_dir, download=download)
        for split in ("train", "test", *own)
    }
    images = {split: read_any_list(path) for split, path in paths.items()}
    for split in (split for split in images if split not in own):  # the training list first
        require_published(source.splits[split], paths[split], images[split])
    if "validation" in images:
        images["train"] = without(images["train"], images["validation"])
    class_names, images, notes = name_classes(images)
    for note in notes:
        warnings.warn(note, ClassFoldersDiffer, stacklevel=2)
    parts = {}
    for split, listed in images.items():
        root, flat = find_images(source, data_dir, listed)
        parts[split] = ImageFiles(
            root, listed, class_names, image_size or IMAGE_SIZE, source.mean, source.std, flat
        )
        require_a_first_image_of_each_class(source.name, split, parts[split])
    facts: dict[str, Any] = {
        "lists": {
            split: {
                "file": paths[split].name,
                "as_published": split in source.splits
                and not source.splits[split].expected.differences(listed.labels),
            }
            for split, listed in images.items()
        }
    }
    return Dataset(source.name, parts["train"], parts["test"], facts, parts.get("validation"))


def prepare_photographs(
    source: PhotographSet, data_dir: Path, cache_dir: Path, *, download: bool
) -> list[str]:
    """Fetch the published lists if that is allowed, and turn annotations into lists, which open in a moment.

    Returns:
        One line for each list that is ready.

    Raises:
        ValueError: a list is missing or not the published one.
        ConnectionError: a download failed.
    """
    done = []
    for split, published in source.splits.items():
        try:
            path = find_list(source, split, data_dir, cache_dir, download=download)
        except ValueError:
            if download or split in ("train", "test"):
                raise
            continue  # neither training nor evaluation needs it
        if path.name != published.list_name:
            images = read_any_list(path)
            require_published(published, path, images)
            path = writable(path.parent, _list_folders(source, data_dir, cache_dir)[-1]) / published.list_name
            write_list(path, images)
        done.append(f"list of {split} images: {path}")
    return done


# ---- lists


def read_any_list(path: Path) -> ImageList:
    """Read a list in any of the forms: `path label` lines, CSV, or iNaturalist's annotations in JSON."""
    return read_annotations(path) if path.name.endswith((".json", ".json.tar.gz")) else read_list(path)


def without(images: ImageList, others: ImageList) -> ImageList:
    """The images whose paths are not among the others'."""
    return images.select(np.flatnonzero(~np.isin(images.paths, others.paths)))


def _list_folders(source: PhotographSet, data_dir: Path, cache_dir: Path) -> list[Path]:
    """Folders that are searched for lists, in this order."""
    return [data_dir, data_dir / "ImageNet_LT", cache_dir / "lists" / source.name]


def find_list(
    source: PhotographSet, split: str, data_dir: Path, cache_dir: Path, *, download: bool = False
) -> Path:
    """The file that lists a split, fetched if that is allowed.

    Raises:
        ValueError: it is not there, or what came is not what was published.
        ConnectionError: the download failed.
    """
    if split not in source.splits:
        raise ValueError(
            f"no list of {split} images was named; {source.name} needs one (on the command line --{split}-list)"
        )
    listed = source.splits[split]
    folders = _list_folders(source, data_dir, cache_dir)
    for folder in folders:
        for file_name in listed.file_names:
            if (folder / file_name).is_file():
                return folder / file_name
    official = listed.official
    if not download:
        raise ValueError(
            f"the list of {source.name}'s {split} images, {' or '.join(listed.file_names)}, is not in {data_dir}. "
            f"Either allow its download with download=True (on the command line --download; {official.megabytes} MB); "
            f"or fetch {official.url} elsewhere and put it, as it is, into {data_dir}; or name the list you have "
            f"(on the command line --{split}-list)"
        )

    def verify(path: Path) -> None:
        if official.md5 is None:
            require_published(listed, path, read_list(path))

    return fetch(official, writable(data_dir, folders[-1]), verify)


def writable(folder: Path, otherwise: Path) -> Path:
    """Return ``folder``, or ``otherwise`` where the first is read-only (a group's shared data); create it if needed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        pass
    else:
        if os.access(folder, os.W_OK):
            return folder
    otherwise.mkdir(parents=True, exist_ok=True)
    return otherwise


def require_published(listed: PublishedList, path: Path, images: ImageList) -> None:
    """Refuse a list that does not have the published counts.

    Raises:
        ValueError: with the differences.
    """
    if differences := listed.expected.differences(images.labels):
        raise ValueError(
            f"{path} is not the published list: it has {'; '.join(differences)}. Fetch {listed.official.url} again; "
            "or, if it is meant to be a list of your own, name it (on the command line --train-list, --test-list)"
        )


# ---- images


def find_images(source: PhotographSet, data_dir: Path, images: ImageList) -> tuple[Path, bool]:
    """The folder that the listed paths are relative to, and whether class folders are left out in it.

    Raises:
        ValueError: none of twenty images all over the list is anywhere.
    """
    tried = [images.path(index) for index in np.linspace(0, len(images) - 1, 20).astype(int).tolist()]
    candidates = [(data_dir / below, flat) for below in source.image_roots for flat in (False, True)]
    hits = [sum(_placed(root, path, flat).is_file() for path in tried) for root, flat in candidates]
    if max(hits) == 0:
        raise ValueError(
            f"none of {source.name}'s images is in {data_dir}: looked for {tried[0]} and {len(tried) - 1} more of the "
            f"list. They are {source.images_from}; then name the folder that has {tried[0].split('/')[0]} in it "
            f"with --data-dir. `python -m bcl_edu.data check {source.name}` shows the expected tree"
        )
    return candidates[int(np.argmax(hits))]


def _placed(root: Path, path: str, flat: bool) -> Path:
    listed = PurePosixPath(path)
    return root / (listed.parent.parent / listed.name if flat else listed)


def require_a_first_image_of_each_class(name: str, split: str, images: ImageFiles) -> None:
    """Look for one image of each class: a moment, where looking for all takes minutes on a network's disk.

    Raises:
        ValueError: some are missing.
    """
    _, first = np.unique(images.files.labels, return_index=True)
    missing = [path for path in (images.file(index) for index in first.tolist()) if not path.is_file()]
    if missing:
        raise ValueError(
            f"of {counted(len(first), 'class')} of {name}, {len(missing):,} lack their first {split} image, among them "
            f"{missing[0]}; `python -m bcl_edu.data check {name} --data-dir {images.root}` lists what is missing"
        )
