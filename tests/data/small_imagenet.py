"""ImageNet-LT in the small: three classes of noise, as published by nobody but these tests."""

from pathlib import Path

import numpy as np
from PIL import Image

from bcl_edu.data import open_dataset
from bcl_edu.data.image_files import ImageFiles

WNIDS = ("n01440764", "n01443537", "n01484850")
COUNTS = (4, 2, 1)
TRAIN = [
    f"train/{wnid}/{wnid}_{number}.JPEG {label}"
    for label, wnid in enumerate(WNIDS)
    for number in range(COUNTS[label])
]
TEST = [f"val/{wnid}/ILSVRC2012_val_{label:08}.JPEG {label}" for label, wnid in enumerate(WNIDS)]


def small_imagenet(root: Path, *, flat: bool = False) -> Path:
    """Its tree of images; they are wider than high, and all different."""
    random = np.random.RandomState(0)
    for line in TRAIN + TEST:
        path = root / line.split()[0]
        if flat and line.startswith("val/"):
            path = root / "val" / path.name
        path.parent.mkdir(parents=True, exist_ok=True)
        small = Image.fromarray(random.randint(0, 256, (6, 8, 3)).astype(np.uint8))
        small.resize((80, 60), Image.Resampling.BICUBIC).save(path, "JPEG", quality=95)
    return root


def write_lists(root: Path) -> None:
    """Its lists under the official names."""
    (root / "ImageNet_LT_train.txt").write_text("\n".join(TRAIN) + "\n")
    (root / "ImageNet_LT_test.txt").write_text("\n".join(TEST) + "\n")


def own_lists(root: Path) -> dict[str, Path]:
    """The lists in files of one's own."""
    (root / "train.txt").write_text("\n".join(TRAIN))
    (root / "test.txt").write_text("\n".join(TEST))
    return {"train": root / "train.txt", "test": root / "test.txt"}


def small_training_files(root: Path) -> ImageFiles:
    """Its training images, opened by one's own lists: seven of 80 x 60 in classes of 4, 2 and 1."""
    small_imagenet(root)
    train = open_dataset("imagenet-lt", root, lists=own_lists(root), image_size=32).train
    assert isinstance(train, ImageFiles)
    return train
