"""CIFAR's official archives: the binary version, and the Python version without trusting its pickles."""

import hashlib
import io
import pickle
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcl_edu.data.official import OfficialFile, check_md5

_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE


@dataclass(frozen=True)
class CifarVersion:
    """One of the forms in which a CIFAR data set is published.

    Attributes:
        archive: the .tar.gz file.
        folder: the folder that it unpacks to.
        train: files of the training set in this folder, in their order; each with its MD5 if it is a pickle.
        test: likewise of the test set.
        label_bytes: of a binary record, the bytes before the pixels; the last of them is the (fine) label.
        label_key: of a pickle, the key of the (fine) labels.
    """

    archive: OfficialFile
    folder: str
    train: dict[str, str | None]
    test: dict[str, str | None]
    label_bytes: int = 1
    label_key: bytes = b"labels"

    def find(self, data_dir: Path) -> list[Path]:
        """The unpacked files, or else the archive, as far as they are in ``data_dir``; empty if nothing is."""
        archive = data_dir / self.archive.file_name
        for folder in (data_dir / self.folder, data_dir):
            unpacked = [folder / name for name in (*self.train, *self.test)]
            if all(path.is_file() for path in unpacked):
                return unpacked
        return [archive] if archive.is_file() else []

    def read(self, found: list[Path]) -> dict[str, NDArray[Any]]:
        """Arrays ``train``, ``test`` of images and ``train_labels``, ``test_labels``, from what ``find`` returned.

        Raises:
            ValueError: a file is damaged, or a pickle is not the published one.
        """
        contents = self._contents(found)
        arrays: dict[str, NDArray[Any]] = {}
        for split, files in (("train", self.train), ("test", self.test)):
            parts = [self._decode(name, contents[name], md5) for name, md5 in files.items()]
            arrays[split] = np.concatenate([images for images, _ in parts])
            arrays[f"{split}_labels"] = np.concatenate([labels for _, labels in parts])
        return arrays

    def _contents(self, found: list[Path]) -> dict[str, bytes]:
        if len(found) > 1:
            return {path.name: path.read_bytes() for path in found}
        check_md5(found[0], self.archive)
        # members are read into memory by their names: nothing is unpacked to a path that the archive chooses
        with tarfile.open(found[0], "r:gz") as archive:
            contents = {}
            for name in (*self.train, *self.test):
                member = archive.extractfile(f"{self.folder}/{name}")
                assert member is not None, f"{name} is a regular file in the published archive"
                contents[name] = member.read()
            return contents

    def _decode(
        self, name: str, content: bytes, md5: str | None
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        if md5 is None:
            return _decode_binary(name, content, self.label_bytes)
        found = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if found != md5:
            raise ValueError(
                f"{name} has MD5 {found}, expected {md5}; it is incomplete or changed, and a pickle is read only "
                f"if it is the published one: delete it and fetch {self.archive.url} again"
            )
        return _decode_pickle(content, self.label_key)


def _decode_binary(
    name: str, content: bytes, label_bytes: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    size = label_bytes + _PIXELS
    if not content or len(content) % size:
        raise ValueError(
            f"{name} has {len(content):,} bytes; expected a multiple of {size:,}, the size of one record: it is "
            "incomplete, unpack or fetch it again"
        )
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, size)
    return _images(records[:, label_bytes:]), records[:, label_bytes - 1].astype(np.int64)


def _decode_pickle(content: bytes, label_key: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    batch = _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
    return _images(np.asarray(batch[b"data"])), np.array(batch[label_key], dtype=np.int64)


def _images(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Rows of 3,072 bytes: the red plane, then green, then blue, each line by line."""
    return rows.reshape(-1, 3, _SIDE, _SIDE)


class _ArrayUnpickler(pickle.Unpickler):
    """Makes numpy arrays, and nothing else: a second lock behind the check of the hash."""

    def find_class(self, module: str, name: str) -> Any:
        """The three names that an array of 2009 was pickled with."""
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return np.empty(0).__reduce__()[0]  # the same function, wherever this numpy keeps it
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"{module}.{name} does not belong in a CIFAR batch")
