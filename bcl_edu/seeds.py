"""Seeds derived from names and numbers, so that every random choice depends only on what it is for."""

from __future__ import annotations

import hashlib


def derive_seed(*parts: int | str) -> int:
    """A 63-bit seed from the run's seed and what it is used for.

    The first eight bytes of SHA-256 over the parts, so that neighbouring seeds, epochs and samples give
    unrelated streams, on every platform and in every process alike.
    """
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
