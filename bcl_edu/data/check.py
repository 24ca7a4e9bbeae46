"""Check a data set: what is there, what is missing, and whether it is what was published."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from bcl_edu.data import fashion_mnist
from bcl_edu.data.cifar import CIFAR
from bcl_edu.data.class_folders import REQUIRED_SPLITS, is_file, list_class_folders
from bcl_edu.data.class_names import name_classes
from bcl_edu.data.decoding import open_picture
from bcl_edu.data.image_files import ImageFiles
from bcl_edu.data.image_lists import ImageList
from bcl_edu.data.labelled import Images
from bcl_edu.data.open import (
    OWN_LISTS,
    PHOTOGRAPH_SETS,
    data_and_cache_dirs,
    open_dataset,
    require_fitting_options,
    require_folder,
)
from bcl_edu.data.photographs import PhotographSet, find_images, find_list, read_any_list
from bcl_edu.data.published import ExpectedCounts
from bcl_edu.escape import for_terminal
from bcl_edu.files import file_sha256, user_path

SHOWN = 10
"""Files that are named where some are missing, unreadable or twice there; the others are counted."""

EXPECTED_LAYOUT = {
    "digits": "nothing: they come with this package",
    "fashion-mnist": """\
data/fashion-mnist/
    train-images-idx3-ubyte.gz    8d4fb7e6c68d591d4c3dfef9ec88bf0d
    train-labels-idx1-ubyte.gz    25c81989df183df01b3e8a0aad5dffbe
    t10k-images-idx3-ubyte.gz     bef4ecab320f06d8554ea6380940ec79
    t10k-labels-idx1-ubyte.gz     bb300cfdad3c16e7a12a480ee83cd310""",
    "cifar10": """\
