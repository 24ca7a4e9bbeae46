"""What CIFAR-LT rows need on another machine, in one small file: the images that they see, and nothing else.

Of the 50,000 training images a long-tailed subset has a fifth. A pack has these, the test set and every label, as pages
of lossless WebP. Unpacked, the data set stands as if it had been read from the archive, in the usual cache: every index
is the same picture, so subsets and their hashes are those of the whole. The images that were left out are black, and
`unpack` refuses rows whose subset needs one of them.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bcl_edu.data import open_dataset
from bcl_edu.data.cache import cache_file, cached_arrays, file_facts, fingerprint
from bcl_edu.data.cifar import CIFAR
from bcl_edu.data.image_files import ImageFiles
from bcl_edu.data.labelled import LabelledImages
from bcl_edu.recipe import Recipe
from bcl_edu.run_options import RunOptions
from bcl_edu.training.data import TrainingData, prepare_data

PAGE = 20
"""Images a page has across and down."""

SIDE = 32
"""Height and width of an image in pixels."""


def training_indices(recipe: Recipe, data_dir: Path) -> NDArray[np.int64]:
    """Which images of the whole training set a row sees, those included that its method sets aside."""
    data = prepare_data(recipe, RunOptions(data_dir=data_dir))
    whole = _labelled(open_dataset(recipe.dataset, data_dir).train)
    seen = {image.tobytes() for part in _parts(data) for image in part.images.numpy()}
    return np.array([i for i, image in enumerate(whole.images.numpy()) if image.tobytes() in seen])


def _labelled(images: LabelledImages | ImageFiles) -> LabelledImages:
    assert isinstance(images, LabelledImages), "CIFAR is kept in memory"
    return images


def _parts(data: TrainingData) -> list[LabelledImages]:
    """Training images by what is done with them."""
    return [
        part for part in (data.train, data.set_aside, data.validation) if isinstance(part, LabelledImages)
    ]


def pack(recipes: Iterable[Recipe], data_dir: Path, to: Path) -> int:
    """Write what these rows need.

    Args:
        recipes: of rows of one CIFAR data set.
        data_dir: where it is.
        to: the file, an .npz without pickles.

    Returns:
        The file's size in bytes.

    Raises:
        ValueError: the rows are of several data sets, or not of CIFAR.
    """
    recipes = list(recipes)
    names = sorted({recipe.dataset for recipe in recipes})
    if len(names) != 1 or names[0] not in CIFAR:
        raise ValueError(
            f"the rows are of {' and '.join(names) or 'no data set'}; expected one of {' or '.join(CIFAR)}"
        )
    whole = open_dataset(names[0], data_dir)
    train, test = _labelled(whole.train), _labelled(whole.test)
    kept = np.unique(np.concatenate([training_indices(recipe, data_dir) for recipe in one_a_subset(recipes)]))
    images = {"train": train.images.numpy()[kept], "test": test.images.numpy()}
    arrays: dict[str, NDArray[Any]] = {
        "name": np.array(names[0]),
        "kept": kept.astype(np.int32),
        "train_labels": train.labels.numpy().astype(np.uint8),
        "test_labels": test.labels.numpy().astype(np.uint8),
    }
    for split, of in images.items():
        for number, page in enumerate(_pages(of)):
            arrays[f"{split}_{number:03d}"] = np.frombuffer(page, dtype=np.uint8)
    to.parent.mkdir(parents=True, exist_ok=True)
    np.savez(to, allow_pickle=False, **arrays)
    return to.stat().st_size


def one_a_subset(recipes: Iterable[Recipe]) -> Iterator[Recipe]:
    """The first of the recipes that train on the same images."""
    seen = set()
    for recipe in recipes:
        subset = (
            recipe.profile,
            recipe.imbalance_factor,
            recipe.head_count,
            recipe.subset_seed,
            recipe.method.set_aside,
        )
        if subset not in seen:
            seen.add(subset)
            yield recipe


def _pages(images: NDArray[np.uint8]) -> Iterator[bytes]:
    each = PAGE * PAGE
    for begin in range(0, len(images), each):
        page = np.zeros((each, 3, SIDE, SIDE), dtype=np.uint8)
        page[: len(images[begin : begin + each])] = images[begin : begin + each]
        grid = (
            page.reshape(PAGE, PAGE, 3, SIDE, SIDE)
            .transpose(0, 3, 1, 4, 2)
            .reshape(PAGE * SIDE, PAGE * SIDE, 3)
        )
        file = io.BytesIO()
        Image.fromarray(grid).save(file, "WEBP", lossless=True)
        yield file.getvalue()


def _from_pages(pages: Iterable[bytes], count: int) -> NDArray[np.uint8]:
    grids = [np.asarray(Image.open(io.BytesIO(page), formats=["WEBP"]).convert("RGB")) for page in pages]
    images = np.stack(grids).reshape(-1, PAGE, SIDE, PAGE, SIDE, 3).transpose(0, 1, 3, 5, 2, 4)
    return np.ascontiguousarray(images.reshape(-1, 3, SIDE, SIDE)[:count])


class Unpacked:
    """A pack's data set, as if read from the archive in `data_dir`.

    Attributes:
        name: of the data set.
        data_dir: its folder, with a stand-in for the archive; what is read is the cache.
        kept: which training images there are.
    """

    def __init__(self, packed: Path, data_dir: Path, cache_dir: Path) -> None:
        """Unpack into two folders, which are made if they are not there.

        Raises:
            ValueError: the file is no pack.
        """
        try:
            with np.load(packed, allow_pickle=False) as file:
                arrays = dict(file)
            self.name, self.kept = str(arrays["name"]), arrays["kept"].astype(np.int64)
            source = CIFAR[self.name]
            labels = {split: arrays[f"{split}_labels"].astype(np.int64) for split in ("train", "test")}
            pages = {
                split: [
                    arrays[key].tobytes()
                    for key in sorted(arrays)
                    if key.startswith(split) and key[-1].isdigit()
                ]
                for split in labels
            }
            train = np.zeros((len(labels["train"]), 3, SIDE, SIDE), dtype=np.uint8)
            train[self.kept] = _from_pages(pages["train"], len(self.kept))
            test = _from_pages(pages["test"], len(labels["test"]))
        except (OSError, KeyError, ValueError, IndexError) as error:
            raise ValueError(f"{packed} is no pack of `python -m tools.gpu_rows --pack`: {error}") from error
        self.data_dir = data_dir
        data_dir.mkdir(parents=True, exist_ok=True)
        archive = data_dir / source.versions[0].archive.file_name
        archive.write_text(f"stands for the archive; the images of {packed.name} are in the cache\n")
        cached_arrays(
            cache_file(cache_dir, self.name, archive),
            fingerprint([file_facts(archive.name, archive.stat())]),
            lambda: {
                "train": train,
                "train_labels": labels["train"],
                "test": test,
                "test_labels": labels["test"],
            },
        )

    def require(self, recipe: Recipe) -> None:
        """Refuse a row that would see an image that was left out.

        Raises:
            ValueError: it would.
        """
        if recipe.dataset != self.name:
            raise ValueError(f"{recipe.name} trains on {recipe.dataset}, but the pack has {self.name}")
        data = prepare_data(recipe, RunOptions(data_dir=self.data_dir))
        black = sum(int((part.images.flatten(1) == 0).all(1).sum()) for part in _parts(data))
        if black:
            raise ValueError(
                f"{recipe.name} sees {black:,} training images that the pack has not; pack this row too"
            )
