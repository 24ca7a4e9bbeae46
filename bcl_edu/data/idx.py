"""The IDX format of the MNIST family: a header of sizes, then the numbers."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_UNSIGNED_BYTE = 8


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of bytes in an IDX file, compressed if its name ends with .gz.

    The header is two zero bytes, the type of the numbers, the number of dimensions, and then each dimension
    as a big-endian 32-bit integer.

    Raises:
        ValueError: the file is damaged, of another format, or its numbers are not unsigned bytes.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            content = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"cannot read {path}: {error}; delete it and fetch it again") from error
    dimensions = content[3] if len(content) > 3 else 0
    start = 4 + 4 * dimensions
    if content[:3] != bytes([0, 0, _UNSIGNED_BYTE]) or dimensions == 0 or len(content) < start:
        raise ValueError(
            f"{path} starts with {content[:4].hex(' ') or 'nothing'}; expected 00 00 08 and a number of "
            "dimensions: it is not an IDX file of unsigned bytes"
        )
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], dtype=">u4"))
    if len(content) != start + math.prod(shape):
        raise ValueError(
            f"{path} has {len(content):,} bytes, but its header announces {shape}, that is "
            f"{start + math.prod(shape):,}; it is incomplete, fetch it again"
        )
    # a copy, since torch wants memory that can be written to
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape).copy()
