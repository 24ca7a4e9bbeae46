"""ImageNet-LT and iNaturalist 2018: lists of image files beside trees of images that their authors publish."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from bcl_edu.data.image_files import ImageFiles
from bcl_edu.data.image_lists import ImageList, read_annotations, read_list
from bcl_edu.data.labelled import Dataset
from bcl_edu.data.official import OfficialFile, fetch
from bcl_edu.data.published import Published

IMAGE_SIZE = 224
"""Height and width of the views and of the evaluated images, unless asked for otherwise."""


@dataclass(frozen=True)
class ListedSplit:
    """Where the list of a split comes from.

    Attributes:
        list_name: file of `path label` lines.
        official: what is fetched on demand: this file, or annotations in JSON.
        published: what the list must have.
    """

    list_name: str
    official: OfficialFile
    published: Published

    @property
    def file_names(self) -> tuple[str, ...]:
        """Names under which the split is looked for, in this order; the list is the fastest to read."""
        fetched = self.official.file_name
        if fetched == self.list_name:
            return (self.list_name,)
        return self.list_name, fetched.removesuffix(".tar.gz"), fetched

    def read(self, path: Path) -> ImageList:
        """Read the list from one of these files, or from any other of the same kind."""
        return read_annotations(path) if path.name.endswith((".json", ".json.tar.gz")) else read_list(path)


@dataclass(frozen=True)
class FileSet:
    """What is known of a data set of image files.

    Attributes:
        splits: by name; "train" and "test" are what is trained and tested on.
        mean: of each colour channel, on the scale 0 to 1.
        std: likewise the standard deviation.
        image_roots: folders below the data set's own in which the images are looked for.
        images_from: where the images come from, in words.
    """

    splits: dict[str, ListedSplit]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    image_roots: tuple[str, ...]
    images_from: str


_LISTS = "https://raw.githubusercontent.com/facebookresearch/classifier-balancing/main/data/ImageNet_LT"
_INATURALIST = "https://ml-inat-competition-datasets.s3.amazonaws.com/2018"


def _imagenet_lt(split: str, megabytes: int, published: Published) -> ListedSplit:
    name = f"ImageNet_LT_{split}.txt"
    return ListedSplit(name, OfficialFile(f"{_LISTS}/{name}", None, megabytes), published)


def _inaturalist(split: str, md5: str, published: Published) -> ListedSplit:
    annotations = OfficialFile(f"{_INATURALIST}/{split}2018.json.tar.gz", md5, 26)
    return ListedSplit(f"iNaturalist18_{split}.txt", annotations, published)


# ImageNet-LT: Liu et al. (CVPR 2019) drew the lists; they publish no hash, so the counts are checked. The URL is the
# copy of Kang et al. (ICLR 2020), whose paths have class folders for the validation images as well. "test" is
# ImageNet's validation set, "validation" 20 images a class of its training set that are not in "train".
# iNaturalist 2018: MD5, counts and URLs from https://github.com/visipedia/inat_comp/tree/master/2018. Its test labels
# were never published: "test" is its validation set, as in the paper.
# Channel statistics: those of the authors' main.py, https://github.com/FlamieZhu/Balanced-Contrastive-Learning.
FILE_SETS = {
    "imagenet-lt": FileSet(
        splits={
            "train": _imagenet_lt("train", 5, Published(115_846, 1000, 1280, 5)),
            "validation": _imagenet_lt("val", 1, Published(20_000, 1000, 20, 20)),
            "test": _imagenet_lt("test", 3, Published(50_000, 1000, 50, 50)),
        },
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        image_roots=("", "ILSVRC/Data/CLS-LOC", "imagenet"),
        images_from="ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from https://image-net.org (an account is "
        "needed), unpacked",
    ),
    "inaturalist2018": FileSet(
        splits={
            "train": _inaturalist(
                "train", "bfa29d89d629cbf04d826a720c0a68b0", Published(437_513, 8142, 1000, 2)
            ),
            "test": _inaturalist("val", "f2ed8bfe3e9901cdefceb4e53cd3775d", Published(24_426, 8142, 3, 3)),
        },
        mean=(0.466, 0.471, 0.380),
        std=(0.195, 0.194, 0.192),
        image_roots=("",),
        images_from=f"{_INATURALIST}/train_val2018.tar.gz (120 GB, MD5 b1c6952ce38f31868cc50ea72d066cc3), unpacked",
    ),
}


def read_file_set(
    name: str,
    data_dir: Path,
    cache_dir: Path,
    *,
    download: bool = False,
    lists: Mapping[str, Path] | None = None,
    image_size: int | None = None,
) -> Dataset:
    """A data set of image files, long-tailed as it was published.

    Of the images only the first of each class is looked for: `python -m bcl_edu.data check` looks for all.

    Args:
        name: one of FILE_SETS.
        data_dir: has the images, and the lists unless they are elsewhere.
        cache_dir: where lists are looked for and put if `data_dir` cannot be written to.
        download: fetch the lists that are missing; images are never fetched.
        lists: lists of one's own, by split; they need not have the published counts.
        image_size: height and width at which the network sees an image; by default 224.

    Raises:
        ValueError: a list is missing, malformed or not the published one, or images are missing.
        ConnectionError: the download of a list failed.
    """
    source = FILE_SETS[name]
    found = {
        split: (
            find_list(name, split, data_dir, cache_dir, download=download)
            if split not in (lists or {})
            else (lists or {})[split]
        )
        for split in ("train", "test")
    }
    images = {split: source.splits[split].read(path) for split, path in found.items()}
    for split in images:
        if split not in (lists or {}):
            require_published(source.splits[split], found[split], images[split])
    class_names = names_of_classes(images["train"], images["test"])
    parts = {}
    for split, listed in images.items():
        root, flat = find_images(name, data_dir, listed)
        parts[split] = ImageFiles(
            root, listed, class_names, image_size or IMAGE_SIZE, source.mean, source.std, flat
        )
        require_a_first_image_of_each_class(name, split, parts[split])
    facts: dict[str, Any] = {
        "lists": {
            split: {
                "file": found[split].name,
                "as_published": not source.splits[split].published.differences(listed.labels),
            }
            for split, listed in images.items()
        }
    }
    return Dataset(name, parts["train"], parts["test"], facts)


# ---- lists


def list_folders(name: str, data_dir: Path, cache_dir: Path) -> list[Path]:
    """Where lists are looked for, in this order."""
    return [data_dir, data_dir / "ImageNet_LT", cache_dir / "lists" / name]


def find_list(name: str, split: str, data_dir: Path, cache_dir: Path, *, download: bool = False) -> Path:
    """The file that lists a split, fetched if that is allowed.

    Raises:
        ValueError: it is not there, or what came is not what was published.
        ConnectionError: the download failed.
    """
    listed = FILE_SETS[name].splits[split]
    folders = list_folders(name, data_dir, cache_dir)
    for folder in folders:
        for file_name in listed.file_names:
            if (folder / file_name).is_file():
                return folder / file_name
    official = listed.official
    if not download:
        raise ValueError(
            f"the list of {name}'s {split} images, {' or '.join(listed.file_names)}, is not in {data_dir}. Either "
            f"allow its download with download=True (on the command line --download; {official.megabytes} MB); or "
            f"fetch {official.url} elsewhere and put it, as it is, into {data_dir}; or name the list you have "
            f"(on the command line --{split}-list)"
        )

    def verify(path: Path) -> None:
        if official.md5 is None:
            require_published(listed, path, read_list(path))

    return fetch(official, writable(data_dir, folders[-1]), verify)


def writable(folder: Path, otherwise: Path) -> Path:
    """The folder, or the other where one may only read the first, as with data that a group shares; it is created."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        pass
    else:
        if os.access(folder, os.W_OK):
            return folder
    otherwise.mkdir(parents=True, exist_ok=True)
    return otherwise


