"""Files that are never seen half-written, and what to say when the system refuses one."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that at any moment the old or the new content stands under its name, whole.

    Raises:
        OSError: the system refuses; it names the file, and nothing is left of the new content.
    """
    temporary = path.with_name(f".{path.name}.writing")
    try:
        with open(temporary, "wb") as file:
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


_HINTS = {
    errno.EACCES: "see to its permissions, or name another place",
    errno.EPERM: "see to its permissions, or name another place",
    errno.EROFS: "name a place that can be written to",
    errno.ENOSPC: "make room, or name another place",
    errno.EEXIST: "a file stands where a folder is needed; name another place",
    errno.ENOTDIR: "a file stands where a folder is needed; name another place",
    errno.EISDIR: "a folder stands where a file is needed; name another place",
    errno.ENOENT: "it, or a folder above it, does not exist",
}


def in_words(error: Exception) -> str:
    """An error as the message for a user; of a system's error: which file, why, and what to do."""
    if not isinstance(error, OSError) or error.filename is None or error.errno is None:
        return str(error)
    said = f"{error.filename}: {os.strerror(error.errno)}"
    return f"{said}; {_HINTS[error.errno]}" if error.errno in _HINTS else said
