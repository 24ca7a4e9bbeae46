"""Trees of photographs as ImageNet and iNaturalist unpack to, with lists and annotations in the real formats.

The photographs are real, one for each of ImageNet's 1,000 classes; further files of the trees are links to them.
"""

import json
import os
import zipfile
from pathlib import Path

import pytest

ARCHIVE = Path(__file__).parents[2] / "shared" / "data" / "imagenet_one_per_class.zip"
needs_photographs = pytest.mark.skipif(
    not ARCHIVE.is_file(), reason=f"needs the photographs in ../shared/data/{ARCHIVE.name}"
)


def unpack(folder: Path) -> list[Path]:
    """The 1,000 photographs in label order, as `<wnid>/<wnid>_<name>.JPEG`."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    return sorted(folder.glob("*/*.JPEG"))


def imagenet_tree(root: Path, photographs: list[Path], *, head: int = 4, flat: bool = False) -> Path:
    """ImageNet's folders with lists of 1,000 classes: `head` images of each of the first two, one of each other.

    The test list has every hundredth class, three images each.

    Args:
        root: where the tree is made.
        photographs: one a class.
        head: images of the largest classes.
        flat: leave out the class folders of the validation images, as their archive unpacks.
    """
    train, test = [], []
    for label, photograph in enumerate(photographs):
        wnid = photograph.parent.name
        for number in range(head if label < 2 else 1):
            train.append((f"train/{wnid}/{wnid}_{number}.JPEG", label))
        if label % 100 == 0:
            test += [(f"val/{wnid}/ILSVRC2012_val_{label:05}{number:03}.JPEG", label) for number in range(3)]
    for path, label in train + test:
        place = root / path
        if flat and path.startswith("val/"):
            place = root / "val" / place.name
        _link(photographs[label], place)
    for split, lines in (("train", train), ("test", test)):
        text = "".join(f"{path} {label}\n" for path, label in lines)
        (root / f"my_{split}.txt").write_text(text)
    return root


SUPERCATEGORIES = ("Plantae", "Insecta", "Aves", "Reptilia")


def inaturalist_tree(root: Path, photographs: list[Path], classes: int = 8142) -> Path:
    """iNaturalist's folders and annotations: one training image of each class, and a test image of every 500th."""
    splits: dict[str, list[tuple[str, int]]] = {"train": [], "val": []}
    for label in range(classes):
        folder = f"train_val2018/{SUPERCATEGORIES[label % 4]}/{label}"
        splits["train"].append((f"{folder}/{label:032x}.jpg", label))
        if label % 500 == 0:
            splits["val"].append((f"{folder}/{label + classes:032x}.jpg", label))
    for path, label in splits["train"] + splits["val"]:
        _link(photographs[label % len(photographs)], root / path)
    for split, images in splits.items():
        (root / f"my_{split}.json").write_text(json.dumps(annotations(images, classes)))
    return root


def annotations(images: list[tuple[str, int]], classes: int) -> dict[str, object]:
    """Annotations in iNaturalist's format; ids do not follow the order, as nothing says that they must."""
    ids = [10 * number + 7 for number in range(len(images))]
    return {
        "info": {"year": 2018, "version": "1"},
        "licenses": [{"id": 1, "name": "CC BY-NC 4.0", "url": ""}],
        "images": [
            {"id": number, "file_name": path, "width": 224, "height": 224, "license": 1, "rights_holder": ""}
            for number, (path, _) in zip(ids, images, strict=True)
        ],
        "categories": [{"id": label, "name": str(label), "supercategory": ""} for label in range(classes)],
        "annotations": [
            {"id": number, "image_id": number, "category_id": label}
            for number, (_, label) in reversed(list(zip(ids, images, strict=True)))
        ],
    }


def _link(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, place)
