"""Names of classes: found from lists, compared between a run's record and the data that it is evaluated on."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from bcl_edu.counting import counted
from bcl_edu.data.image_lists import ImageList
from bcl_edu.data.labelled import Images, LabelledImages
from bcl_edu.files import read_text


class ClassNamesDiffer(ValueError):
    """Images have other classes than expected; the message names them and what to do."""


def name_classes(
    lists: Mapping[str, ImageList],
) -> tuple[tuple[str, ...], dict[str, ImageList], list[str]]:
    """Names of the classes of a training list, and the other lists in the training list's labels.

    Labels decide. Where they are words, the words are the names. Where they are numbers, the names are the folders in
    which the classes' images lie, without what all classes have in common (`n01440764`, `Plantae/7291`), or the
    numbers where a class has no folder of its own.

    Args:
        lists: by split; "train" is among them.

    Returns:
        The K names; the lists, all with labels 0..K-1; and one note for each other list whose folders have other names.

    Raises:
        ValueError: a class has no training image, a list has a label that the training list lacks, or only one of two
            lists has words for labels.
    """
    train = lists["train"]
    if train.words is not None:
        names = tuple(str(name) for name in np.unique(train.words))
        return names, {split: _by_words(split, listed, names) for split, listed in lists.items()}, []
    num_classes = int(train.labels.max()) + 1
    empty = np.flatnonzero(np.bincount(train.labels) == 0)
    if len(empty):
        raise ValueError(
            f"the training list has labels up to {num_classes - 1}, but none of its images has label "
            f"{int(empty[0])} ({counted(len(empty), 'such class')}); every class needs an image to train on"
        )
    folders = _class_folders(train)
    names = tuple(folders.get(label) or str(label) for label in range(num_classes))
    notes = []
    for split, listed in lists.items():
        if split == "train":
            continue
        if listed.words is not None:
            raise ValueError(
                f"the labels of the {split} list are words such as {str(listed.words[0])!r}, those of the training "
                "list numbers; write both the same way"
            )
        beyond = np.flatnonzero(listed.labels >= num_classes)
        if len(beyond):
            raise ValueError(
                f"label {int(listed.labels[beyond[0]])} of {listed.path(int(beyond[0]))} in the {split} list, but the "
                f"training list has {counted(num_classes, 'class')} (labels 0..{num_classes - 1})"
            )
        notes += _other_folders(split, folders, _class_folders(listed))
    return names, dict(lists), notes


def with_class_names(listed: ImageList, class_names: Sequence[str]) -> tuple[ImageList, tuple[str, ...]]:
    """A list on its own with the names of its classes: its words where labels are words, else the names they number.

    Raises:
        ValueError: a label is beyond the names.
    """
    if listed.words is not None:
        names = tuple(str(name) for name in np.unique(listed.words))
        if set(names) <= set(class_names):  # all or some of the run's, as a list of numbers may have
            names = tuple(class_names)
        return _by_words("test", listed, names), names
    largest = int(listed.labels.argmax())
    if listed.labels[largest] >= len(class_names):
        raise ValueError(
            f"label {int(listed.labels[largest])} of {listed.path(largest)}, but the run was trained on "
            f"{counted(len(class_names), 'class')} (labels 0..{len(class_names) - 1})"
        )
    return listed, tuple(class_names)


def _by_words(split: str, listed: ImageList, names: tuple[str, ...]) -> ImageList:
    if listed.words is None:
        raise ValueError(
            f"the labels of the {split} list are numbers, those of the training list words such as {names[0]!r}; "
            "write both the same way"
        )
    unknown = sorted(set(listed.words.tolist()) - set(names))
    if unknown:
        raise ValueError(
            f"label {unknown[0]!r} is in the {split} list, but not in the training list "
            f"({counted(len(unknown), 'such label')})"
        )
    return replace(listed, labels=np.searchsorted(np.array(names), listed.words).astype(np.int64))


def _class_folders(images: ImageList) -> dict[int, str]:
    """Folder of each label, below those that all classes share, by its first image; empty if two labels share one."""
    labels, first = np.unique(images.labels, return_index=True)
    folders = [images.path(index).split("/")[:-1] for index in first.tolist()]
    levels = zip(*folders, strict=False)
    shared = next(
        (depth for depth, level in enumerate(levels) if len(set(level)) > 1), len(min(folders, key=len))
    )
    if len(folders) == 1:
        shared = max(len(folders[0]) - 1, 0)
    names = ["/".join(folder[shared:]) for folder in folders]
    return (
        dict(zip(labels.tolist(), names, strict=True)) if all(names) and len(set(names)) == len(names) else {}
    )


def _other_folders(split: str, expected: Mapping[int, str], found: Mapping[int, str]) -> list[str]:
    differing = [
        label
        for label, name in found.items()
        if label in expected and name.split("/")[-1] != expected[label].split("/")[-1]
    ]
    if not differing:
        return []
    label = differing[0]
    return [
        f"label {label} is in a folder {expected[label]!r} in the training list, but {found[label]!r} in the "
        f"{split} list ({counted(len(differing), 'such class')}); the labels decide, but do both lists number the "
        "classes alike?"
    ]


# ---- a run's classes and other images


def read_mapping(path: Path) -> dict[str, str]:
    """Read a file that says which class of a run each class of other images is: `name here,name in the run` lines.

    Raises:
        ValueError: it cannot be read, or a line has not two names or a name that came before.
    """
    mapping: dict[str, str] = {}
    for number, fields in enumerate(csv.reader(read_text(path, 2**26).splitlines()), start=1):
        names = [field.strip() for field in fields]
        if not any(names):
            continue
        if len(names) != 2 or not all(names) or names[0] in mapping:
            raise ValueError(
                f"{path}, line {number}: {','.join(fields)[:80]!r}; expected `name here,name in the run`, each first "
                "name once"
            )
        mapping[names[0]] = names[1]
    return mapping


def in_recorded_classes(
    images: Images, recorded: Sequence[str], mapping: Mapping[str, str] | None = None
) -> Images:
    """The images with the labels of the classes that a run was trained on.

    Args:
        images: with any class names.
        recorded: the run's class names, in label order.
        mapping: the run's name of each class of the images that is called otherwise; see ``read_mapping``.

    Returns:
        The same images in the same order. Their class names are ``recorded``, some of which may have no image.

    Raises:
        ClassNamesDiffer: the names, after the mapping, are others than the recorded ones, or in another order and
            no mapping was given. Without a mapping nothing is matched: the same names in another order may be chance.
    """
    if mapping is None:
        if images.class_names == tuple(recorded):
            return images
        raise ClassNamesDiffer(
            f"the images have classes {_some(images.class_names)}, the run was trained on {_some(recorded)}; if they "
            "are the same classes under other names, or some of them, say which is which in a file of "
            "`name here,name in the run` lines"
        )
    names = [mapping.get(name, name) for name in images.class_names]
    position = {name: label for label, name in enumerate(recorded)}
    unknown = [
        (here, name) for here, name in zip(images.class_names, names, strict=True) if name not in position
    ]
    if unknown:
        here, name = unknown[0]
        raise ClassNamesDiffer(
            f"class {here!r} is {name!r} after the mapping, which the run has not "
            f"({counted(len(unknown), 'such class')}); the run was trained on {_some(recorded)}"
        )
    order = torch.tensor([position[name] for name in names])
    return relabelled(images, order[images.labels], tuple(recorded))


def relabelled(images: Images, labels: torch.Tensor, class_names: tuple[str, ...]) -> Images:
    """The same images with other labels and class names."""
    if isinstance(images, LabelledImages):
        return LabelledImages(images.images, labels, class_names)
    files = ImageList(images.files.paths, labels.numpy())
    return replace(images, files=files, class_names=class_names)


def head_to_tail(*splits: Images) -> tuple[Images, ...]:
    """The same images with classes renumbered by size, largest first, as counted in the first of them.

    Classes of equal size keep their order.
    """
    order = splits[0].class_counts.argsort(descending=True, stable=True)
    rank = torch.empty_like(order).index_copy_(0, order, torch.arange(len(order)))
    names = tuple(splits[0].class_names[k] for k in order.tolist())
    return tuple(relabelled(images, rank[images.labels], names) for images in splits)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} … ({len(names)})" if len(names) > 5 else shown