def require_published(listed: ListedSplit, path: Path, images: ImageList) -> None:
    """Refuse a list that has not the published counts.

    Raises:
        ValueError: with the differences.
    """
    if differences := listed.published.differences(images.labels):
        raise ValueError(
            f"{path} is not the published list: it has {'; '.join(differences)}. Fetch {listed.official.url} again; "
            "or, if it is meant to be a list of your own, name it (on the command line --train-list, --test-list)"
        )


def names_of_classes(train: ImageList, test: ImageList) -> tuple[str, ...]:
    """The folders of the classes, `n01440764` or `Plantae/7291`; numbers where a class has no folder of its own.

    Raises:
        ValueError: a class has no training image, or its folder is another in the test list.
    """
    empty = np.flatnonzero(np.bincount(train.labels) == 0)
    if len(empty):
        raise ValueError(
            f"the training list has labels up to {int(train.labels.max())}, but none of its images has label "
            f"{int(empty[0])} ({len(empty)} such classes); every class needs an image to train on"
        )
    names = _folders_of_labels(train)
    if len(set(names.values())) < len(names):
        return tuple(str(label) for label in sorted(names))
    for label, name in _folders_of_labels(test).items():
        if name and label in names and names[label] != name:
            raise ValueError(
                f"label {label} is {names[label]} in the training list, but {name} in the test list: the lists do "
                "not belong together"
            )
    return tuple(names[label] for label in sorted(names))


def _folders_of_labels(images: ImageList) -> dict[int, str]:
    """Of each label, the folders between the first one and the file, taken from its first image."""
    labels, first = np.unique(images.labels, return_index=True)
    return {
        int(label): "/".join(images.path(index).split("/")[1:-1])
        for label, index in zip(labels, first.tolist(), strict=True)
    }


# ---- images


def find_images(name: str, data_dir: Path, images: ImageList) -> tuple[Path, bool]:
    """The folder that the listed paths are relative to, and whether class folders are left out in it.

    Raises:
        ValueError: none of twenty images all over the list is anywhere.
    """
    source = FILE_SETS[name]
    tried = [images.path(index) for index in np.linspace(0, len(images) - 1, 20).astype(int)]
    candidates = [(data_dir / below, flat) for below in source.image_roots for flat in (False, True)]
    hits = [sum(_placed(root, path, flat).is_file() for path in tried) for root, flat in candidates]
    if max(hits) == 0:
        raise ValueError(
            f"none of {name}'s images is in {data_dir}: looked for {tried[0]} and {len(tried) - 1} more of the list. "
            f"They are {source.images_from}; then name the folder that has {tried[0].split('/')[0]}/ in it with "
            f"--data-dir. `python -m bcl_edu.data check {name}` shows the expected tree"
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
            f"of {len(first):,} classes of {name}, {len(missing):,} lack their first {split} image, among them "
            f"{missing[0]}; `python -m bcl_edu.data check {name} --data-dir {images.root}` lists what is missing"
        )
