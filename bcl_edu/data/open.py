"""Open any of the data sets by its name, find it, or get it ready."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from bcl_edu.counting import counted
from bcl_edu.data.cache import default_cache_dir
from bcl_edu.data.cifar import CIFAR, has_cifar, read_cifar
from bcl_edu.data.class_folders import REQUIRED_SPLITS, list_class_folders, own_images
from bcl_edu.data.class_names import with_class_names
from bcl_edu.data.digits import read_digits
from bcl_edu.data.fashion_mnist import SYSTEM_DIR, find_fashion_mnist, read_fashion_mnist
from bcl_edu.data.image_files import ImageFiles
from bcl_edu.data.imagenet_lt import IMAGENET_LT
from bcl_edu.data.inaturalist import INATURALIST_2018
from bcl_edu.data.labelled import Dataset, Images
from bcl_edu.data.photographs import (
    IMAGE_SIZE,
    PhotographSet,
    find_images,
    prepare_photographs,
    read_any_list,
    read_photographs,
)
from bcl_edu.files import user_path
from bcl_edu.recipe import OWN_IMAGES

PHOTOGRAPH_SETS = {source.name: source for source in (IMAGENET_LT, INATURALIST_2018)}
"""The published data sets of photographs, by name."""

OWN_LISTS = PhotographSet(
    name="lists",
    splits={},
    mean=IMAGENET_LT.mean,
    std=IMAGENET_LT.std,
    image_roots=("",),
    images_from="where your lists say",
)
"""A user's own images, named by their lists."""

DATASET_NAMES = ("digits", "fashion-mnist", "cifar10", "cifar100", "folder", "lists", *PHOTOGRAPH_SETS)

_LISTED = ("lists", *PHOTOGRAPH_SETS)
_NOT_FETCHED = ("digits", *OWN_IMAGES)


def open_dataset(
    name: str,
    data_dir: Path | str | None = None,
    *,
    download: bool = False,
    cache_dir: Path | str | None = None,
    image_size: int | None = None,
    lists: Mapping[str, Path | str] | None = None,
    replace_unreadable: bool = False,
    upright: bool = True,
) -> Dataset:
    """Images, labels, class names and class counts of a data set, to train and to test.

    ==========================  =========================================================================
    ``digits``                  1,797 grey digits of 8 x 8; they come with this package
    ``fashion-mnist``           70,000 grey clothes of 28 x 28; four IDX files, compressed or not
    ``cifar10``, ``cifar100``   60,000 RGB images of 32 x 32; an official archive, or class folders
    ``folder``                  your own: class folders ``train/<class>/*`` and ``test/<class>/*``
    ``lists``                   your own: `path label` lines or CSV, named with ``lists``
    ``imagenet-lt``             photographs as files, listed in ImageNet_LT_train.txt and ImageNet_LT_test.txt
    ``inaturalist2018``         photographs as files, listed in train2018.json and val2018.json
    ==========================  =========================================================================

    Nothing is thinned out: a long tail is a step of its own, ``long_tailed_subset``; the last two have theirs by
    nature. Photographs stay on disk (``ImageFiles``), small images come into memory (``LabelledImages``); for images
    of your own, ``bcl_edu.data.class_folders.own_images`` has the rule.

    Args:
        name: one of DATASET_NAMES.
        data_dir: the folder of this data set. By default ``data/<name>`` under the current folder or
            the one above it, or ``<name>`` in the folder that ``$BCL_EDU_DATA`` names; for ``fashion-mnist``
            also where Debian's package dataset-fashion-mnist puts it; for ``lists`` the current folder.
        download: fetch what is missing (of the last two the lists); off, so that nothing comes over the network
            unasked.
        cache_dir: where decoded images are kept; by default ``$BCL_EDU_CACHE``, or ``bcl_edu`` in the user's
            cache folder.
        image_size: height and width at which the network sees an image; for ``folder`` and ``lists`` by default the
            median short side of the training images, from 16 to 224; for the last two 224.
        lists: for ``lists`` and the last two: your own lists by split ("train", "test" and, if you like,
            "validation"), with any number of images.
        replace_unreadable: for ``folder`` and ``lists``: where a training image has to be decoded here and cannot be,
            take the next one of its class, with a warning.
        upright: for ``folder`` and ``lists``: turn pictures upright as their EXIF data say. The others are always as
            published.

    Raises:
        ValueError: the name is unknown, or the data are missing, damaged or inconsistent; the message says
            what to do.
        ConnectionError: a download failed; the message says what to fetch by other means, and where to put it.
    """
    require_fitting_options(name, data_dir=data_dir, download=download, image_size=image_size, lists=lists)
    folder, cache = data_and_cache_dirs(name, data_dir, cache_dir)
    if folder.exists() or (data_dir is not None and not download):
        require_folder(name, folder)
    own_lists = {split: user_path(path) for split, path in (lists or {}).items()}
    if name == "digits":
        return read_digits()
    if name == "folder":
        files = list_class_folders(folder)
        return _own(name, folder, cache, files, {}, image_size, replace_unreadable, upright)
    if name == "lists":
        listed = read_photographs(OWN_LISTS, folder, cache, lists=own_lists)
        files = {
            split: images
            for split, images in (
                ("train", listed.train),
                ("test", listed.test),
                ("validation", listed.validation),
            )
            if isinstance(images, ImageFiles)
        }
        return _own(name, folder, cache, files, listed.facts, image_size, replace_unreadable, upright)
    if name == "fashion-mnist":
        return read_fashion_mnist(
            [folder] if data_dir is not None else [folder, SYSTEM_DIR], download=download
        )
    if name in PHOTOGRAPH_SETS:
        source = PHOTOGRAPH_SETS[name]
        return read_photographs(
            source, folder, cache, download=download, lists=own_lists, image_size=image_size
        )
    return read_cifar(name, folder, cache, download=download)


