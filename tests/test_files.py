"""A file is written whole or not at all, and a refusal of the system is told with what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bcl_edu.files import in_words, write_atomically


def test_a_write_that_is_refused_names_the_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.pt").write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left on device") as refused:
        write_atomically(tmp_path / "c.pt", b"new")
    assert in_words(refused.value) == (
        f"{tmp_path / 'c.pt'}: No space left on device; make room, or name another place"
    )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"c.pt": b"old"}


def test_a_folder_in_the_place_of_a_file_is_named_and_stays(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    with pytest.raises(IsADirectoryError) as refused:
        write_atomically(tmp_path / "kept", b"new")
    assert "a folder stands where a file is needed" in in_words(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as refused:
        write_atomically(tmp_path / "file" / "run.json", b"new")
    assert in_words(refused.value).startswith(
        f"{tmp_path / 'file' / 'run.json'}: Not a directory; a file stands"
    )


def test_other_errors_speak_for_themselves() -> None:
    assert in_words(ValueError("epochs is 0")) == "epochs is 0"
    assert in_words(ConnectionError("nothing came")) == "nothing came"
