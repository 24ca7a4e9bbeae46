"""CIFAR-10 and CIFAR-100: from class folders of images, or from the official archives."""

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bcl_edu.counting import counted
from bcl_edu.data.cache import cache_file, cached_arrays, file_facts, fingerprint
from bcl_edu.data.class_folders import read_class_folders
from bcl_edu.data.labelled import Dataset, LabelledImages
from bcl_edu.data.published import ExpectedCounts, OfficialFile, check_md5, fetch, read_member

SPLITS = ("train", "test")

_NAMES_10 = "airplane automobile bird cat deer dog frog horse ship truck"

_NAMES_100 = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""

# in the official label order, which is the alphabetical one
CIFAR10_CLASSES = tuple(_NAMES_10.split())
CIFAR100_CLASSES = tuple(_NAMES_100.split())

_SITE = "https://www.cs.toronto.edu/~kriz"
_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE
_UNPACKED_BYTES = 400 * 10**6  # the archives unpack to less than half of it


@dataclass(frozen=True)
class CifarVersion:
    """One of the two forms in which a CIFAR data set is published.

    Attributes:
        archive: the .tar.gz file.
        folder: the folder that it unpacks to.
        files: in this folder, the training set's in their order, then the test set's; of the Python version also
            the class names.
        read: arrays ``train``, ``test`` of images (n, 3, 32, 32) and ``train_labels``, ``test_labels``, from the folder
            that has the files. It raises errors of any type where they are not the published ones.
    """

    archive: OfficialFile
    folder: str
    files: tuple[str, ...]
    read: Callable[[Path], dict[str, NDArray[Any]]]

    def find(self, data_dir: Path) -> list[Path]:
        """The unpacked files, or else the archive, as far as they are in ``data_dir``; empty if nothing is."""
        archive = data_dir / self.archive.file_name
        for folder in (data_dir / self.folder, data_dir):
            unpacked = [folder / name for name in self.files]
            if all(path.is_file() for path in unpacked):
                return unpacked
        return [archive] if archive.is_file() else []

    def read_found(self, found: list[Path]) -> dict[str, NDArray[Any]]:
        """The arrays, from what ``find`` returned.

        Raises:
            ValueError: a file is damaged or not the published one.
        """
        with ExitStack() as stack:
            folder = found[0].parent
            if len(found) == 1:
                check_md5(found[0], self.archive)
                folder = Path(stack.enter_context(TemporaryDirectory(prefix="bcl-edu-")))
                for name in self.files:
                    content = read_member(found[0], f"{self.folder}/{name}", _UNPACKED_BYTES)
                    (folder / name).write_bytes(content)
            try:
                return self.read(folder)
            except Exception as error:  # whatever unexpected content leads to
                raise ValueError(
                    f"{found[0]} or a file beside it is not the published one: {error}; delete it and fetch "
                    f"{self.archive.url} again"
                ) from error


def _binary_reader(
    train: tuple[str, ...], test: tuple[str, ...], label_bytes: int
) -> Callable[[Path], dict[str, NDArray[Any]]]:
    """The reader of a binary version: records of the label, preceded by a coarse one in CIFAR-100, and the pixels."""

    def read(folder: Path) -> dict[str, NDArray[Any]]:
        arrays = {}
        for split, names in zip(SPLITS, (train, test), strict=True):
            content = b"".join(_whole_records(folder / name, label_bytes + _PIXELS) for name in names)
            records = np.frombuffer(content, dtype=np.uint8).reshape(-1, label_bytes + _PIXELS)
            arrays[split] = records[:, label_bytes:].reshape(-1, 3, _SIDE, _SIDE)
            arrays[f"{split}_labels"] = records[:, label_bytes - 1].astype(np.int64)
        return arrays

    return read


def _whole_records(path: Path, size: int) -> bytes:
    content = path.read_bytes()
    if not content or len(content) % size:
        raise ValueError(f"{path.name} has {len(content):,} bytes, expected a multiple of {size:,}")
    return content


