"""Published facts of a data set: the authors' files, with their hashes and fetched on demand, and numbers of images."""

import hashlib
import http.client
import os
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from bcl_edu.counting import counted

_CHUNK = 2**20
_TIMEOUT_SECONDS = 30
_ATTEMPTS = 4


@dataclass(frozen=True)
class OfficialFile:
    """A file on its authors' server.

    Attributes:
        url: where it is.
        md5: the hash that its authors publish; None where they publish none. It guards against damage and incomplete
            downloads; a forger would have to find a second preimage of MD5.
        megabytes: size of the download, rounded.
    """

    url: str
    md5: str | None
    megabytes: int

    @property
    def file_name(self) -> str:
        """The last part of the URL."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class ExpectedCounts:
    """Sizes of one split: images, classes with images, images of the largest and of the smallest class."""

    images: int
    classes: int
    max_per_class: int
    min_per_class: int

    def __str__(self) -> str:
        largest, smallest = self.max_per_class, self.min_per_class
        spread = f"{largest:,} each" if largest == smallest else f"{largest:,} down to {smallest:,} each"
        return f"{counted(self.images, 'image')}, {counted(self.classes, 'class')}, {spread}"

    @classmethod
    def of(cls, labels: NDArray[np.int64]) -> "ExpectedCounts":
        """The same numbers of labels that were found, shape (n,)."""
        counts = np.bincount(labels)
        counts = counts[counts > 0]
        if len(counts) == 0:
            return cls(0, 0, 0, 0)
        return cls(len(labels), len(counts), int(counts.max()), int(counts.min()))

    def differences(self, labels: NDArray[np.int64]) -> list[str]:
        """One phrase for each of the four numbers in which these labels differ; empty if they agree."""
        found, expected = self.of(labels), self
        pairs = (
            (counted(found.images, "image"), found.images, expected.images),
            (counted(found.classes, "class"), found.classes, expected.classes),
            (f"{found.max_per_class:,} in the largest class", found.max_per_class, expected.max_per_class),
            (f"{found.min_per_class:,} in the smallest class", found.min_per_class, expected.min_per_class),
        )
        return [f"{said} instead of {wanted:,}" for said, number, wanted in pairs if number != wanted]


def check_md5(path: Path, official: OfficialFile) -> None:
    """Compare a file with the published hash, if there is one.

    Raises:
        ValueError: they differ.
    """
    if official.md5 is None:
        return
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != official.md5:
        raise ValueError(
            f"{path} is not the file that its authors published: its MD5 is {found}, expected {official.md5}; "
            f"it is incomplete or changed: delete it and fetch {official.url} again"
        )


def read_member(archive: Path, name: str, largest: int) -> bytes:
    """Read one file of a .tar.gz archive into memory; nothing is unpacked to a path that the archive chooses.

    Args:
        archive: the .tar.gz file.
        name: the member's path in it.
        largest: bytes of unpacked archive to look at, so that one that unpacks without end is refused.

    Raises:
        ValueError: the archive is damaged, has no regular file of this name, or unpacks to more than ``largest``.
    """
    try:
        with tarfile.open(archive, "r:gz") as opened:
            for member in opened:
                if member.offset_data + member.size > largest:
                    raise ValueError(f"it unpacks to more than the {largest:,} bytes expected")
                if member.name == name and member.isreg():
                    content = opened.extractfile(member)
                    assert content is not None  # it is a regular file
                    return content.read()
        raise ValueError(f"it has no file {name}")
    except Exception as error:  # tarfile and zlib raise errors of many types for damaged archives
        raise ValueError(f"cannot read {archive}: {error}; fetch it again") from error


def fetch(official: OfficialFile, folder: Path, verify: Callable[[Path], None] | None = None) -> Path:
    """Download a file into a folder, resuming an earlier attempt.

    Bytes are collected in ``<name>.part``, which stays when the connection breaks. Only a complete file with
    the published hash gets its name; a complete file with another hash is deleted.

    Args:
        official: what to fetch.
        folder: where to put it; created if needed.
        verify: a further check of the complete file, which raises ValueError; the only one where no hash is published.

    Returns:
        The path of the finished file.

    Raises:
        ConnectionError: the server cannot be reached or breaks off; the message says what to fetch by other
            means and where to put it.
        ValueError: what came is not what was published.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{official.file_name}.part"
    for attempts_left in reversed(range(_ATTEMPTS)):
        try:
            _continue_download(official.url, part)
            break
        except (OSError, http.client.HTTPException) as error:
            # an HTTP status is the server's answer: asking again would not change it
            if attempts_left == 0 or isinstance(error, urllib.error.HTTPError):
                raise ConnectionError(_fetch_by_hand(official, folder, part, error)) from error
    try:
        check_md5(part, official)
        if verify is not None:
            verify(part)
    except ValueError:
        part.unlink()
        raise
    target = folder / official.file_name
    os.replace(part, target)
    return target


def _continue_download(url: str, part: Path) -> None:
    """Append the missing bytes of the file at ``url`` to ``part``; start over if the server cannot resume."""
    present = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "bcl-edu"})
    if present:
        request.add_header("Range", f"bytes={present}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and present:
                return  # nothing is left to fetch; the hash decides whether the part is right
            raise
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            present = 0
        length = response.headers.get("Content-Length")
        total = present + int(length) if length else None
        with (
            open(part, "ab" if present else "wb") as file,
            tqdm(
                total=total, initial=present, desc=part.stem, unit="B", unit_scale=True, delay=1, disable=None
            ) as progress,
        ):
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                progress.update(len(chunk))
    received = part.stat().st_size
    if total is not None and received < total:  # http.client does not report it
        raise ConnectionError(f"the connection broke off after {received:,} of {total:,} bytes")


def _fetch_by_hand(official: OfficialFile, folder: Path, part: Path, error: Exception) -> str:
    present = part.stat().st_size if part.exists() else 0
    kept = f" ({present:,} bytes are kept: calling again goes on from there)" if present else ""
    facts = f"{official.megabytes} MB" + (f", MD5 {official.md5}" if official.md5 else "")
    return (
        f"cannot download {official.url}: {error}{kept}. Without a network, fetch that file "
        f"({facts}) elsewhere and put it, as it is, into {folder}"
    )
