import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from bcl_edu.data import fashion_mnist, open_dataset
from bcl_edu.data.fashion_mnist import FASHION_MNIST_FILES, SYSTEM_DIR, _read_idx
from bcl_edu.data.published import OfficialFile


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def contents() -> dict[str, bytes]:
    """The four files with 20 images to train and 10 to test, under their uncompressed names."""
    random = np.random.RandomState(0)
    arrays = {
        "train-images": random.randint(0, 256, (20, 28, 28)),
        "train-labels": np.arange(20) % 10,
        "test-images": random.randint(0, 256, (10, 28, 28)),
        "test-labels": np.arange(10),
    }
    return {
        FASHION_MNIST_FILES[role].file_name.removesuffix(".gz"): idx(array) for role, array in arrays.items()
    }


def put(folder: Path, compressed: bool) -> None:
    folder.mkdir(parents=True)
    for name, content in contents().items():
        if compressed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)


@pytest.fixture(autouse=True)
def _no_system_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bcl_edu.data.open.SYSTEM_DIR", tmp_path / "system")


@pytest.mark.parametrize("compressed", [True, False])
def test_the_four_files_are_read(tmp_path: Path, compressed: bool) -> None:
    put(tmp_path / "here", compressed)
    data = open_dataset("fashion-mnist", tmp_path / "here")
    assert data.train.images.shape == (20, 1, 28, 28)
    assert data.train.labels.tolist() == [i % 10 for i in range(20)]
    assert data.test.labels.tolist() == list(range(10))
    assert data.class_names[9] == "Ankle boot"
    assert data.test.images[3].numpy().tobytes() in contents()["t10k-images-idx3-ubyte"]


def test_the_system_folder_is_found_unless_another_is_named(tmp_path: Path) -> None:
    put(tmp_path / "system", compressed=True)
    assert len(open_dataset("fashion-mnist").train) == 20
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(ValueError, match="fashion-mnist is not in"):
        open_dataset("fashion-mnist", tmp_path / "elsewhere")


def test_what_is_missing_is_named_with_its_hash_and_place(tmp_path: Path) -> None:
    put(tmp_path / "here", compressed=True)
    (tmp_path / "here" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(ValueError, match="fashion-mnist is not in") as raised:
        open_dataset("fashion-mnist", tmp_path / "here")
    message = str(raised.value)
    assert "t10k-labels-idx1-ubyte.gz (MD5 bb300cfdad3c16e7a12a480ee83cd310)" in message
    assert f"fetch into {tmp_path / 'here'}" in message
    assert "train-images" not in message


def test_download_fetches_only_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "here", compressed=True)
    path = tmp_path / "here" / "train-labels-idx1-ubyte.gz"
    content = path.read_bytes()
    path.unlink()
    fetched = []

    def fetch(official: OfficialFile, folder: Path) -> Path:
        fetched.append(official.file_name)
        (folder / official.file_name).write_bytes(content)
        return folder / official.file_name

    monkeypatch.setattr(fashion_mnist, "fetch", fetch)
    assert len(open_dataset("fashion-mnist", tmp_path / "here", download=True).train) == 20
    assert fetched == ["train-labels-idx1-ubyte.gz"]


def test_labels_and_images_of_different_number_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "here", compressed=False)
    (tmp_path / "here" / "t10k-labels-idx1-ubyte").write_bytes(idx(np.arange(9)))
    with pytest.raises(ValueError, match=r"\(10, 28, 28\) .*\(9,\)"):
        open_dataset("fashion-mnist", tmp_path / "here")


def test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "here", compressed=False)
    (tmp_path / "here" / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((10, 32, 32))))
    with pytest.raises(ValueError, match=r"expected \(n, 28, 28\)"):
        open_dataset("fashion-mnist", tmp_path / "here")


@pytest.mark.parametrize("shape", [(7,), (2, 3, 4)])
def test_idx_of_any_dimensions(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = np.random.RandomState(0).randint(0, 256, shape).astype(np.uint8)
    (tmp_path / "file").write_bytes(idx(array))
    np.testing.assert_array_equal(_read_idx(tmp_path / "file"), array)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x1f\x8b\x08\x00",  # compressed, but not named .gz
        b"\x00\x00\x0d\x01\x00\x00\x00\x01abcd",  # floats
        b"\x00\x00\x08\x03\x00\x00",  # the header breaks off
        b"\x00\x00\x08\x01\x00\x00\x00\x05abcd",  # five bytes announced, four there
        b"\x00\x00\x08\x01\x00\x00\x00\x03abcd",
    ],
    ids=["empty", "compressed", "floats", "half a header", "too few", "too many"],
)
def test_what_is_no_idx_file_is_refused_by_path(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=str(tmp_path / "file")):
        _read_idx(tmp_path / "file")


def test_a_file_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file.gz").write_bytes(gzip.compress(bytes(10**8)))
    with pytest.raises(ValueError, match="47,040,016 bytes"):
        _read_idx(tmp_path / "file.gz")


@pytest.mark.parametrize(
    "part", [slice(0, 0), slice(0, -9), slice(3, None)], ids=["empty", "cut", "no header"]
)
def test_a_damaged_compressed_file_is_refused_by_path(tmp_path: Path, part: slice) -> None:
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(idx(np.arange(100)))[part])
    with pytest.raises(ValueError, match=r"file\.gz"):
        _read_idx(path)


def test_a_flipped_bit_in_a_compressed_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.gz"
    content = bytearray(gzip.compress(idx(np.random.RandomState(0).randint(0, 256, 500))))
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot read .* delete it"):
        _read_idx(path)


@pytest.mark.skipif(not SYSTEM_DIR.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_the_real_images() -> None:
    data = open_dataset("fashion-mnist", SYSTEM_DIR)
    assert data.train.class_counts.tolist() == [6000] * 10
    assert data.test.class_counts.tolist() == [1000] * 10
    values = data.train.images.float() / 255
    assert values.mean().item() == pytest.approx(0.2860, abs=1e-4)  # as published with the data set
    assert values.std().item() == pytest.approx(0.3530, abs=1e-4)
    assert torch.equal(data.train.labels[:6], torch.tensor([9, 0, 0, 3, 0, 2]))