def _torchvision_reader(class_name: str) -> Callable[[Path], dict[str, NDArray[Any]]]:
    """The reader of a Python version: torchvision's, which unpickles a file only if its MD5 is the published one."""

    def read(folder: Path) -> dict[str, NDArray[Any]]:
        from torchvision import datasets
        from torchvision.datasets.utils import check_integrity

        known = getattr(datasets, class_name)
        for name, md5 in [*known.train_list, *known.test_list, (known.meta["filename"], known.meta["md5"])]:
            if not check_integrity(folder / name, md5):
                raise ValueError(f"the MD5 of {name} is not {md5}, and another pickle is never read")
        here = type(
            class_name, (known,), {"base_folder": ""}
        )  # without the folder that torchvision expects below
        arrays = {}
        for split in SPLITS:
            loaded = here(str(folder), train=split == "train")
            arrays[split] = np.ascontiguousarray(loaded.data.transpose(0, 3, 1, 2))
            arrays[f"{split}_labels"] = np.array(loaded.targets, dtype=np.int64)
        return arrays

    return read


@dataclass(frozen=True)
class CifarSource:
    """One of the two data sets; ``versions`` in the order in which they are looked for."""

    class_names: tuple[str, ...]
    images_a_class: dict[str, int]
    versions: tuple[CifarVersion, ...]

    def expected(self, split: str) -> ExpectedCounts:
        """Published facts of a split."""
        each = self.images_a_class[split]
        return ExpectedCounts(len(self.class_names) * each, len(self.class_names), each, each)


_TRAIN_10 = tuple(f"data_batch_{i}" for i in range(1, 6))
_BINARY_10 = tuple(f"{name}.bin" for name in _TRAIN_10)

# The binary version comes first and is what is downloaded: it contains no pickles. MD5: their authors' page.
CIFAR = {
    "cifar10": CifarSource(
        class_names=CIFAR10_CLASSES,
        images_a_class={"train": 5000, "test": 1000},
        versions=(
            CifarVersion(
                OfficialFile(f"{_SITE}/cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", 162),
                folder="cifar-10-batches-bin",
                files=(*_BINARY_10, "test_batch.bin"),
                read=_binary_reader(_BINARY_10, ("test_batch.bin",), label_bytes=1),
            ),
            CifarVersion(
                OfficialFile(f"{_SITE}/cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a", 163),
                folder="cifar-10-batches-py",
                files=(*_TRAIN_10, "test_batch", "batches.meta"),
                read=_torchvision_reader("CIFAR10"),
            ),
        ),
    ),
    "cifar100": CifarSource(
        class_names=CIFAR100_CLASSES,
        images_a_class={"train": 500, "test": 100},
        versions=(
            CifarVersion(
                OfficialFile(f"{_SITE}/cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8", 161),
                folder="cifar-100-binary",
                files=("train.bin", "test.bin"),
                read=_binary_reader(("train.bin",), ("test.bin",), label_bytes=2),
            ),
            CifarVersion(
                OfficialFile(f"{_SITE}/cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85", 161),
                folder="cifar-100-python",
                files=("train", "test", "meta"),
                read=_torchvision_reader("CIFAR100"),
            ),
        ),
    ),
}


