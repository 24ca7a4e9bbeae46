"""Files: writing them whole, reading those of strangers within limits, and explaining why the system refuses one."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from bcl_edu.escape import for_terminal

LARGEST_TEXT = 2**30
"""Bytes of the largest list or JSON file that is read; iNaturalist 2018's annotations take an eighth of it."""


def user_path(path: Path | str) -> Path:
    """The path with a leading ``~`` or ``~user`` expanded, wherever a path enters; as it is where there is no home."""
    return Path(os.path.expanduser(path))


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that at any moment the old or the new content stands under its name, whole.

    The new content is collected in ``.<name>.writing``. What a killed process left there, or anyone put there (a
    link, for instance), is removed and never written to.

    Raises:
        OSError: the system refuses; it names the file, and nothing is left of the new content.
    """
    temporary = path.with_name(f".{path.name}.writing")
    try:
        temporary.unlink(missing_ok=True)
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read its bytes; never wait for a pipe, and never read a device.

    Raises:
        OSError: the system refuses, also for a loop of links.
        ValueError: the path is something else than a regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kinds = {stat.S_IFIFO: "a pipe", stat.S_IFDIR: "a folder", stat.S_IFCHR: "a device"}
        raise ValueError(f"it is {kinds.get(stat.S_IFMT(mode), 'something else')}, expected a regular file")
    return os.fdopen(descriptor, "rb")


def read_text(path: Path, largest: int = LARGEST_TEXT) -> str:
    """The text of a UTF-8 file, with or without a byte-order mark.

    Raises:
        ValueError: it cannot be read, is not a regular file, has more than ``largest`` bytes, or is not UTF-8.
    """
    try:
        with open_regular(path) as file:
            content = file.read(largest + 1)
        if len(content) > largest:
            raise ValueError(f"it has more than {largest:,} bytes")
        return content.decode("utf-8-sig")
    except (OSError, ValueError) as error:  # a UnicodeDecodeError is a ValueError
        raise ValueError(f"cannot read {path}: {explain_error(error).removeprefix(f'{path}: ')}") from error


def read_json(path: Path, largest: int = LARGEST_TEXT) -> Any:
    """The value in a JSON file: see ``parse_json``.

    Raises:
        ValueError: as ``read_text`` and ``parse_json``; the message names the file.
    """
    return parse_json(read_text(path, largest), str(path))


def parse_json(text: str | bytes, where: str) -> Any:
    """The value of a JSON text that may come from anyone.

    Raises:
        ValueError: it is not JSON, is nested too deeply, or has a number beyond a double's range or none at all (NaN,
            Infinity); the message begins with ``where``.
    """

    def finite(number: str) -> float:
        if not math.isfinite(value := float(number)):
            raise ValueError(f"the number {number[:20]} is beyond the range of a double")
        return value

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not a number")

    try:
        return json.loads(text, parse_float=finite, parse_constant=refuse)
    except RecursionError as error:
        raise ValueError(f"cannot read {where}: it is nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"cannot read {where}: {error}") from error


_HINTS = {
    errno.EACCES: "see to its permissions, or name another place",
    errno.EPERM: "see to its permissions, or name another place",
    errno.EROFS: "name a place that can be written to",
    errno.ENOSPC: "make room, or name another place",
    errno.EEXIST: "a file stands where a folder is needed; name another place",
    errno.ENOTDIR: "a file stands where a folder is needed; name another place",
    errno.EISDIR: "a folder stands where a file is needed; name another place",
    errno.ENOENT: "it, or a folder above it, does not exist",
    errno.ELOOP: "its links lead in a circle; name the file itself",
}


def explain_error(error: Exception) -> str:
    """An error as a message for a user, without control characters; a system's error with its file and what to do."""
    if not isinstance(error, OSError) or error.filename is None or error.errno is None:
        return for_terminal(error, keep="\n")
    said = f"{for_terminal(error.filename)}: {os.strerror(error.errno)}"
    return f"{said}; {_HINTS[error.errno]}" if error.errno in _HINTS else said
