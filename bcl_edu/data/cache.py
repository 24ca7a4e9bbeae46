"""Decoded images on disk: a data set is decoded once and read in a moment afterwards."""

import hashlib
import os
import sys
import tempfile
import time
import uuid
import warnings
import zipfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcl_edu.files import user_path

Arrays = Mapping[str, NDArray[Any]]

# part of every cache file: raise it when decoding, order or layout change, and older files are rebuilt
_LAYOUT = "2"

# the array of a cache file with its stamp and the names of the other arrays
_CONTENTS = "contents"

_STALE_SECONDS = 600  # a temporary file that nobody has written to for so long was left by a killed process


def default_cache_dir() -> Path:
    """``$BCL_EDU_CACHE`` if set, otherwise ``bcl_edu`` in the user's cache folder of this platform.

    A user without a home folder, as in some containers, gets a folder below the system's temporary one.
    """
    if chosen := os.environ.get("BCL_EDU_CACHE"):
        return user_path(chosen)
    try:
        if sys.platform == "darwin":
            base = Path.home() / "Library" / "Caches"
        elif sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        else:
            base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # neither HOME nor an entry in the system's list of users
        user = getattr(os, "getuid", lambda: "user")()
        return Path(tempfile.gettempdir()) / f"bcl_edu-{user}"
    return base / "bcl_edu"


def cache_file(cache_dir: Path, name: str, source: Path, *options: object) -> Path:
    """Path of the cache file of a source read with these options; a changed source overwrites its file."""
    key = hashlib.sha256(repr((str(source.resolve()), options)).encode("utf-8", "surrogateescape"))
    return cache_dir / f"{name}-{key.hexdigest()[:16]}.npz"


def file_facts(name: str, status: os.stat_result) -> tuple[str, int, int, int]:
    """One file's part of a fingerprint: its name, size, and times of modification and of last change.

    Reading the contents of 60,000 files takes far more than a second; reading these facts does not. The time of last
    change cannot be set by hand: it moves when a file is replaced by another of the same name, size and date.
    """
    return name, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def fingerprint(facts: Iterable[object]) -> str:
    """Digest of facts about files (numbers and text, nested), in the order given."""
    digest = hashlib.sha256()
    for fact in facts:
        digest.update(repr(fact).encode("utf-8", "surrogateescape") + b"\n")
    return digest.hexdigest()


def cached_arrays(path: Path, stamp: str, build: Callable[[], Arrays]) -> Arrays:
    """The arrays that ``build`` returns, read from disk if they were built before from the same files.

    The file carries the stamp that it was written with and is rebuilt when the stamp differs. It is also rebuilt, with
    a warning, when it is damaged: every array has a checksum, which is compared to its last byte. If it cannot be
    written there is a warning, and no cache. Nothing in it is unpickled.

    Args:
        path: see ``cache_file``; its folder is created if needed.
        stamp: fingerprint of everything that the arrays are made from.
        build: makes the arrays, none of them of objects.
    """
    stamp = f"{_LAYOUT}:{stamp}"
    found = _read(path, stamp)
    if found is not None:
        return found
    arrays = build()
    try:
        _write(path, stamp, arrays)
    except OSError as error:
        warnings.warn(
            f"cannot write the image cache {path} ({error}); the images will be decoded again next time "
            "(choose another place with $BCL_EDU_CACHE)",
            stacklevel=2,
        )
    return arrays


def _read(path: Path, stamp: str) -> Arrays | None:
    """The arrays in a cache file, or None where there is none, a stale one or a damaged one."""
    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as members:
            found_stamp, *names = _read_array(members, _CONTENTS).tolist()
            if found_stamp != stamp:
                return None
            return {name: _read_array(members, name) for name in names}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Exception as error:  # a damaged file makes numpy and zipfile raise errors of many types
        warnings.warn(f"the image cache {path} is damaged ({error}); building it again", stacklevel=3)
        return None


def _read_array(members: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with members.open(f"{name}.npy") as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
        # a damaged header may announce a smaller array: only at a member's end is its checksum compared
        if file.read(1):
            raise ValueError(f"{name} is longer than its header says")
    return array


def _write(path: Path, stamp: str, arrays: Arrays) -> None:
    """Write to a temporary name, then rename: a reader sees the complete file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(path.parent)
    temporary = path.with_suffix(f".{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            np.savez(file, allow_pickle=False, **{_CONTENTS: np.array([stamp, *arrays])}, **arrays)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _remove_stale(folder: Path) -> None:
    """Remove what killed processes left half-written."""
    for temporary in folder.glob("*.tmp"):
        with suppress(OSError):  # another process may have removed it
            if time.time() - temporary.stat().st_mtime > _STALE_SECONDS:
                temporary.unlink()
