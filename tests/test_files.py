"""A file is written whole or not at all, and a refusal of the system is told with what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bcl_edu.files import explain_error, open_regular, parse_json, read_text, user_path, write_atomically


def test_a_write_that_is_refused_names_the_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.pt").write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left") as refused:
        write_atomically(tmp_path / "c.pt", b"new")
    told = explain_error(refused.value)
    assert told.startswith(f"{tmp_path / 'c.pt'}: No space left")
    assert "make room" in told
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"c.pt": b"old"}


def test_a_folder_in_the_place_of_a_file_is_named_and_stays(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    with pytest.raises(IsADirectoryError) as refused:
        write_atomically(tmp_path / "kept", b"new")
    assert "a folder stands" in explain_error(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as refused:
        write_atomically(tmp_path / "file" / "run.json", b"new")
    assert explain_error(refused.value).startswith(f"{tmp_path / 'file' / 'run.json'}: Not a directory; ")


def test_other_errors_speak_for_themselves() -> None:
    assert explain_error(ValueError("epochs is 0")) == "epochs is 0"
    assert explain_error(ConnectionError("nothing came")) == "nothing came"


def test_what_stands_in_the_place_of_the_new_content_is_removed_and_never_followed(tmp_path: Path) -> None:
    """A killed process leaves a temporary file; anyone could put a link there."""
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / ".run.json.writing").symlink_to(tmp_path / "precious")
    write_atomically(tmp_path / "run.json", b"new")
    (tmp_path / ".run.json.writing").write_bytes(b"half")
    write_atomically(tmp_path / "run.json", b"newer")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "precious": b"precious",
        "run.json": b"newer",
    }


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("~/x") == tmp_path / "x"
    assert user_path(Path("a/~")) == Path("a/~")
    assert user_path("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "circle of links", "missing"])
def test_only_a_regular_file_is_opened(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "circle of links":
        path.symlink_to(path)
    with pytest.raises((OSError, ValueError)):
        open_regular(path)
    with pytest.raises(ValueError, match=str(path)):
        read_text(path)


def test_text_is_utf8_of_a_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes("\ufeffä".encode())
    assert read_text(path) == "ä"
    with pytest.raises(ValueError, match=f"{path}.*more than 3 bytes"):
        read_text(path, largest=3)
    path.write_bytes(b"\xe4")
    with pytest.raises(ValueError, match=str(path)):
        read_text(path)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, "1e999", "[-1e999]", "NaN", "[Infinity]", "9" * 5000, b"\xff"], ids=repr
)
def test_a_strangers_json_is_a_value_or_one_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"^cannot read run\.json: "):
        parse_json(text, "run.json")
    assert parse_json('{"a": [1.5, null]}', "run.json") == {"a": [1.5, None]}


def test_control_characters_of_names_do_not_reach_the_terminal() -> None:
    assert explain_error(ValueError("a\x1b[31mb\nc")) == "a\\x1b[31mb\nc"
    refused = FileNotFoundError(errno.ENOENT, "", "caf\udce9\n\x07")
    assert explain_error(refused).startswith("caf\\xe9\\x0a\\x07: ")
