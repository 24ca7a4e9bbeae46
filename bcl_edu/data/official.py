"""Files that the authors of a data set publish: known by their hash, fetched only when asked for."""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

_CHUNK = 2**20
_TIMEOUT_SECONDS = 30
_ATTEMPTS = 4


@dataclass(frozen=True)
class OfficialFile:
    """A file on its authors' server.

    Attributes:
        url: where it is.
        md5: the hash that its authors publish. It guards against damage and half a download; whoever could
            forge it would have to find a second preimage of MD5. None where they publish none.
        megabytes: how much there is to fetch, about.
    """

    url: str
    md5: str | None
    megabytes: int

    @property
    def file_name(self) -> str:
        """The last part of the URL."""
        return self.url.rsplit("/", 1)[-1]


def check_md5(path: Path, official: OfficialFile) -> None:
    """Compare a file with the published hash, if there is one.

    Raises:
        ValueError: they differ.
    """
    if official.md5 is None:
        return
    found = _md5(path)
    if found != official.md5:
        raise ValueError(
            f"{path} is not the file that its authors published: its MD5 is {found}, expected {official.md5}; "
            f"it is incomplete or changed: delete it and fetch {official.url} again"
        )


def fetch(official: OfficialFile, folder: Path, verify: Callable[[Path], None] | None = None) -> Path:
    """Download a file into a folder, going on where an earlier attempt stopped.

    Bytes are collected in ``<name>.part``, which stays when the connection breaks. Only a whole file with
    the published hash gets its name; a part whose hash is wrong is deleted.

    Args:
        official: what to fetch.
        folder: where to put it; created if needed.
        verify: a further check of the whole file, which raises ValueError; all there is where no hash is published.

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
    """Append to ``part`` what it lacks of the file at ``url``; from the start if the server cannot resume."""
    present = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "bcl-edu"})
    if present:
        request.add_header("Range", f"bytes={present}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and present:
                return  # nothing is left to fetch; the hash will tell whether the part is right
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
    if total is not None and received < total:  # http.client does not tell
        raise ConnectionError(f"the connection broke off after {received:,} of {total:,} bytes")


def _md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _fetch_by_hand(official: OfficialFile, folder: Path, part: Path, error: Exception) -> str:
    present = part.stat().st_size if part.exists() else 0
    kept = f" ({present:,} bytes are kept: calling again goes on from there)" if present else ""
    facts = f"{official.megabytes} MB" + (f", MD5 {official.md5}" if official.md5 else "")
    return (
        f"cannot download {official.url}: {error}{kept}. Without a network, fetch that file "
        f"({facts}) elsewhere and put it, as it is, into {folder}"
    )