data/cifar10/cifar-10-binary.tar.gz      c32a1d4ab5d03f1284b67883e8d87530    (162 MB)
data/cifar10/cifar-10-batches-bin/       data_batch_1.bin … data_batch_5.bin, test_batch.bin
data/cifar10/train/airplane/*    …    data/cifar10/test/truck/*""",
    "cifar100": """\
data/cifar100/cifar-100-binary.tar.gz    03b5dce01913d631647c71ecec9e9cb8    (161 MB)
data/cifar100/cifar-100-binary/          train.bin, test.bin
data/cifar100/train/apple/*      …    data/cifar100/test/worm/*""",
    "folder": """\
data/folder/
    train/<class>/<any name>    test/<class>/<any name>""",
    "lists": """\
images/cat/1.jpg 0    …    images/dog/7.jpg 1    (lines of --train-list and --test-list, or CSV)""",
    "imagenet-lt": """\
data/imagenet-lt/
    ImageNet_LT_train.txt    ImageNet_LT_test.txt
    train/n01440764/n01440764_10026.JPEG    …    train/n15075141/*.JPEG
    val/n01440764/ILSVRC2012_val_00000293.JPEG    …    or    val/ILSVRC2012_val_00000293.JPEG    …""",
    "inaturalist2018": """\
data/inaturalist2018/
    train2018.json    val2018.json    (or .json.tar.gz, or iNaturalist18_train.txt and iNaturalist18_val.txt)
    train_val2018/Plantae/7291/*.jpg    …    train_val2018/Insecta/673/*.jpg    …""",
}
"""The folder of each data set: shown where something is missing, and in data/README.md."""

_IN_MEMORY = {
    "fashion-mnist": fashion_mnist.EXPECTED,
    **{name: {split: source.expected(split) for split in REQUIRED_SPLITS} for name, source in CIFAR.items()},
}
"""Published counts of the sets that are held in memory; there are none for `digits`' split or a user's own images."""


@dataclass
class Findings:
    """Findings of a check: lines to print, and what is amiss.

    Attributes:
        lines: to be printed.
        problems: one phrase for each thing that is missing or not as it should be.
        verdict: what to print last if there is no problem.
    """

    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    verdict: str = "complete, and as published"

    def add(self, topic: str, text: str) -> None:
        """Add a line about a split."""
        self.lines.append(f"  {topic:<11} {text}")

    def add_files(self, topic: str, what: str, files: list[str], *, problem: bool = True) -> None:
        """Add files with what is to be said of them: their number, and the first ten."""
        if problem:
            self.problems.append(f"{topic}: {len(files):,} {what}")
        self.add(
            "" if problem else topic,
            f"{len(files):,} {what}" + (f", the first {SHOWN}:" if len(files) > SHOWN else ":"),
        )
        self.lines += [f"    {file}" for file in files[:SHOWN]]

    def __str__(self) -> str:
        verdict = "not complete: " + "; ".join(self.problems) if self.problems else self.verdict
        return for_terminal("\n".join([*self.lines, verdict]), keep="\n")


def check_dataset(
    name: str,
    data_dir: Path | str | None = None,
    *,
    cache_dir: Path | str | None = None,
    lists: Mapping[str, Path | str] | None = None,
    image_size: int | None = None,
    decode: bool = False,
) -> Findings:
    """Look at a data set without changing anything or using the network.

    Lists, labels and class names are read by the functions that open the data set, and what is found complete has been
    opened: a check and a training run agree. Images that occur twice, or both in training and in testing, are
    reported; they are no problem, since published data sets have some.

    Args:
        name: one of DATASET_NAMES.
        data_dir: as for `open_dataset`.
        cache_dir: likewise.
        lists: likewise.
        image_size: likewise.
        decode: read every image file, instead of only looking for it, and compare the files' contents.

    Raises:
        ValueError: the name is unknown, or an option is for other data sets.
    """
    require_fitting_options(name, data_dir=data_dir, image_size=image_size, lists=lists)
    folder, cache = data_and_cache_dirs(name, data_dir, cache_dir)
    own = {split: user_path(path) for split, path in (lists or {}).items()}
    if data_dir is not None:
        try:
            require_folder(name, folder)
        except ValueError as error:
            return _with_what_is_expected(name, folder, Findings([str(error)], ["its folder cannot be used"]))
    if name in PHOTOGRAPH_SETS or name == "lists":
        source = PHOTOGRAPH_SETS.get(name, OWN_LISTS)
        findings = _check_photographs(source, folder, cache, own, decode)
    else:
        findings = Findings([name if name == "digits" else f"{name} in {folder}"])
        if decode:
            _decode_class_folders(findings, folder)
    if not findings.problems:
        _open(findings, name, data_dir, cache, own, image_size)
    return _with_what_is_expected(name, folder, findings)


def _with_what_is_expected(name: str, folder: Path, findings: Findings) -> Findings:
    """The findings, and if there is a problem, the tree that is expected."""
    if findings.problems:
        findings.lines += ["", "Expected:", *(f"  {line}" for line in EXPECTED_LAYOUT[name].splitlines())]
        if name in PHOTOGRAPH_SETS:
            findings.lines.append(f"  Images: {PHOTOGRAPH_SETS[name].images_from}.")
            findings.lines.append(
                f"  Lists: `python -m bcl_edu.data prepare {name} --data-dir {folder} --download` fetches them."
            )
        findings.lines.append("")
    return findings


def _open(
    findings: Findings,
    name: str,
    data_dir: Path | str | None,
    cache: Path,
    own: Mapping[str, Path],
    image_size: int | None,
) -> None:
    """Open the data set; describe it if it is held in memory, or the user's own."""
    try:
        dataset = open_dataset(name, data_dir, cache_dir=cache, image_size=image_size, lists=own)
    except ValueError as error:
        findings.problems.append("it cannot be opened")
        findings.lines.append(f"  {error}")
        return
    if name in PHOTOGRAPH_SETS:
        return
    splits = {"train": dataset.train, "test": dataset.test}
    if dataset.validation is not None:
        splits["validation"] = dataset.validation
    for split, images in splits.items():
        labels = images.labels.numpy()
        channels, height, width = images.image_shape
        text = f"{ExpectedCounts.of(labels)}, {width} x {height}, {'grey' if channels == 1 else 'RGB'}"
        if name in _IN_MEMORY:
            _compare(findings, split, text, _IN_MEMORY[name][split].differences(labels), fatal=True)
        else:
            findings.add(split, text)
            findings.verdict = "complete"
    if name in ("folder", "lists") and not dataset.test_is_balanced:
        findings.add("test", "not balanced: the average over images and that over classes will differ")
    _report_equal(findings, splits)


# ---- image files


def _check_photographs(
    source: PhotographSet, folder: Path, cache: Path, own: Mapping[str, Path], decode: bool
) -> Findings:
    findings = Findings([f"{source.name} in {folder}", "lists"])
    images: dict[str, ImageList] = {}
    for split in dict.fromkeys((*source.splits, "train", "test", *own)):
        needed = split in ("train", "test", *own)
        try:
            path = own[split] if split in own else find_list(source, split, folder, cache)
        except ValueError:
            if needed:
                findings.problems.append(f"{split}: no list of images")
            findings.add(
                split, "not found" + ("" if needed else " (neither training nor evaluation needs it)")
            )
            continue
        try:
            images[split] = read_any_list(path)
        except ValueError as error:
            findings.problems.append(f"{split}: the list cannot be read")
            findings.add(split, str(error))
            continue
        text = f"{path}: {ExpectedCounts.of(images[split].labels)}"
        if split not in source.splits:
            findings.add(split, text)
            findings.verdict = "complete"
            continue
        differences = source.splits[split].expected.differences(images[split].labels)
        if differences and split in own:
            findings.verdict = "complete; the lists are your own, not those published"
        _compare(findings, split, text, differences, fatal=split not in own)
    if "train" in images and "test" in images:
        try:
            _, _, notes = name_classes(images)
            findings.lines += [f"  note: {note}" for note in notes]
        except ValueError as error:
            findings.problems.append("the lists do not fit each other")
            findings.lines.append(f"  {error}")
        _report_shared_paths(findings, images)

    findings.lines.append("images")
    if not images:
        here = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        findings.lines.append(
            f"  without a list nobody can say which; folders here: {', '.join(here[:SHOWN]) or 'none'}"
        )
    found = {
        split: _look_for(findings, source, split, folder, listed, decode) for split, listed in images.items()
    }
    if decode and not findings.problems:
        _report_equal_files(findings, found)
    return findings


def _compare(findings: Findings, split: str, text: str, differences: list[str], *, fatal: bool) -> None:
    """Add what is there, and whether the counts are the published ones."""
    if differences and fatal:
        findings.problems.append(f"{split}: not those published")
    compared = "not as published: " + "; ".join(differences) if differences else "as published"
    findings.add(split, f"{text}, {compared}")


def _look_for(
    findings: Findings, source: PhotographSet, split: str, folder: Path, images: ImageList, decode: bool
) -> list[Path]:
    """Find each file of a list, and read it if asked to; return those that are there."""
    try:
        root, flat = find_images(source, folder, images)
    except ValueError:
        root, flat = folder, False
    files = ImageFiles(root, images, tuple(map(str, range(int(images.labels.max()) + 1))), 1, (), (), flat)
    paths = [files.file(index) for index in range(len(files))]
    present = _present(paths)
    found = [path for path, there in zip(paths, present, strict=True) if there]
    findings.add(split, f"{len(found):,} of {len(paths):,} found in {root}")
    if len(found) < len(paths):
        findings.add_files(
            split, "missing", [str(p) for p, there in zip(paths, present, strict=True) if not there]
        )
    if decode:
        _read_all(findings, split, found)
    return found


def _present(paths: list[Path]) -> list[bool]:
    """For each path, True if it is a regular file. Lists each folder once, which is faster than a look at each file."""
    folders: dict[Path, set[str]] = {}
    for folder in {path.parent for path in paths}:
        try:
            with os.scandir(folder) as entries:
                folders[folder] = {entry.name for entry in entries if is_file(entry)}
        except OSError:
            folders[folder] = set()
    return [path.name in folders[path.parent] for path in paths]


def _decode_class_folders(findings: Findings, folder: Path) -> None:
    """Read every image file of a tree of class folders, if there is one."""
    if not any((folder / split).is_dir() for split in REQUIRED_SPLITS):
        return
    try:
        files = list_class_folders(folder)
    except ValueError:
        return  # opening it fails in the same way, and is reported
    found = {split: [images.file(index) for index in range(len(images))] for split, images in files.items()}
    for split, paths in found.items():
        _read_all(findings, split, paths)


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
    findings.add(split, f"{len(paths) - len(problems):,} of {len(paths):,} can be read")
    if problems:
        findings.add_files(split, "cannot be read", problems)


# ---- images that occur more than once


def _report_shared_paths(findings: Findings, images: Mapping[str, ImageList]) -> None:
    """Report paths that a list has twice, or that are in two lists."""
    for split, listed in images.items():
        paths, counts = np.unique(listed.paths, return_counts=True)
        _report(findings, split, "listed more than once", paths[counts > 1])
        if split != "train":
            shared = np.intersect1d(images["train"].paths, listed.paths)
            taken = split == "validation"
            what = "also in the training list" + (", which training leaves out" if taken else "")
            _report(findings, split, what, shared)


def _report(findings: Findings, split: str, what: str, paths: np.ndarray) -> None:
    if len(paths):
        files = [bytes(path).decode("utf-8", "backslashreplace") for path in paths]
        findings.add_files(split, what, files, problem=False)


def _report_equal_files(findings: Findings, found: Mapping[str, list[Path]]) -> None:
    """Report files of equal content."""
    digests = {split: [file_sha256(path) for path in paths] for split, paths in found.items()}
    names = {split: [str(path) for path in paths] for split, paths in found.items()}
    _report_equal_digests(findings, digests, names)


def _report_equal(findings: Findings, splits: Mapping[str, Images]) -> None:
    """Report images in memory with equal pixels."""
    digests, names = {}, {}
    for split, images in splits.items():
        if isinstance(images, ImageFiles):
            return
        digests[split] = [hashlib.sha256(image.numpy().tobytes()).hexdigest() for image in images.images]
        names[split] = [
            f"number {number} ({images.class_names[label]})"
            for number, label in enumerate(images.labels.tolist())
        ]
    _report_equal_digests(findings, digests, names)


def _report_equal_digests(
    findings: Findings, digests: Mapping[str, list[str]], names: Mapping[str, list[str]]
) -> None:
    of_training: dict[str, str] = {}
    for split, own in digests.items():
        first: dict[str, str] = {}
        again, leaked = [], []
        for digest, name in zip(own, names[split], strict=True):
            if digest in first:
                again.append(f"{name} = {first[digest]}")
            elif split != "train" and digest in of_training:
                leaked.append(f"{name} = {of_training[digest]} of the training images")
            first.setdefault(digest, name)
        if again:
            findings.add_files(split, "equal to an earlier one", again, problem=False)
        if leaked:
            findings.add_files(split, "equal to a training image", leaked, problem=False)
        if split == "train":
            of_training = first
