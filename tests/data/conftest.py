from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bcl_edu.data import PHOTOGRAPH_SETS
from bcl_edu.data.photographs import PublishedList
from bcl_edu.data.published import ExpectedCounts


@pytest.fixture(autouse=True)
def _nothing_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's own data and cache."""
    monkeypatch.setenv("BCL_EDU_CACHE", str(tmp_path / "user-cache"))
    monkeypatch.delenv("BCL_EDU_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    """Twelve different RGB images of 5 x 4 pixels (width x height)."""
    return np.random.RandomState(0).randint(0, 256, (12, 4, 5, 3)).astype(np.uint8)


@pytest.fixture
def tree(tmp_path: Path, pixels: NDArray[np.uint8]) -> Path:
    """Two classes: cat has 3 images to train and 2 to test, dog 5 and 2. The files are numbered in this order."""
    root = tmp_path / "tree"
    sizes = {"train/cat": 3, "train/dog": 5, "test/cat": 2, "test/dog": 2}
    folders = [folder for folder, size in sizes.items() for _ in range(size)]
    for i, folder in enumerate(folders):
        (root / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[i]).save(root / folder / f"{i:02}.png")
    return root


@pytest.fixture
def published_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The counts of the small lists count as the published ones."""
    source = PHOTOGRAPH_SETS["imagenet-lt"]

    def small(split: str, expected: ExpectedCounts) -> PublishedList:
        return replace(source.splits[split], expected=expected)

    splits = {
        "train": small("train", ExpectedCounts(7, 3, 4, 1)),
        "test": small("test", ExpectedCounts(3, 3, 1, 1)),
    }
    monkeypatch.setitem(PHOTOGRAPH_SETS, "imagenet-lt", replace(source, splits=splits))
