import dataclasses
import functools
import hashlib
import io
import os
import pickle
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision import datasets

from bcl_edu.data import (
    Dataset,
    cifar,
    exponential_profile,
    long_tailed_subset,
    open_dataset,
    subset_sha256,
)
from bcl_edu.data.cifar import CIFAR, CIFAR10_CLASSES, CIFAR100_CLASSES, CifarVersion, sort_by_pixel_hash

NAMES = ("cifar10", "cifar100")
PUBLISHED = dict(CIFAR)  # as it is before the fixture below
TORCHVISION = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}
EACH = {"train": 5, "test": 2}  # images of a class in the small imitation; a multiple of five batches


@functools.cache
def small_cifar(name: str) -> dict[str, tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Images and labels of each split, shuffled as in the archives."""
    random = np.random.RandomState(0)
    splits = {}
    for split, each in EACH.items():
        labels = random.permutation(np.repeat(np.arange(len(CIFAR[name].class_names)), each))
        splits[split] = (random.randint(0, 256, (len(labels), 3, 32, 32)).astype(np.uint8), labels)
    return splits


@functools.cache
def files_of(name: str, which: int) -> Mapping[str, bytes]:
    """The files of one version (0 binary, 1 Python), with the small imitation in their official format."""
    contents = {}
    names = PUBLISHED[name].versions[which].files
    for split, own in (
        ("train", [n for n in names if "test" not in n]),
        ("test", [n for n in names if "test" in n]),
    ):
        own = [n for n in own if "meta" not in n]
        images, labels = small_cifar(name)[split]
        rows = images.reshape(len(images), -1)
        for i, file_name in enumerate(own):
            part = slice(i * len(rows) // len(own), (i + 1) * len(rows) // len(own))
            if file_name.endswith(".bin"):
                coarse = np.full((len(rows[part]), int(name == "cifar100")), 7, dtype=np.uint8)
                content = np.hstack([coarse, labels[part, None].astype(np.uint8), rows[part]]).tobytes()
            else:
                key = "fine_labels" if name == "cifar100" else "labels"
                content = pickle.dumps({"data": rows[part], key: labels[part].tolist()})
            contents[file_name] = content
    if which == 1:
        key = TORCHVISION[name].meta["key"]
        contents[names[-1]] = pickle.dumps({key: list(PUBLISHED[name].class_names)})
    return {file_name: contents[file_name] for file_name in names}


@functools.cache
def packed(name: str, which: int) -> bytes:
    """The archive of these files. It is made once, since gzip notes the time."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for file_name, content in {**files_of(name, which), "readme.html": b"hello"}.items():
            member = tarfile.TarInfo(f"{PUBLISHED[name].versions[which].folder}/{file_name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@pytest.fixture(autouse=True)
def _small_versions_are_the_published_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expect the hashes and numbers of the small imitations instead of those of the real files."""
    for name in NAMES:
        versions = [
            dataclasses.replace(
                version, archive=dataclasses.replace(version.archive, md5=md5(packed(name, which)))
            )
            for which, version in enumerate(PUBLISHED[name].versions)
        ]
        small = dataclasses.replace(PUBLISHED[name], images_a_class=EACH, versions=tuple(versions))
        monkeypatch.setitem(CIFAR, name, small)
        believe(monkeypatch, name, files_of(name, 1))


def believe(monkeypatch: pytest.MonkeyPatch, name: str, contents: Mapping[str, bytes]) -> None:
    """Let torchvision expect the hashes of these contents."""
    known = TORCHVISION[name]
    for files in ("train_list", "test_list"):
        monkeypatch.setattr(known, files, [(file, md5(contents[file])) for file, _ in getattr(known, files)])
    monkeypatch.setattr(known, "meta", known.meta | {"md5": md5(contents[known.meta["filename"]])})


def put_archive(folder: Path, name: str, which: int) -> Path:
    version = CIFAR[name].versions[which]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / version.archive.file_name
    path.write_bytes(packed(name, which))
    return path


def put_unpacked(folder: Path, name: str, which: int) -> Path:
    version = CIFAR[name].versions[which]
    target = folder / version.folder
    target.mkdir(parents=True)
    for file, content in files_of(name, which).items():
        (target / file).write_bytes(content)
    return target


def put_class_folders(folder: Path, name: str) -> None:
    for split, (images, labels) in small_cifar(name).items():
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            target = folder / split / CIFAR[name].class_names[label]
            target.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.transpose(1, 2, 0)).save(target / f"{i}.png")


def assert_is_small_cifar(data: Dataset, name: str) -> None:
    assert data.class_names == CIFAR[name].class_names
    for part, (images, labels) in zip((data.train, data.test), small_cifar(name).values(), strict=True):
        expected = sorted((label, image.tobytes()) for label, image in zip(labels, images, strict=True))
        found = sorted(
            (label, image.numpy().tobytes())
            for label, image in zip(part.labels.tolist(), part.images, strict=True)
        )
        assert found == expected
        assert part.labels.tolist() == sorted(labels)


def test_class_names_are_the_official_ones_in_alphabetical_order() -> None:
    for names, number in ((CIFAR10_CLASSES, 10), (CIFAR100_CLASSES, 100)):
        assert list(names) == sorted(set(names))
        assert len(names) == number
    assert [CIFAR100_CLASSES[i] for i in (0, 11, 53, 99)] == ["apple", "boy", "orange", "worm"]


@pytest.mark.parametrize("put", [put_archive, put_unpacked])
@pytest.mark.parametrize("which", [0, 1], ids=["binary", "python"])
@pytest.mark.parametrize("name", NAMES)
def test_each_official_version_is_read(tmp_path: Path, name: str, which: int, put) -> None:
    put(tmp_path / "here", name, which)
    assert_is_small_cifar(open_dataset(name, tmp_path / "here"), name)


def test_every_source_gives_the_same_index_to_the_same_picture(tmp_path: Path) -> None:
    put_archive(tmp_path / "binary", "cifar10", 0)
    put_archive(tmp_path / "python", "cifar10", 1)
    put_class_folders(tmp_path / "folders", "cifar10")
    sources = [open_dataset("cifar10", tmp_path / folder) for folder in ("binary", "python", "folders")]
    assert len({source.train.sha256() for source in sources}) == 1
    assert len({source.test.sha256() for source in sources}) == 1


def test_files_unpacked_without_their_folder_are_found(tmp_path: Path) -> None:
    put_unpacked(tmp_path, "cifar100", 0).rename(tmp_path / "here")
    assert_is_small_cifar(open_dataset("cifar100", tmp_path / "here"), "cifar100")


def test_the_second_read_unpacks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_archive(tmp_path, "cifar10", 0)
    first = open_dataset("cifar10", tmp_path)

    def refuse(*arguments: object) -> None:
        raise AssertionError("the archive was read again")

    monkeypatch.setattr(CifarVersion, "read_found", refuse)
    assert open_dataset("cifar10", tmp_path).train.sha256() == first.train.sha256()


def test_class_folders_may_hold_a_part_of_each_class(tmp_path: Path) -> None:
    put_class_folders(tmp_path, "cifar10")
    for path in sorted((tmp_path / "train" / "truck").iterdir())[1:]:
        path.unlink()
    assert open_dataset("cifar10", tmp_path).train.class_counts.tolist() == [5] * 9 + [1]


def test_class_folders_with_other_names_are_refused(tmp_path: Path) -> None:
    put_class_folders(tmp_path, "cifar10")
    with pytest.raises(ValueError, match=r"only in the first: airplane"):
        open_dataset("cifar100", tmp_path)


def test_class_folders_of_resized_images_are_refused(tmp_path: Path) -> None:
    put_class_folders(tmp_path, "cifar10")
    for path in tmp_path.rglob("*.png"):
        with Image.open(path) as image:
            image.resize((16, 16)).save(path)
    with pytest.raises(ValueError, match=r"\(3, 16, 16\) .*cifar10 .*\(3, 32, 32\).*'folder'"):
        open_dataset("cifar10", tmp_path)


@pytest.mark.parametrize("which", [0, 1], ids=["binary", "python"])
def test_a_damaged_archive_is_refused(tmp_path: Path, which: int) -> None:
    path = put_archive(tmp_path, "cifar10", which)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"MD5 is \w+, expected \w+"):
        open_dataset("cifar10", tmp_path)


def test_a_forged_pickle_is_never_loaded(tmp_path: Path) -> None:
    class Forged:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "broken-in"),)

    folder = put_unpacked(tmp_path, "cifar10", 1)
    (folder / "data_batch_3").write_bytes(pickle.dumps(Forged(), protocol=2))
    with pytest.raises(ValueError, match="data_batch_3"):
        open_dataset("cifar10", tmp_path)
    assert not (tmp_path / "broken-in").exists()


@pytest.mark.parametrize("content", [{}, {"data": 3, "fine_labels": None}, [1, 2], None], ids=str)
def test_the_right_hash_with_content_that_no_archive_has_is_one_error(
    content: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put_unpacked(tmp_path, "cifar100", 1)
    (folder / "train").write_bytes(pickle.dumps(content))
    believe(monkeypatch, "cifar100", {**files_of("cifar100", 1), "train": pickle.dumps(content)})
    with pytest.raises(ValueError, match=r"cifar-100-python/train"):
        open_dataset("cifar100", tmp_path)


LARGEST_HERE = 10**6
"""Bytes that an archive may unpack to in the test below, instead of 400 times as many."""


def damaged_archive(kind: str) -> bytes:
    """An archive without what CIFAR-100's binary version has in it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        member = tarfile.TarInfo("cifar-100-binary/train.bin")
        if kind == "link to itself":
            member.type, member.linkname = tarfile.SYMTYPE, "train.bin"
        elif kind == "bomb":
            member.size = 10 * LARGEST_HERE
        archive.addfile(member, io.BytesIO(bytes(member.size)))
    return file.getvalue()[:40] if kind == "half" else file.getvalue()


@pytest.mark.parametrize("kind", ["empty", "link to itself", "bomb", "half"])
def test_an_archive_with_the_right_hash_and_wrong_members_is_one_error(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bcl_edu.data.cifar._UNPACKED_BYTES", LARGEST_HERE)
    content = damaged_archive(kind)
    path = tmp_path / "cifar-100-binary.tar.gz"
    path.write_bytes(content)
    binary, python = CIFAR["cifar100"].versions
    believed = dataclasses.replace(binary, archive=dataclasses.replace(binary.archive, md5=md5(content)))
    monkeypatch.setitem(
        CIFAR, "cifar100", dataclasses.replace(CIFAR["cifar100"], versions=(believed, python))
    )
    with pytest.raises(ValueError, match=str(path)):
        open_dataset("cifar100", tmp_path)


def test_a_binary_file_with_half_a_record_is_refused(tmp_path: Path) -> None:
    path = put_unpacked(tmp_path, "cifar10", 0) / "test_batch.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"test_batch\.bin .*61,459 .*3,073"):
        open_dataset("cifar10", tmp_path)


def test_a_binary_file_that_lacks_records_is_refused(tmp_path: Path) -> None:
    path = put_unpacked(tmp_path, "cifar10", 0) / "test_batch.bin"
    path.write_bytes(path.read_bytes()[:-3073])
    with pytest.raises(ValueError, match=r"1 test image, expected 2"):
        open_dataset("cifar10", tmp_path)


def test_a_label_beyond_the_classes_is_refused(tmp_path: Path) -> None:
    path = put_unpacked(tmp_path, "cifar10", 0) / "test_batch.bin"
    path.write_bytes(b"\x0a" + path.read_bytes()[1:])
    with pytest.raises(ValueError, match="label 10 at position"):
        open_dataset("cifar10", tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_without_data_the_message_says_what_to_fetch_and_where_to_put_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=f"{name} is not in") as raised:
        open_dataset(name, tmp_path / "empty")
    archive = CIFAR[name].versions[0].archive
    for expected in (archive.url, archive.md5, f"into {tmp_path / 'empty'}"):
        assert expected in str(raised.value)


@pytest.mark.parametrize("name", NAMES)
def test_the_folder_above_is_answered_with_the_folder_that_is_meant(tmp_path: Path, name: str) -> None:
    (tmp_path / name / "train").mkdir(parents=True)
    with pytest.raises(ValueError, match=f"{name} is not in .*, but in {tmp_path / name}: name that folder"):
        open_dataset(name, tmp_path)


def test_of_half_an_unpacked_archive_the_missing_files_are_named(tmp_path: Path) -> None:
    put_unpacked(tmp_path, "cifar10", 0)
    for name in ("data_batch_2.bin", "test_batch.bin"):
        next(tmp_path.rglob(name)).unlink()
    with pytest.raises(ValueError, match=r"cifar-10-batches-bin lacks data_batch_2\.bin, test_batch\.bin\."):
        open_dataset("cifar10", tmp_path)


def test_download_fetches_the_version_without_pickles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = []

    def fetch(official, folder: Path) -> Path:
        fetched.append(official.file_name)
        return put_archive(folder, "cifar100", 0)

    monkeypatch.setattr(cifar, "fetch", fetch)
    for _ in range(2):
        assert_is_small_cifar(open_dataset("cifar100", tmp_path / "new", download=True), "cifar100")
    assert fetched == ["cifar-100-binary.tar.gz"]


def test_the_python_version_is_the_one_that_torchvision_reads() -> None:
    for name, known in TORCHVISION.items():
        python = PUBLISHED[name].versions[1]
        assert (python.archive.file_name, python.archive.md5) == (known.filename, known.tgz_md5)
        assert python.folder == known.base_folder
        assert set(python.files) == {*dict(known.train_list), *dict(known.test_list), known.meta["filename"]}


def test_a_subset_is_the_same_whichever_source_it_was_taken_from(tmp_path: Path) -> None:
    put_archive(tmp_path / "binary", "cifar100", 0)
    put_class_folders(tmp_path / "folders", "cifar100")
    chosen = []
    for folder in ("binary", "folders"):
        train = open_dataset("cifar100", tmp_path / folder).train
        indices = long_tailed_subset(train.labels, exponential_profile(5, 100, 5))
        chosen.append((subset_sha256(indices), train.select(indices).images))
    assert chosen[0][0] == chosen[1][0]
    assert torch.equal(chosen[0][1], chosen[1][1])


# ---- the order of images


def test_any_two_orders_of_the_same_images_become_one() -> None:
    random = np.random.RandomState(0)
    images = random.randint(0, 256, (30, 3, 4, 4)).astype(np.uint8)
    labels = random.randint(0, 3, 30)
    shuffle = random.permutation(30)
    first, second = sort_by_pixel_hash(images, labels), sort_by_pixel_hash(images[shuffle], labels[shuffle])
    np.testing.assert_array_equal(images[first], images[shuffle][second])
    np.testing.assert_array_equal(labels[first], np.sort(labels))


def test_a_view_in_another_memory_order_is_ordered_alike() -> None:
    images = np.random.RandomState(0).randint(0, 256, (9, 3, 4, 4)).astype(np.uint8)
    labels = np.zeros(9, dtype=np.int64)
    strided = np.asfortranarray(images)
    np.testing.assert_array_equal(sort_by_pixel_hash(images, labels), sort_by_pixel_hash(strided, labels))