def read_cifar(name: str, data_dir: Path, cache_dir: Path, *, download: bool = False) -> Dataset:
    """CIFAR-10 or CIFAR-100: 32 x 32 RGB, 50,000 images to train and 10,000 to test.

    Classes are in the official label order, images sorted by label and pixels (see ``sort_by_pixel_hash``): index i is
    the same picture whichever source it was read from. The sources, in the order in which they are looked for:

    1. class folders ``train/<class>/*`` and ``test/<class>/*`` of images; classes may be incomplete;
    2. the official binary version, unpacked or as the .tar.gz file;
    3. the official Python version, unpacked or as the .tar.gz file.

    Args:
        name: "cifar10" or "cifar100".
        data_dir: where one of the sources is.
        cache_dir: where decoded images are kept.
        download: fetch the official binary version if there is none of them.

    Raises:
        ValueError: nothing usable is in ``data_dir``, or what is there is damaged or incomplete.
        ConnectionError: the download failed.
    """
    source = CIFAR[name]
    if _has_class_folders(data_dir):
        folders = read_class_folders(
            name, data_dir, cache_dir, class_names=source.class_names, order=sort_by_pixel_hash
        )
        if folders.train.image_shape != (3, _SIDE, _SIDE):
            raise ValueError(
                f"the images in {data_dir} are {folders.train.image_shape} (channels, height, width), those of {name} "
                "are (3, 32, 32); open them as 'folder'"
            )
        return folders
    for version in source.versions:
        if found := version.find(data_dir):
            return _read_version(name, source, version, found, cache_dir)
    official = source.versions[0].archive
    if not download:
        raise ValueError(
            f"{name} is not in {data_dir}{_nearly(name, data_dir)}. Either allow the download with download=True "
            f"(on the command line --download; {official.megabytes} MB); "
            f"or fetch {official.url} (MD5 {official.md5}) elsewhere and put it, as it is, into {data_dir}; or unpack "
            "class folders train/<class>/* and test/<class>/* there; or name the folder in which you have it"
        )
    return _read_version(name, source, source.versions[0], [fetch(official, data_dir)], cache_dir)


def has_cifar(name: str, data_dir: Path) -> bool:
    """True if one of the sources is in this folder; its contents are not read."""
    return _has_class_folders(data_dir) or any(version.find(data_dir) for version in CIFAR[name].versions)


def _nearly(name: str, data_dir: Path) -> str:
    """Hint for the error message: the set found one folder below, or a part of it found here."""
    if has_cifar(name, data_dir / name):
        return f", but in {data_dir / name}: name that folder"
    for version in CIFAR[name].versions:
        lacking = [file for file in version.files if not (data_dir / version.folder / file).is_file()]
        if (data_dir / version.folder).is_dir() and lacking:
            return f": {data_dir / version.folder} lacks {', '.join(lacking)}"
    return ""


def _has_class_folders(data_dir: Path) -> bool:
    return any((data_dir / split).is_dir() for split in SPLITS)


def _read_version(
    name: str, source: CifarSource, version: CifarVersion, found: list[Path], cache_dir: Path
) -> Dataset:
    def build() -> dict[str, NDArray[Any]]:
        arrays = version.read_found(found)
        for split in SPLITS:
            order = sort_by_pixel_hash(arrays[split], arrays[f"{split}_labels"])
            arrays[split] = arrays[split][order]
            arrays[f"{split}_labels"] = arrays[f"{split}_labels"][order]
        return arrays

    stamp = fingerprint(file_facts(path.name, path.stat()) for path in found)
    arrays = cached_arrays(cache_file(cache_dir, name, found[0]), stamp, build)
    parts = {}
    for split in SPLITS:
        images, labels = torch.from_numpy(arrays[split]), torch.from_numpy(arrays[f"{split}_labels"])
        parts[split] = LabelledImages(images, labels, source.class_names)
        counts = parts[split].class_counts
        wrong = (counts != source.images_a_class[split]).nonzero().flatten().tolist()
        if wrong:
            has = counted(int(counts[wrong[0]]), f"{split} image")
            raise ValueError(
                f"{found[0]}: class {source.class_names[wrong[0]]!r} has {has}, "
                f"expected {source.images_a_class[split]}; the file is not the published one, fetch it again"
            )
    return Dataset(name, parts["train"], parts["test"])


def sort_by_pixel_hash(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions sorted by label, then by the SHA-256 of the pixels.

    CIFAR's archives and class folders hold the same pictures in different orders. In this order, index i is the same
    picture in each of them, so that a seeded subset has the same pictures and the same SHA-256 whichever of them a
    run reads. (Pictures with equal pixels may change places, which makes no difference.)

    Args:
        images: shape (n, channel, height, width).
        labels: shape (n,).
    """
    digests = [hashlib.sha256(image.tobytes()).digest() for image in images]
    return np.array(sorted(range(len(images)), key=lambda i: (labels[i], digests[i])), dtype=np.int64)
