"""What is there of a data set, what is missing, and whether it is what was published."""

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tqdm.auto import tqdm

from bcl_edu.data.cache import default_cache_dir
from bcl_edu.data.cifar import CIFAR
from bcl_edu.data.class_folders import SPLITS, class_folder_files
from bcl_edu.data.decoding import open_picture
from bcl_edu.data.expected_layout import TREES
from bcl_edu.data.image_files import ImageFiles
from bcl_edu.data.image_lists import ImageList
from bcl_edu.data.photograph_sets import FILE_SETS, find_images, find_list, names_of_classes
from bcl_edu.data.published import Published, describe_labels
from bcl_edu.data.registry import (
    default_data_dir,
    open_dataset,
    require_fitting_options,
    require_folder,
)

SHOWN = 10
"""Missing or unreadable files that are named; the rest is counted."""

PUBLISHED = {
    "fashion-mnist": {"train": Published(60_000, 10, 6000, 6000), "test": Published(10_000, 10, 1000, 1000)},
    **{
        name: {
            split: Published(len(source.class_names) * n, len(source.class_names), n, n)
            for split, n in source.images_a_class.items()
        }
        for name, source in CIFAR.items()
    },
}
"""Of the data sets that are held in memory; nothing is published of `digits`' split or of one's own images."""


@dataclass
class Findings:
    """What a check found, as text, and whether anything is amiss.

    Attributes:
        lines: to be printed.
        problems: one phrase for each thing that is missing or not as it should be.
        verdict: what to say if there is no problem.
    """

    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    verdict: str = "complete, and as published"

    def say(self, topic: str, text: str) -> None:
        """Add a line about a split."""
        self.lines.append(f"  {topic:<11} {text}")

    def name(self, topic: str, what: str, files: list[str]) -> None:
        """Add a problem with files: how many, and the first ten."""
        self.problems.append(f"{topic}: {len(files):,} {what}")
        self.say("", f"{len(files):,} {what}" + (f", the first {SHOWN}:" if len(files) > SHOWN else ":"))
        self.lines += [f"    {file}" for file in files[:SHOWN]]

    def __str__(self) -> str:
        verdict = "not complete: " + "; ".join(self.problems) if self.problems else self.verdict
        return "\n".join([*self.lines, verdict])


def check_dataset(
    name: str,
    data_dir: Path | None = None,
    *,
    cache_dir: Path | None = None,
    lists: Mapping[str, Path] | None = None,
    image_size: int | None = None,
    decode: bool = False,
) -> Findings:
    """Look at a data set without changing anything or using the network.

    Args:
        name: one of DATASET_NAMES.
        data_dir: its folder; by default as for `open_dataset`.
        cache_dir: likewise.
        lists: likewise.
        image_size: likewise.
        decode: read every image file, instead of only looking for it.

    Raises:
        ValueError: the name is unknown, or an option is for other data sets.
    """
    require_fitting_options(name, image_size=image_size, lists=lists)
    folder = data_dir or default_data_dir(name)
    if data_dir is not None and name != "digits":
        try:
            require_folder(name, folder)
        except ValueError as error:
            return _with_what_is_expected(name, folder, Findings([str(error)], ["its folder cannot be used"]))
    if name in FILE_SETS:
        findings = _check_files(name, folder, cache_dir or default_cache_dir(), lists or {}, decode)
    else:
        findings = _check_in_memory(name, data_dir, folder, cache_dir, image_size, decode)
    return _with_what_is_expected(name, folder, findings)


def _with_what_is_expected(name: str, folder: Path, findings: Findings) -> Findings:
    """The findings, and if there is a problem, the tree that is expected."""
    if findings.problems:
        findings.lines += ["", "Expected:", *(f"  {line}" for line in TREES[name].splitlines())]
        if name in FILE_SETS:
            findings.lines.append(f"  Images: {FILE_SETS[name].images_from}.")
            findings.lines.append(
                f"  Lists: `python -m bcl_edu.data prepare {name} --data-dir {folder} --download` fetches them."
            )
        findings.lines.append("")
    return findings


# ---- image files