def open_test_images(
    name: str,
    data_dir: Path | str | None,
    class_names: Sequence[str],
    image_size: int | None,
    lists: Mapping[str, Path | str] | None = None,
    *,
    upright: bool = True,
    cache_dir: Path | str | None = None,
) -> Images:
    """The test images of a data set, for a network that is trained already: of a user's own images nothing else has to
    be there.

    Args:
        name: one of DATASET_NAMES.
        data_dir: as for ``open_dataset``.
        class_names: of the training, which the numbers of a list stand for.
        image_size: as for ``open_dataset``, but not left out for ``folder`` and ``lists``.
        lists: as for ``open_dataset``; of ``lists`` the test list suffices.
        upright: as for ``open_dataset``, and as in the training.
        cache_dir: as for ``open_dataset``.

    Returns:
        The images with the class names that they have here: see ``in_recorded_classes``.

    Raises:
        ValueError: the images are missing, damaged or inconsistent, or a list has a number that is no class.
    """
    if name not in OWN_IMAGES or "train" in (lists or {}):
        return open_dataset(
            name, data_dir, cache_dir=cache_dir, image_size=image_size, lists=lists, upright=upright
        ).test
    require_fitting_options(name, image_size=image_size, lists=lists)
    folder, cache = data_and_cache_dirs(name, data_dir, cache_dir)
    require_folder(name, folder)
    if name == "folder":
        files = list_class_folders(folder, splits=("test",))
    else:
        if "test" not in (lists or {}):
            raise ValueError("no list of test images was named (on the command line --test-list)")
        listed, names = with_class_names(read_any_list(user_path((lists or {})["test"])), class_names)
        root, _ = find_images(OWN_LISTS, folder, listed)
        files = {
            "test": ImageFiles(
                root, listed, names, image_size or IMAGE_SIZE, IMAGENET_LT.mean, IMAGENET_LT.std
            )
        }
    return own_images(f"{name}-test", folder, cache, files, image_size, upright=upright)["test"]


def _own(
    name: str,
    folder: Path,
    cache: Path,
    files: Mapping[str, ImageFiles],
    facts: Mapping[str, object],
    image_size: int | None,
    replace_unreadable: bool,
    upright: bool,
) -> Dataset:
    parts = own_images(
        name, folder, cache, files, image_size, replace_unreadable=replace_unreadable, upright=upright
    )
    if parts["train"].num_classes < 2:
        raise ValueError(
            f"{folder} has a single class, {parts['train'].class_names[0]}; expected two or more to tell apart"
        )
    facts = {**facts, "image_size": parts["train"].image_shape[1]}
    return Dataset(name, parts["train"], parts["test"], facts, parts.get("validation"))


