"""Lists of image files with their labels: `path label` lines and CSV."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64, Shaped

from bcl_edu.counting import counted
from bcl_edu.files import read_text, write_atomically

LARGEST_LABEL = 1_000_000
"""Beyond any data set's number of classes: a label above it is another number, such as that of an image."""

LONGEST_PATH = 4096
"""Bytes of a path that a file system accepts."""

_LARGEST_TABLE = 2**31  # bytes of all paths together, each as long as the longest

_PATH_COLUMNS = ("path", "file", "file_name", "filename", "image", "image_path")
_LABEL_COLUMNS = ("label", "class", "target", "category")


@dataclass(frozen=True, eq=False)
class ImageList:
    """Image files and their classes, in the order of the file that lists them.

    Attributes:
        paths: relative paths with forward slashes, as UTF-8, shape (n,). One array of bytes: half a million
            Python strings would be copied into every worker process, page by page.
        labels: class of each, shape (n,), values from 0.
        words: the labels as they are written, shape (n,), where they are words; ``labels`` then number them in
            alphabetical order. None where labels are written as numbers.
    """

    paths: Shaped[np.ndarray, " n"]
    labels: Int64[np.ndarray, " n"]
    words: Shaped[np.ndarray, " n"] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def path(self, index: int) -> str:
        """One path as text; bytes that are not UTF-8 as Python writes them in file names."""
        return bytes(self.paths[index]).decode("utf-8", "surrogateescape")

    def select(self, chosen: Int64[np.ndarray, " m"]) -> "ImageList":
        """The images at these positions, in this order."""
        words = None if self.words is None else self.words[chosen]
        return ImageList(self.paths[chosen], self.labels[chosen], words)

    def lines(self, chosen: Int64[np.ndarray, " m"] | slice = slice(None)) -> list[bytes]:
        """`path label` lines of the images at these positions."""
        pairs = zip(self.paths[chosen], self.labels[chosen], strict=True)
        return [b"%s %d" % pair for pair in pairs]


def read_list(path: Path) -> ImageList:
    """Read a list of images: CSV if its name ends with .csv, otherwise `path label` lines.

    - In lines, the label is what follows the last blank, so that a path may contain blanks. It is a whole number.
    - CSV has two columns or a header that names them (path, file, file_name, filename, image or image_path; label,
      class, target or category). Its labels are whole numbers, or words if any of them is none.

    Empty lines are skipped.

    Raises:
        ValueError: the file cannot be read, it lists no image, or a line is not of this form.
    """
    text = read_text(path)
    rows = _csv_rows(path, text) if path.suffix.lower() == ".csv" else _line_rows(path, text)
    labels = [label for _, _, label in rows]
    numbers = all(label.isascii() and label.isdigit() for label in labels)
    if not numbers and path.suffix.lower() != ".csv":
        number, line = next((n, f"{p} {w}".strip()) for n, p, w in rows if not (w.isascii() and w.isdigit()))
        raise ValueError(
            f"{path}, line {number}: {line[:80]!r} is not a path and a label (a whole number from 0), "
            "as in 'train/n01440764/n01440764_190.JPEG 0'"
        )
    paths = [inside(name, f"{path}, line {number}") for number, name, _ in rows]
    if numbers:
        return image_list(path, paths, [int(label[:20]) for label in labels])
    words = np.array(labels)
    return image_list(path, paths, np.unique(words, return_inverse=True)[1].tolist(), words)


def _line_rows(path: Path, text: str) -> list[tuple[int, str, str]]:
    """Line number, path and label of each line that is not empty."""
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            name, label = [*line.rsplit(maxsplit=1), ""][:2]
            rows.append((number, name.strip(), label))
    return rows


def _csv_rows(path: Path, text: str) -> list[tuple[int, str, str]]:
    reader = csv.reader(text.splitlines())
    columns = (0, 1)
    rows: list[tuple[int, str, str]] = []
    try:
        for fields in reader:
            fields = [field.strip() for field in fields]
            if not any(fields):
                continue
            lower = [field.lower() for field in fields]
            if not rows and any(name in lower for name in _PATH_COLUMNS):
                columns = (_column(path, lower, _PATH_COLUMNS), _column(path, lower, _LABEL_COLUMNS))
                continue
            if len(fields) <= max(columns) or not fields[columns[0]] or not fields[columns[1]]:
                raise ValueError(
                    f"{path}, line {reader.line_num}: {','.join(fields)[:80]!r} has no path and label"
                )
            rows.append((reader.line_num, fields[columns[0]], fields[columns[1]]))
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from error
    return rows


def _column(path: Path, header: list[str], names: tuple[str, ...]) -> int:
    for name in names:
        if name in header:
            return header.index(name)
    raise ValueError(
        f"{path} has the columns {', '.join(header)[:200]}; expected one of {', '.join(names)} among them"
    )


def write_list(path: Path, images: ImageList) -> None:
    """Write `path label` lines, whole or not at all."""
    write_atomically(path, b"".join(line + b"\n" for line in images.lines()))


def inside(name: str, where: str) -> str:
    """The path without a leading ``./``, if it stays inside the data set's folder.

    Raises:
        ValueError: it leaves the folder, is longer than any file system accepts, or has a zero byte.
    """
    name = name.removeprefix("./")
    if not name or name.startswith("/") or ".." in name.split("/"):
        raise ValueError(
            f"{where}: {name[:80]!r} leaves the data set's folder; expected a path relative to it"
        )
    if len(name) > LONGEST_PATH or "\0" in name:
        raise ValueError(
            f"{where}: {name[:80]!r}… is no path: it has a zero byte or more than {LONGEST_PATH:,} characters"
        )
    return name


def image_list(
    path: Path, paths: list[str], labels: list[int], words: Shaped[np.ndarray, " n"] | None = None
) -> ImageList:
    """The list that a file at ``path`` has.

    Raises:
        ValueError: it is empty, a label is out of range, or the paths together are too long.
    """
    if not paths:
        raise ValueError(f"{path} lists no image")
    for name, label in zip(paths, labels, strict=True):
        if not 0 <= label <= LARGEST_LABEL:
            raise ValueError(
                f"{path}: {name} has label {label}; expected the number of a class, from 0 to at most {LARGEST_LABEL:,}"
            )
    encoded = [name.encode("utf-8", "surrogateescape") for name in paths]
    longest = max(encoded, key=len)
    if len(longest) * len(encoded) > _LARGEST_TABLE:
        raise ValueError(
            f"{path}: {counted(len(encoded), 'path')}, one of them of {counted(len(longest), 'byte')} "
            f"({longest[:60].decode(errors='replace')}…), take too much memory; shorten the longest ones"
        )
    return ImageList(np.array(encoded), np.array(labels, dtype=np.int64), words)