def _check_files(name: str, folder: Path, cache_dir: Path, own: Mapping[str, Path], decode: bool) -> Findings:
    findings = Findings([f"{name} in {folder}", "lists"])
    images: dict[str, ImageList] = {}
    for split, listed in FILE_SETS[name].splits.items():
        needed = split in ("train", "test")
        try:
            path = own[split] if split in own else find_list(name, split, folder, cache_dir)
        except ValueError:
            if needed:
                findings.problems.append(f"{split}: no list of images")
            findings.say(
                split, "not found" + ("" if needed else " (neither training nor evaluation needs it)")
            )
            continue
        try:
            images[split] = listed.read(path)
        except ValueError as error:
            findings.problems.append(f"{split}: the list cannot be read")
            findings.say(split, str(error))
            continue
        labels = images[split].labels
        differences = listed.published.differences(labels)
        if differences and split in own:
            findings.verdict = "complete; the lists are your own, not those published"
        _compare(findings, split, f"{path}: {describe_labels(labels)}", differences, fatal=split not in own)
    if "train" in images and "test" in images:
        try:
            names_of_classes(images["train"], images["test"])
        except ValueError as error:
            findings.problems.append("the lists do not fit each other")
            findings.lines.append(f"  {error}")

    findings.lines.append("images")
    if not images:
        here = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        findings.lines.append(
            f"  without a list nobody can say which; folders here: {', '.join(here[:SHOWN]) or 'none'}"
        )
    for split, listed_images in images.items():
        _look_for(findings, name, split, folder, listed_images, decode)
    return findings


def _compare(findings: Findings, split: str, text: str, differences: list[str], *, fatal: bool) -> None:
    """Say what is there, and whether the counts are the published ones."""
    if differences and fatal:
        findings.problems.append(f"{split}: not those published")
    compared = "not as published: " + "; ".join(differences) if differences else "as published"
    findings.say(split, f"{text}, {compared}")


def _look_for(
    findings: Findings, name: str, split: str, folder: Path, images: ImageList, decode: bool
) -> None:
    """Find each file of a list, and read it if asked to."""
    try:
        root, flat = find_images(name, folder, images)
    except ValueError:
        root, flat = folder, False
    files = ImageFiles(root, images, tuple(map(str, range(int(images.labels.max()) + 1))), 1, (), (), flat)
    paths = [files.file(index) for index in range(len(files))]
    present = _present(paths)
    found = [path for path, there in zip(paths, present, strict=True) if there]
    findings.say(split, f"{len(found):,} of {len(paths):,} found in {root}")
    if len(found) < len(paths):
        findings.name(
            split, "missing", [str(p) for p, there in zip(paths, present, strict=True) if not there]
        )
    if decode:
        _read_all(findings, split, found)


def _present(paths: list[Path]) -> list[bool]:
    """Whether each file is there: one look at each folder, which is faster than one at each file."""
    folders: dict[Path, set[str]] = {}
    for folder in {path.parent for path in paths}:
        try:
            folders[folder] = set(os.listdir(folder))
        except OSError:
            folders[folder] = set()
    return [path.name in folders[path.parent] for path in paths]


def _read_all(findings: Findings, split: str, paths: Iterable[Path]) -> None:
    """Decode every file; threads do, since Pillow decodes photographs outside Python's lock."""
    paths = list(paths)

    def problem(path: Path) -> str | None:
        try:
            open_picture(path)
        except ValueError as error:
            return str(error)
        return None

    with (
        ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool,
        tqdm(
            total=len(paths), desc=f"reading {split} images", unit="image", delay=1, disable=None
        ) as progress,
    ):
        problems = []
        for reason in pool.map(problem, paths):
            progress.update()
            if reason is not None:
                problems.append(reason.removeprefix("cannot read the image "))
    findings.say(split, f"{len(paths) - len(problems):,} of {len(paths):,} can be read")
    if problems:
        findings.name(split, "cannot be read", problems)


# ---- images in memory


def _check_in_memory(
    name: str,
    data_dir: Path | None,
    folder: Path,
    cache_dir: Path | None,
    image_size: int | None,
    decode: bool,
) -> Findings:
    findings = Findings([name if name == "digits" else f"{name} in {folder}"])
    if decode and any((folder / split).is_dir() for split in SPLITS):
        for split in SPLITS:
            try:
                _read_all(findings, split, class_folder_files(folder / split))
            except ValueError as error:
                findings.problems.append(f"{split}: no images")
                findings.lines.append(f"  {error}")
        if findings.problems:
            return findings
    try:
        dataset = open_dataset(name, data_dir, cache_dir=cache_dir, image_size=image_size)
    except ValueError as error:
        findings.problems.append("it cannot be opened")
        findings.lines.append(f"  {error}")
        return findings
    for split, images in (("train", dataset.train), ("test", dataset.test)):
        labels = images.labels.numpy()
        channels, height, width = images.image_shape
        size = f"{width} x {height}, {'grey' if channels == 1 else 'RGB'}"
        text = f"{describe_labels(labels)}, {size}"
        if name in PUBLISHED:
            _compare(findings, split, text, PUBLISHED[name][split].differences(labels), fatal=True)
        else:
            findings.say(split, text)
            findings.verdict = "complete"
    return findings
