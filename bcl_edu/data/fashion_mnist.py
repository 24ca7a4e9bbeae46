"""Fashion-MNIST: 28 x 28 grey pictures of clothes, from its four IDX files."""

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from jaxtyping import UInt8
from torch import Tensor

from bcl_edu.data.labelled import Dataset, LabelledImages
from bcl_edu.data.published import ExpectedCounts, OfficialFile, fetch

FASHION_MNIST_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

EXPECTED = {
    "train": ExpectedCounts(60_000, 10, 6000, 6000),
    "test": ExpectedCounts(10_000, 10, 1000, 1000),
}

# Debian's package dataset-fashion-mnist
SYSTEM_DIR = Path("/usr/share/datasets/fashion-mnist")

_SITE = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"  # no TLS there: the hashes are the guard
_LARGEST_FILE = 60_000 * 28 * 28 + 16

# MD5: the authors' page. An existing file is not held to it, since Debian compresses the same content anew.
FASHION_MNIST_FILES = {
    "train-images": OfficialFile(
        f"{_SITE}/train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26
    ),
    "train-labels": OfficialFile(
        f"{_SITE}/train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", 1
    ),
    "test-images": OfficialFile(f"{_SITE}/t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", 5),
    "test-labels": OfficialFile(f"{_SITE}/t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", 1),
}


def read_fashion_mnist(data_dirs: list[Path], *, download: bool = False) -> Dataset:
    """60,000 images to train and 10,000 to test, ten classes, in the official order.

    Args:
        data_dirs: folders in which the four files are looked for, compressed (.gz) or not; the first that has
            all of them is taken.
        download: fetch what is missing into the first folder, if none has all of them.

    Raises:
        ValueError: no folder has all four files, or one is damaged or of another shape.
        ConnectionError: the download failed.
    """
    if found := find_fashion_mnist(data_dirs):
        return _read(found)
    target = data_dirs[0]
    missing = _missing(target)
    if not download:
        fetches = ", ".join(f"{official.url} (MD5 {official.md5})" for official in missing)
        raise ValueError(
            f"fashion-mnist is not in {' or '.join(map(str, data_dirs))}. Either allow the download with "
            f"download=True (on the command line --download; 31 MB); "
            f"or install Debian's package dataset-fashion-mnist; or fetch into {target}: "
            f"{fetches}; or name the folder in which you have it"
        )
    for official in missing:
        fetch(official, target)
    return _read(target)


def find_fashion_mnist(data_dirs: list[Path]) -> Path | None:
    """The first of these folders that has all four files."""
    return next((folder for folder in data_dirs if not _missing(folder)), None)


def _missing(folder: Path) -> list[OfficialFile]:
    return [official for official in FASHION_MNIST_FILES.values() if _find(folder, official) is None]


def _find(folder: Path, official: OfficialFile) -> Path | None:
    for name in (official.file_name, official.file_name.removesuffix(".gz")):
        if (folder / name).is_file():
            return folder / name
    return None


def _read(folder: Path) -> Dataset:
    arrays = {}
    for role, official in FASHION_MNIST_FILES.items():
        path = _find(folder, official)
        assert path is not None, "checked by the caller"
        arrays[role] = _read_idx(path)
    parts = {}
    for split in ("train", "test"):
        images, labels = arrays[f"{split}-images"], arrays[f"{split}-labels"]
        if tuple(images.shape[1:]) != (28, 28) or tuple(labels.shape) != tuple(images.shape[:1]):
            raise ValueError(
                f"{folder}: the {split} files hold images of shape {tuple(images.shape)} and labels of shape "
                f"{tuple(labels.shape)}; expected (n, 28, 28) and (n,): they are not Fashion-MNIST's"
            )
        parts[split] = LabelledImages(images.unsqueeze(1), labels.long(), FASHION_MNIST_CLASSES)
    return Dataset("fashion-mnist", parts["train"], parts["test"])


def _read_idx(path: Path) -> UInt8[Tensor, "..."]:
    """The array in an IDX file of bytes, read by torchvision after unpacking it if its name ends with .gz."""
    from torchvision.datasets.mnist import read_sn3_pascalvincent_tensor

    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        if len(content) > _LARGEST_FILE:
            raise ValueError(f"it has more than the {_LARGEST_FILE:,} bytes expected")
        with TemporaryDirectory(prefix="bcl-edu-") as folder:
            (Path(folder) / "idx").write_bytes(content)
            array = read_sn3_pascalvincent_tensor(str(Path(folder) / "idx"))
        if array.dtype != torch.uint8:
            raise ValueError(f"its numbers are {array.dtype}, expected uint8")
        return array
    except Exception as error:  # gzip, zlib and torchvision raise errors of many types for damaged files
        raise ValueError(
            f"cannot read {path} as an IDX file of bytes: {error!r}; delete it and fetch it again"
        ) from error
