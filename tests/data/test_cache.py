import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bcl_edu.data.cache import cache_file, cached_arrays, default_cache_dir, file_facts, fingerprint


class Build:
    """Counts how often it is called."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> dict[str, np.ndarray]:
        self.calls += 1
        return {"train": np.arange(5000, dtype=np.uint8), "labels": np.arange(3)}


@pytest.fixture
def build() -> Build:
    return Build()


def test_the_second_read_builds_nothing_and_returns_the_same(tmp_path: Path, build: Build) -> None:
    path = tmp_path / "new" / "folder" / "cache.npz"
    first, second = (cached_arrays(path, "stamp", build) for _ in range(2))
    assert build.calls == 1
    assert set(first) == set(second) == {"train", "labels"}
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
        assert first[name].dtype == second[name].dtype


def test_another_stamp_builds_anew_and_replaces(tmp_path: Path, build: Build) -> None:
    path = tmp_path / "cache.npz"
    cached_arrays(path, "before", build)
    cached_arrays(path, "after", build)
    cached_arrays(path, "after", build)
    assert build.calls == 2
    assert os.listdir(tmp_path) == ["cache.npz"], "no old or temporary file is left behind"


def damage_nothing_left(content: bytes) -> bytes:
    return b""


def damage_half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def damage_no_zip(content: bytes) -> bytes:
    return b"something else"


def damage_a_pickle(content: bytes) -> bytes:
    return b"\x80\x04N."


def damage_one_bit(content: bytes) -> bytes:
    middle = content.index(bytes(range(100)))  # inside the pixels
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def damage_one_byte_of_the_header(content: bytes) -> bytes:
    return content.replace(b"|u1", b"|U1", 1)


def damage_the_announced_size(content: bytes) -> bytes:
    return content.replace(b"(5000,)", b"(500,) ", 1)


@pytest.mark.parametrize(
    "damage",
    [
        damage_the_announced_size,
        damage_nothing_left,
        damage_half,
        damage_no_zip,
        damage_a_pickle,
        damage_one_bit,
        damage_one_byte_of_the_header,
    ],
)
def test_a_damaged_cache_is_rebuilt_with_a_warning(tmp_path: Path, build: Build, damage) -> None:
    path = tmp_path / "cache.npz"
    cached_arrays(path, "stamp", build)
    before = path.read_bytes()
    path.write_bytes(damage(before))
    assert path.read_bytes() != before
    with pytest.warns(UserWarning, match=r"cache\.npz is damaged .* building it again"):
        arrays = cached_arrays(path, "stamp", build)
    np.testing.assert_array_equal(arrays["train"], np.arange(5000, dtype=np.uint8))
    assert build.calls == 2
    cached_arrays(path, "stamp", build)  # whole again, no warning
    assert build.calls == 2


def test_without_a_place_to_write_the_arrays_come_with_a_warning(tmp_path: Path, build: Build) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match=r"cannot write .*BCL_EDU_CACHE"):
        arrays = cached_arrays(tmp_path / "file" / "cache.npz", "stamp", build)
    assert len(arrays["train"]) == 5000


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> dict[str, np.ndarray]:
        raise ValueError("unreadable")

    with pytest.raises(ValueError, match="unreadable"):
        cached_arrays(tmp_path / "cache.npz", "stamp", fail)
    assert os.listdir(tmp_path) == []


def test_a_write_that_breaks_off_leaves_the_old_file(
    tmp_path: Path, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cache.npz"
    cached_arrays(path, "before", build)
    before = path.read_bytes()

    def half_a_file(file, **arrays: object) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", half_a_file)
    with pytest.raises(KeyboardInterrupt):
        cached_arrays(path, "after", build)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["cache.npz"]


def test_each_source_and_option_has_its_file(tmp_path: Path) -> None:
    files = {
        cache_file(tmp_path, "mine", tmp_path / "a"),
        cache_file(tmp_path, "mine", tmp_path / "b"),
        cache_file(tmp_path, "mine", tmp_path / "a", 32),
        cache_file(tmp_path, "mine", tmp_path / "a", 64),
    }
    assert len(files) == 4
    assert cache_file(tmp_path, "mine", tmp_path / "b" / ".." / "a") in files


def test_a_file_replaced_with_its_old_size_and_date_has_another_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "image.bmp"
    path.write_bytes(b"before")
    old = path.stat()
    (tmp_path / "other").write_bytes(b"after!")
    os.replace(tmp_path / "other", path)
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))
    new = path.stat()
    assert (old.st_size, old.st_mtime_ns) == (new.st_size, new.st_mtime_ns)
    if sys.platform != "win32":  # whose st_ctime is the time of creation
        assert fingerprint([file_facts("image.bmp", old)]) != fingerprint([file_facts("image.bmp", new)])


def test_the_environment_chooses_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BCL_EDU_CACHE", str(tmp_path / "here"))
    assert default_cache_dir() == tmp_path / "here"
    monkeypatch.delenv("BCL_EDU_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache_dir() == tmp_path / "xdg" / "bcl_edu"


def test_what_a_killed_process_left_is_removed_and_what_another_is_writing_is_not(
    tmp_path: Path, build: Build
) -> None:
    for name, age in (("left.0123.tmp", 3600), ("written.4567.tmp", 1)):
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    cached_arrays(tmp_path / "cache.npz", "stamp", build)
    assert sorted(os.listdir(tmp_path)) == ["cache.npz", "written.4567.tmp"]


@pytest.mark.parametrize("start", range(7))
@pytest.mark.filterwarnings("ignore:the image cache:UserWarning")
def test_no_changed_byte_is_believed(tmp_path: Path, start: int) -> None:
    path = tmp_path / "cache.npz"
    right = {"train": np.arange(60, dtype=np.uint8).reshape(4, 15), "labels": np.arange(4)}
    cached_arrays(path, "stamp", lambda: right)
    whole = path.read_bytes()
    for position in range(start, len(whole), 7):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        arrays = cached_arrays(path, "stamp", lambda: right)
        assert set(arrays) == set(right), f"byte {position}"
        for name in right:
            np.testing.assert_array_equal(arrays[name], right[name], err_msg=f"byte {position}")
