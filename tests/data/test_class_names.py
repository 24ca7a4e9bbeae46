import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bcl_edu.data import (
    ClassNamesDiffer,
    Dataset,
    LabelledImages,
    head_to_tail,
    in_recorded_classes,
    open_dataset,
    read_mapping,
)
from bcl_edu.data.class_names import with_class_names
from bcl_edu.data.photographs import read_any_list


def own_lists(
    root: Path, files: dict[str, list[tuple[str, object]]], suffix: str = ".txt"
) -> dict[str, Path]:
    """Images of 6 x 6 at these paths, and lists of them."""
    lists = {}
    for number, (split, rows) in enumerate(files.items()):
        for row, (path, _) in enumerate(rows):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (6, 6), (number * 50, row * 20, 0)).save(root / path)
        lists[split] = root / f"{split}{suffix}"
        separator = "," if suffix == ".csv" else " "
        lists[split].write_text("\n".join(f"{path}{separator}{label}" for path, label in rows))
    return lists


def opened(root: Path, files: dict[str, list[tuple[str, object]]], suffix: str = ".txt") -> Dataset:
    return open_dataset("lists", root, lists=own_lists(root, files, suffix), image_size=80)


# ---- names of one's own lists


def test_labels_decide_and_the_folders_below_the_shared_ones_are_the_names(tmp_path: Path) -> None:
    data = opened(
        tmp_path,
        {
            "train": [("images/train/cat/0.png", 0), ("images/train/dog/0.png", 1)],
            "test": [("images/val/dog/9.png", 1), ("images/val/cat/9.png", 0)],
        },
    )
    assert data.class_names == ("cat", "dog")
    assert data.test.labels.tolist() == [1, 0]
    assert data.test_is_balanced


def test_classes_without_folders_of_their_own_are_named_by_number(tmp_path: Path) -> None:
    data = opened(tmp_path, {"train": [("a.png", 0), ("b.png", 1), ("c.png", 1)], "test": [("d.png", 1)]})
    assert data.class_names == ("0", "1")
    assert not data.test_is_balanced


def test_words_are_names_numbered_in_the_alphabet_of_the_training_list(tmp_path: Path) -> None:
    data = opened(
        tmp_path,
        {"train": [("a.png", "owl"), ("b.png", "ant"), ("c.png", "fox")], "test": [("d.png", "owl")]},
        ".csv",
    )
    assert data.class_names == ("ant", "fox", "owl")
    assert (data.train.labels.tolist(), data.test.labels.tolist()) == ([2, 0, 1], [2])


@pytest.mark.parametrize(("train", "test"), [("owl", "0"), ("0", "owl"), ("owl", "newt")])
def test_labels_that_the_training_list_lacks_are_refused(train: str, test: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{train if test == '0' else test}"):
        opened(tmp_path, {"train": [("a.png", train)], "test": [("b.png", test)]}, ".csv")


def test_validation_images_are_taken_out_of_the_training_list(tmp_path: Path) -> None:
    data = opened(
        tmp_path,
        {
            "train": [("a.png", 0), ("b.png", 0), ("c.png", 1)],
            "test": [("d.png", 1)],
            "validation": [("b.png", 0), ("e.png", 1)],
        },
    )
    assert data.validation is not None
    assert (len(data.train), len(data.validation)) == (2, 2)
    assert data.facts["lists"]["validation"] == {"file": "validation.txt", "as_published": False}


# ---- other images in a run's classes


def images(*names: str) -> LabelledImages:
    """One image of each class, whose pixels are its label."""
    labels = torch.arange(len(names))
    return LabelledImages(labels.byte().reshape(-1, 1, 1, 1).repeat(1, 1, 2, 2), labels, names)


def test_a_test_list_of_words_may_have_some_of_the_classes_as_one_of_numbers_may(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("path,label\n1.png,cow\n2.png,bee\n", encoding="utf-8")
    listed = read_any_list(tmp_path / "test.csv")
    some, names = with_class_names(listed, ["ant", "bee", "cow"])
    assert names == ("ant", "bee", "cow")
    assert some.labels.tolist() == [2, 1]
    assert with_class_names(listed, ["ant", "bee"])[1] == ("bee", "cow")  # other classes, to be mapped


def test_the_same_names_need_nothing() -> None:
    own = images("ant", "bee")
    assert in_recorded_classes(own, ["ant", "bee"]) is own


@pytest.mark.parametrize("names", [("0", "1"), ("bee", "ant"), ("ant",), ("ant", "bee", "cat")])
def test_other_names_are_refused_without_a_mapping(names: tuple[str, ...]) -> None:
    with pytest.raises(ClassNamesDiffer, match="ant, bee"):
        in_recorded_classes(images(*names), ["ant", "bee"])


def test_a_mapping_moves_every_image_to_the_class_it_names(tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_text("0, bee\n1 ,ant\n\n", encoding="utf-8")
    mapped = in_recorded_classes(images("0", "1"), ["ant", "bee", "cat"], read_mapping(tmp_path / "map.csv"))
    assert mapped.class_names == ("ant", "bee", "cat")
    assert mapped.labels.tolist() == [1, 0]
    assert mapped.images[:, 0, 0, 0].tolist() == [0, 1]


def test_an_empty_mapping_takes_equal_names_in_any_order() -> None:
    mapped = in_recorded_classes(images("bee", "ant"), ["ant", "bee"], {})
    assert mapped.labels.tolist() == [1, 0]


def test_a_mapping_to_an_unknown_class_is_refused() -> None:
    with pytest.raises(ClassNamesDiffer, match="'1' is 'elk'"):
        in_recorded_classes(images("ant", "1"), ["ant", "bee"], {"1": "elk"})


@pytest.mark.parametrize("text", ["ant\n", "a,b,c\n", "a,b\na,c\n", ",b\n"])
def test_a_bad_mapping_is_named_by_its_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_text(text)
    with pytest.raises(ValueError, match=r"map\.csv, line [12]"):
        read_mapping(tmp_path / "map.csv")


def test_image_files_are_mapped_too(tmp_path: Path) -> None:
    data = opened(tmp_path, {"train": [("x/a.png", 0), ("y/b.png", 1)], "test": [("y/d.png", 1)]})
    mapped = in_recorded_classes(data.train, ["y", "x"], {})
    assert mapped.labels.tolist() == [1, 0]
    assert mapped.file(0) == tmp_path / "x/a.png"  # type: ignore[union-attr]


# ---- classes by size


def test_classes_are_renumbered_from_head_to_tail_in_every_split(tree: Path) -> None:
    shutil.copy(tree / "test/cat/08.png", tree / "test/cat/again.png")
    data = open_dataset("folder", tree)
    train, test = head_to_tail(data.train, data.test)
    assert train.class_names == test.class_names == ("dog", "cat")
    assert train.class_counts.tolist() == [5, 3]
    assert test.class_counts.tolist() == [2, 3]
    assert np.array_equal(train.labels.numpy(), 1 - data.train.labels.numpy())
    assert replace(data, train=train, test=test).class_names == ("dog", "cat")
