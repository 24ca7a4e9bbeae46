"""CIFAR-10 and CIFAR-100: from class folders of images, or from the official archives."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from bcl_edu.data.cache import cache_file, cached_arrays, file_facts, fingerprint
from bcl_edu.data.cifar_archives import CifarVersion
from bcl_edu.data.class_folders import SPLITS, read_class_folders
from bcl_edu.data.labelled import Dataset, LabelledImages
from bcl_edu.data.official import OfficialFile, fetch
from bcl_edu.data.pixel_order import content_order

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


@dataclass(frozen=True)
class CifarSource:
    """What is known of one of the two data sets; ``versions`` in the order in which they are looked for."""

    class_names: tuple[str, ...]
    images_a_class: dict[str, int]
    versions: tuple[CifarVersion, ...]


# The binary version comes first and is what is downloaded: there is no pickle in it.
# MD5 of the archives: their authors' page; of the single batches: torchvision's.
CIFAR = {
    "cifar10": CifarSource(
        class_names=CIFAR10_CLASSES,
        images_a_class={"train": 5000, "test": 1000},
        versions=(
            CifarVersion(
                OfficialFile(f"{_SITE}/cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", 162),
                folder="cifar-10-batches-bin",
                train={f"data_batch_{i}.bin": None for i in range(1, 6)},
                test={"test_batch.bin": None},
            ),
            CifarVersion(
                OfficialFile(f"{_SITE}/cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a", 163),
                folder="cifar-10-batches-py",
                train={
                    "data_batch_1": "c99cafc152244af753f735de768cd75f",
                    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
                    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
                    "data_batch_4": "634d18415352ddfa80567beed471001a",
                    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
                },
                test={"test_batch": "40351d587109b95175f43aff81a1287e"},
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
                train={"train.bin": None},
                test={"test.bin": None},
                label_bytes=2,
            ),
            CifarVersion(
                OfficialFile(f"{_SITE}/cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85", 161),
                folder="cifar-100-python",
                train={"train": "16019d7e3df5f24257cddd939b257f8d"},
                test={"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
                label_key=b"fine_labels",
            ),
        ),
    ),
}


def read_cifar(name: str, data_dir: Path, cache_dir: Path, *, download: bool = False) -> Dataset:
    """CIFAR-10 or CIFAR-100: 32 x 32 RGB, 50,000 images to train and 10,000 to test.

    Classes are in the official label order, images in content order (see ``content_order``): index i is the
    same picture whichever source it was read from. The sources, in the order in which they are looked for:

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
        dataset = read_class_folders(
            name, data_dir, cache_dir, class_names=source.class_names, order_by_content=True
        )
        shape = dataset.train.image_shape
        if shape != (3, 32, 32):
            raise ValueError(
                f"the images in {data_dir} are {shape} (channels, height, width), those of {name} are (3, 32, 32); "
                "open them as 'folder'"
            )
        return dataset
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


def _nearly(name: str, data_dir: Path) -> str:
    """What is there that may have been meant: the set one folder below, or a part of it."""
    if has_cifar(name, data_dir / name):
        return f", but in {data_dir / name}: name that folder"
    for version in CIFAR[name].versions:
        lacking = [
            file
            for file in (*version.train, *version.test)
            if not (data_dir / version.folder / file).is_file()
        ]
        if (data_dir / version.folder).is_dir() and lacking:
            return f": {data_dir / version.folder} lacks {', '.join(lacking)}"
    return ""


def has_cifar(name: str, data_dir: Path) -> bool:
    """Whether one of the sources is in this folder; what is in it is not read."""
    return _has_class_folders(data_dir) or any(version.find(data_dir) for version in CIFAR[name].versions)


def _has_class_folders(data_dir: Path) -> bool:
    return any((data_dir / split).is_dir() for split in SPLITS)


def _read_version(
    name: str, source: CifarSource, version: CifarVersion, found: list[Path], cache_dir: Path
) -> Dataset:
    def build() -> dict[str, NDArray[Any]]:
        arrays = version.read(found)
        for split in SPLITS:
            order = content_order(arrays[split], arrays[f"{split}_labels"])
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
            raise ValueError(
                f"{found[0]}: class {source.class_names[wrong[0]]!r} has {int(counts[wrong[0]])} {split} images, "
                f"expected {source.images_a_class[split]}; the file is not the published one, fetch it again"
            )
    return Dataset(name, parts["train"], parts["test"])
