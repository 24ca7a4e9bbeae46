"""Decoded images on disk: a set is decoded once, and read in a moment ever after."""

import hashlib
import os
import sys
import uuid
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]

# part of every fingerprint: raise it when decoding, order or layout change, and old caches are rebuilt
_LAYOUT = "1"


def default_cache_dir() -> Path:
    """``$BCL_EDU_CACHE`` if set, otherwise ``bcl_edu`` in the user's cache folder of this platform."""
    if chosen := os.environ.get("BCL_EDU_CACHE"):
        return Path(chosen)
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "bcl_edu"


def cached_arrays(cache_dir: Path, source: str, fingerprint: str, build: Callable[[], Arrays]) -> Arrays:
    """The arrays that ``build`` returns, from disk if they were built before from the same files.

    One cache file is kept for each source. It holds the fingerprint of the files that it was built from,
    and is built anew when that differs; it is also built anew, with a warning, when it cannot be read whole
    (the format carries a checksum of each array). Where it cannot be written there is a warning, and no cache.

    Args:
        cache_dir: created if needed.
        source: what the file is named after: a data set, its folder and its options.
        fingerprint: digest of everything that the arrays depend on.
        build: makes the arrays, none of them of objects.
    """
    key = hashlib.sha256(source.encode()).hexdigest()[:16]
    path = cache_dir / f"{source.split(':', 1)[0]}-{key}.npz"
    stamp = f"{_LAYOUT}:{fingerprint}"
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
        with np.load(path, allow_pickle=False) as file:
            if str(file["stamp"]) != stamp:
                return None
            return {name: file[name] for name in file.files if name != "stamp"}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        warnings.warn(f"the image cache {path} is damaged ({error}); building it again", stacklevel=3)
        return None


def _write(path: Path, stamp: str, arrays: Arrays) -> None:
    """Write to a temporary name, then rename: a reader sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "wb") as file:
            np.savez(file, allow_pickle=False, stamp=np.array(stamp), **arrays)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
