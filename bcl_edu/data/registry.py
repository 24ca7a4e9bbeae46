"""One function that opens any of the data sets by its name."""

import os
from collections.abc import Mapping
from pathlib import Path

from bcl_edu.data.cache import default_cache_dir
from bcl_edu.data.cifar import CIFAR, has_cifar, read_cifar
from bcl_edu.data.class_folders import SPLITS, read_class_folders
from bcl_edu.data.digits import read_digits
from bcl_edu.data.fashion_mnist import SYSTEM_DIR, find_fashion_mnist, read_fashion_mnist
from bcl_edu.data.labelled import Dataset
from bcl_edu.data.photograph_sets import FILE_SETS, read_file_set

DATASET_NAMES = ("digits", "fashion-mnist", "cifar10", "cifar100", "folder", *FILE_SETS)


def open_dataset(
    name: str,
    data_dir: Path | str | None = None,
    *,
    download: bool = False,
    cache_dir: Path | str | None = None,
    image_size: int | None = None,
    lists: Mapping[str, Path] | None = None,
) -> Dataset:
    """Images, labels, class names and class counts of a data set, to train and to test.

    ==========================  =========================================================================
    ``digits``                  1,797 grey digits of 8 x 8; they come with scikit-learn
    ``fashion-mnist``           70,000 grey clothes of 28 x 28; four IDX files, compressed or not
    ``cifar10``, ``cifar100``   60,000 RGB images of 32 x 32; an official archive, or class folders
    ``folder``                  your own: class folders ``train/<class>/*`` and ``test/<class>/*``
    ``imagenet-lt``             photographs as files, listed in ImageNet_LT_train.txt and ImageNet_LT_test.txt
    ``inaturalist2018``         photographs as files, listed in train2018.json and val2018.json
    ==========================  =========================================================================

    Nothing is thinned out: a long tail is a step of its own, ``long_tailed_subset``. The last two have theirs by
    nature; their images stay on disk (``ImageFiles``), those of the others come into memory (``LabelledImages``).

    Args:
        name: one of DATASET_NAMES.
        data_dir: the folder of this data set. By default ``data/<name>`` under the current folder or
            the one above it, or ``<name>`` in the folder that ``$BCL_EDU_DATA`` names; for ``fashion-mnist``
            also where Debian's package dataset-fashion-mnist puts it.
        download: fetch what is missing (of the last two the lists); off, so that nothing comes over the network
            unasked.
        cache_dir: where decoded images are kept; by default ``$BCL_EDU_CACHE``, or ``bcl_edu`` in the user's
            cache folder.
        image_size: for ``folder``: each image's short side is resized to it and its centre square cut
            out; by default images must all be of one size. For the last two: the size at which the network sees
            an image, by default 224.
        lists: for the last two: lists of one's own under "train" and "test", with any number of images.

    Raises:
        ValueError: the name is unknown, or the data are missing, damaged or inconsistent; the message says
            what to do.
        ConnectionError: a download failed; the message says what to fetch by other means, and where to put it.
    """
    require_fitting_options(name, image_size=image_size, lists=lists)
    folder = Path(data_dir) if data_dir is not None else default_data_dir(name)
    if folder.exists() or (data_dir is not None and name != "digits" and not download):
        require_folder(name, folder)
    cache = Path(cache_dir) if cache_dir is not None else default_cache_dir()
    if name == "digits":
        if data_dir is not None:
            raise ValueError(
                f"digits come with scikit-learn and are in no folder, but data_dir is {data_dir}; leave it out"
            )
        return read_digits()
    if name == "folder":
        return read_class_folders(name, folder, cache, image_size=image_size)
    if name == "fashion-mnist":
        return read_fashion_mnist(
            [folder] if data_dir is not None else [folder, SYSTEM_DIR], download=download
        )
    if name in FILE_SETS:
        return read_file_set(name, folder, cache, download=download, lists=lists, image_size=image_size)
    return read_cifar(name, folder, cache, download=download)


def require_fitting_options(
    name: str, *, image_size: int | None = None, lists: Mapping[str, Path] | None = None
) -> None:
    """Refuse a name that no data set has, and options that are for others.

    Raises:
        ValueError: with what is expected.
    """
    if name not in DATASET_NAMES:
        raise ValueError(f"there is no data set {name!r}; expected one of {', '.join(DATASET_NAMES)}")
    if image_size is not None and name != "folder" and name not in FILE_SETS:
        raise ValueError(
            f"image_size is {image_size}, but {name} has a fixed size; it is for folder, {', '.join(FILE_SETS)}"
        )
    if lists and name not in FILE_SETS:
        raise ValueError(f"{name} has no lists of images; lists are for {', '.join(FILE_SETS)}")


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
            f"there is no folder {folder}{where}; name the one that has {name} in it (on the command line --data-dir), "
            f"or none, which means {default_data_dir(name)}"
        )


def default_data_dir(name: str) -> Path:
    """Where a data set is looked for by default: ``$BCL_EDU_DATA/<name>``, otherwise ``data/<name>``.

    ``data`` is in the current folder or, if there is none, in the one above it: notebooks run one folder below the
    project's.
    """
    if folder := os.environ.get("BCL_EDU_DATA"):
        return Path(folder) / name
    above = Path("..") / "data"
    return (above if not Path("data").is_dir() and above.is_dir() else Path("data")) / name


def find_dataset(name: str) -> Path | None:
    """The folder in which a data set lies by default, without reading it; None if it would have to be downloaded.

    ``digits`` is found in scikit-learn, whose folder is ``.`` for want of another.

    Raises:
        ValueError: the name is unknown.
    """
    if name not in DATASET_NAMES:
        raise ValueError(f"there is no data set {name!r}; expected one of {', '.join(DATASET_NAMES)}")
    folder = default_data_dir(name)
    if name == "digits":
        return Path(".")
    if name == "fashion-mnist":
        return find_fashion_mnist([folder, SYSTEM_DIR])
    if name in CIFAR:
        return folder if has_cifar(name, folder) else None
    if name in FILE_SETS:
        return folder if folder.is_dir() and any(folder.iterdir()) else None
    return folder if all((folder / split).is_dir() for split in SPLITS) else None