def prepare_dataset(
    name: str,
    data_dir: Path | str | None = None,
    *,
    download: bool = False,
    cache_dir: Path | str | None = None,
) -> list[str]:
    """Build once what every run would otherwise build or fetch: lists, lists made from annotations, decoded images.

    - `imagenet-lt` and `inaturalist2018`: lists are fetched if that is allowed, and annotations in JSON become
      lists; images are never fetched;
    - the others: the archive is fetched if that is allowed, and the decoded images are cached.

    Args:
        name: one of DATASET_NAMES.
        data_dir: as for `open_dataset`.
        download: fetch what is missing.
        cache_dir: as for `open_dataset`.

    Returns:
        One line for each thing that is ready.

    Raises:
        ValueError: something is missing or not what was published.
        ConnectionError: a download failed.
    """
    require_fitting_options(name, data_dir=data_dir, download=download)
    if name not in PHOTOGRAPH_SETS:
        dataset = open_dataset(name, data_dir, download=download, cache_dir=cache_dir)
        return [f"{len(dataset.train):,} training and {counted(len(dataset.test), 'test image')} are ready"]
    folder, cache = data_and_cache_dirs(name, data_dir, cache_dir)
    if folder.exists() or (data_dir is not None and not download):
        require_folder(name, folder)
    return prepare_photographs(PHOTOGRAPH_SETS[name], folder, cache, download=download)


def require_fitting_options(
    name: str,
    *,
    data_dir: Path | str | None = None,
    download: bool = False,
    image_size: int | None = None,
    lists: Mapping[str, Path | str] | None = None,
) -> None:
    """Refuse a name that no data set has, and options that are for others: none is taken and not used.

    Raises:
        ValueError: with what is expected.
    """
    if name not in DATASET_NAMES:
        raise ValueError(f"there is no data set {name!r}; expected one of {', '.join(DATASET_NAMES)}")
    if name == "digits" and data_dir is not None:
        raise ValueError(f"data_dir is {data_dir}, but digits come with this package; leave it out")
    if download and name in _NOT_FETCHED:
        why = "come with this package" if name == "digits" else "stands for images of your own"
        raise ValueError(f"download is asked for, but {name} {why}; leave it out")
    if image_size is not None and name not in ("folder", *_LISTED):
        raise ValueError(
            f"image_size is {image_size}, but {name} has a fixed size; it is for {', '.join(('folder', *_LISTED))}"
        )
    if lists and name not in _LISTED:
        split, path = next(iter(lists.items()))
        raise ValueError(
            f"a {split} list is named, {path}, but {name} has no lists; leave it out (lists are for "
            f"{', '.join(_LISTED)})"
        )


_WHAT = {
    "folder": "the folder in which train and test are",
    "lists": "the folder to which the listed paths are relative",
}


def require_folder(name: str, folder: Path) -> None:
    """Refuse a folder for a data set that is not there, or is a file.

    Raises:
        ValueError: with what is expected.
    """
    if folder.is_file():
        raise ValueError(f"data_dir is the file {folder}; expected the folder that has it")
    if not folder.is_dir():
        where = "" if folder.is_absolute() else f" in {Path.cwd()}"
        raise ValueError(
            f"there is no folder {folder}{where}; name {_WHAT.get(name, f'the folder of {name}')} (on the command line "
            f"--data-dir), or leave it out for {default_data_dir(name)}"
        )


def data_and_cache_dirs(
    name: str, data_dir: Path | str | None, cache_dir: Path | str | None
) -> tuple[Path, Path]:
    """The folders that a user named, or else the default ones."""
    return (
        default_data_dir(name) if data_dir is None else user_path(data_dir),
        default_cache_dir() if cache_dir is None else user_path(cache_dir),
    )


def default_data_dir(name: str) -> Path:
    """Default folder of a data set: ``$BCL_EDU_DATA/<name>``, otherwise ``data/<name>``.

    ``data`` is in the current folder or, if there is none, in the one above it: notebooks run one folder below the
    project's. The paths in a user's own lists are relative to the current folder.
    """
    if name == "lists":
        return Path(".")
    if folder := os.environ.get("BCL_EDU_DATA"):
        return user_path(folder) / name
    above = Path("..") / "data"
    return (above if not Path("data").is_dir() and above.is_dir() else Path("data")) / name


def find_dataset(name: str) -> Path | None:
    """The folder in which a data set lies by default, without reading it; None if it would have to be downloaded.

    ``digits`` are in this package, whose folder is returned. ``lists`` are never found: they have to be named.

    Raises:
        ValueError: the name is unknown.
    """
    require_fitting_options(name)
    folder = default_data_dir(name)
    if name == "digits":
        return Path(__file__).parent
    if name == "lists":
        return None
    if name == "fashion-mnist":
        return find_fashion_mnist([folder, SYSTEM_DIR])
    if name in CIFAR:
        return folder if has_cifar(name, folder) else None
    if name in PHOTOGRAPH_SETS:
        return folder if folder.is_dir() and any(folder.iterdir()) else None
    return folder if all((folder / split).is_dir() for split in REQUIRED_SPLITS) else None
