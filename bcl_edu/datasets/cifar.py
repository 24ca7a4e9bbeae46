"""CIFAR-10 and CIFAR-100: from class folders of images."""

from pathlib import Path

from bcl_edu.datasets.class_folders import SPLITS, read_class_folders
from bcl_edu.datasets.labelled import Dataset

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

_CLASSES = {"cifar10": CIFAR10_CLASSES, "cifar100": CIFAR100_CLASSES}


def read_cifar(name: str, data_dir: Path, cache_dir: Path, *, download: bool = False) -> Dataset:
    """CIFAR-10 or CIFAR-100: 32 x 32 RGB, 50,000 images to train and 10,000 to test.

    Images are in content order (see ``content_order``), classes in the official label order.

    Args:
        name: "cifar10" or "cifar100".
        data_dir: has the class folders ``train/<class>/*`` and ``test/<class>/*``.
        cache_dir: where decoded images are kept.
        download: fetch the official archive if nothing is there.

    Raises:
        ValueError: nothing usable is in ``data_dir``, or what is there is damaged or incomplete.
    """
    if any((data_dir / split).is_dir() for split in SPLITS):
        return read_class_folders(
            name, data_dir, cache_dir, class_names=_CLASSES[name], order_by_content=True
        )
    raise ValueError(f"{name}: {data_dir} has no folders train/<class>/* and test/<class>/*")
