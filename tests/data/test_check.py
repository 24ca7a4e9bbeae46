"""`python -m bcl_edu.data`, as a user types it."""

import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from bcl_edu.data import DATASET_NAMES, PHOTOGRAPH_SETS, open_dataset
from bcl_edu.data.__main__ import main
from bcl_edu.data.check import EXPECTED_LAYOUT, check_dataset
from bcl_edu.data.photographs import ClassFoldersDiffer
from bcl_edu.data.published import ExpectedCounts
from tests.data.small_imagenet import TEST, TRAIN, own_lists, small_imagenet, write_lists
from tests.photographs import annotations


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return small_imagenet(tmp_path / "imagenet")


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    assert isinstance(end.value.code, int), end.value.code
    return end.value.code


@pytest.mark.usefixtures("published_small")
def test_what_is_whole_is_said_to_be_and_the_status_is_0(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lists(root)
    assert run("check", "imagenet-lt", "--data-dir", root, "--decode") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "complete, and as published"
    assert (
        f"  train       {root}/ImageNet_LT_train.txt: 7 images, 3 classes, 4 down to 1 each, as published"
        in lines
    )
    assert f"  test        3 of 3 found in {root}" in lines
    assert "  train       7 of 7 can be read" in lines


@pytest.mark.usefixtures("published_small")
def test_missing_images_are_counted_and_the_first_ten_named_beside_the_expected_tree(root: Path) -> None:
    write_lists(root)
    more = [f"train/n01440764/more_{i:02}.JPEG 0" for i in range(12)]
    with open(root / "ImageNet_LT_train.txt", "a") as file:
        file.write("\n".join(more) + "\n")
    findings = check_dataset("imagenet-lt", root)
    assert findings.problems == ["train: not those published", "train: 12 missing"]
    text = str(findings)
    assert "7 of 19 found" in text
    assert "19 images instead of 7; 16 " in text
    assert re.findall(r"more_\d\d", text) == [f"more_{i:02}" for i in range(10)]
    assert "ILSVRC2012_val_00000293.JPEG" in text
    assert text.endswith("train: 12 missing")


@pytest.mark.usefixtures("published_small")
def test_images_that_cannot_be_read_are_named_when_every_image_is_decoded(root: Path) -> None:
    write_lists(root)
    truncated, text = root / "train/n01440764/n01440764_2.JPEG", root / TEST[1].split()[0]
    truncated.write_bytes(truncated.read_bytes()[:900])
    text.write_text("no image")
    assert check_dataset("imagenet-lt", root).problems == []
    findings = check_dataset("imagenet-lt", root, decode=True)
    assert findings.problems == ["train: 1 cannot be read", "test: 1 cannot be read"]
    assert f"    {truncated}: image file is truncated" in str(findings)
    assert f"    {text}: it is none of JPEG, PNG" in str(findings)


def test_without_lists_it_says_so_and_what_is_there(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "imagenet-lt", "--data-dir", root) == 1
    text = capsys.readouterr().out
    assert "validation  not found" in text
    assert "folders here: train, val" in text
    assert f"prepare imagenet-lt --data-dir {root} --download" in text
    assert text.rstrip().endswith("test: no list of images")


def test_lists_of_ones_own_may_have_other_counts(root: Path) -> None:
    findings = check_dataset("imagenet-lt", root, lists=own_lists(root))
    assert findings.problems == []
    assert str(findings).endswith("not those published")


@pytest.mark.parametrize("name", ["imagenet-lt", "lists"])
def test_a_label_that_only_the_test_list_has_is_one_answer_of_check_and_open(name: str, root: Path) -> None:
    lists = own_lists(root)
    lists["test"].write_text(TEST[0].replace(" 0", " 3"))
    findings = check_dataset(name, root, lists=lists)
    assert findings.problems == ["the lists do not fit each other"]
    with pytest.raises(ValueError, match="label 3 of val/n01440764") as raised:
        open_dataset(name, root, lists=lists)
    assert str(raised.value) in str(findings)


def test_folders_of_other_names_are_a_note_and_no_problem(root: Path) -> None:
    lists = own_lists(root)
    lists["test"].write_text("\n".join([TEST[0].replace(" 0", " 1"), TEST[1].replace(" 1", " 0")]))
    with pytest.warns(ClassFoldersDiffer, match="label 0 .*'n01440764'.*'n01443537' in the test"):
        findings = check_dataset("imagenet-lt", root, lists=lists)
    assert findings.problems == []
    assert "note: label 0" in str(findings)


def test_what_cannot_be_opened_is_not_complete(root: Path) -> None:
    """The first images of all classes are there, and are no regular files."""
    lists = own_lists(root)
    first = root / TEST[0].split()[0]
    first.unlink()
    os.mkfifo(first)
    findings = check_dataset("lists", root, lists=lists)
    assert findings.problems == ["test: 1 missing"]
    assert str(first) in str(findings)


def test_images_that_occur_twice_or_in_training_and_testing_are_reported(root: Path) -> None:
    lists = own_lists(root)
    shutil.copy(root / TRAIN[0].split()[0], root / TRAIN[1].split()[0])
    shutil.copy(root / TRAIN[2].split()[0], root / TEST[1].split()[0])
    with open(lists["test"], "a") as file:
        file.write(f"\n{TRAIN[3]}\n{TRAIN[3]}\n")
    findings = check_dataset("imagenet-lt", root, lists=lists, decode=True)
    assert findings.problems == []
    lines = [line for line in str(findings).splitlines() if line.startswith(("  train", "  test", "    "))]
    assert "  test        1 listed more than once:" in lines
    assert "  test        1 also in the training list:" in lines
    assert f"    {root / TRAIN[1].split()[0]} = {root / TRAIN[0].split()[0]}" in lines
    assert f"    {root / TEST[1].split()[0]} = {root / TRAIN[2].split()[0]} of the training images" in lines


def test_equal_images_in_memory_are_reported(tree: Path) -> None:
    shutil.copy(tree / "train/cat/00.png", tree / "test/dog/copy.png")
    findings = check_dataset("folder", tree)
    assert findings.problems == []
    assert "number 4 (dog) = number 0 (cat)" in str(findings)


def test_a_test_set_that_is_not_balanced_is_said_to_be_none(tree: Path) -> None:
    assert "not balanced" not in str(check_dataset("folder", tree))
    (tree / "test/dog/10.png").unlink()
    assert "test        not balanced" in str(check_dataset("folder", tree))


def test_prepare_makes_lists_of_annotations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    images = {"train": [("train_val2018/Aves/0/a.jpg", 0)], "val": [("train_val2018/Aves/0/b.jpg", 0)]}
    for split, listed in images.items():
        (tmp_path / f"{split}2018.json").write_text(json.dumps(annotations(listed, classes=1)))
        path = tmp_path / listed[0][0]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9)).save(path)
    source = PHOTOGRAPH_SETS["inaturalist2018"]
    splits = {
        name: replace(listed, expected=ExpectedCounts(1, 1, 1, 1)) for name, listed in source.splits.items()
    }
    monkeypatch.setitem(PHOTOGRAPH_SETS, "inaturalist2018", replace(source, splits=splits))
    assert run("prepare", "inaturalist2018", "--data-dir", tmp_path) == 0
    assert (tmp_path / "iNaturalist18_train.txt").read_text() == "train_val2018/Aves/0/a.jpg 0\n"
    text = capsys.readouterr().out
    assert f"list of test images: {tmp_path / 'iNaturalist18_val.txt'}" in text
    assert text.rstrip().endswith("complete, and as published")


def test_prepare_refuses_annotations_that_are_not_the_published_ones(tmp_path: Path) -> None:
    content = json.dumps(annotations([("train_val2018/Aves/0/a.jpg", 0)], classes=1))
    (tmp_path / "train2018.json").write_text(content)
    with pytest.raises(SystemExit, match=r"1 image instead of 437,513"):
        main(["prepare", "inaturalist2018", "--data-dir", str(tmp_path)])
    assert not list(tmp_path.glob("*.txt"))


def test_prepare_without_lists_says_how_to_come_by_them(root: Path) -> None:
    with pytest.raises(SystemExit, match=r"imagenet-lt's train .*--download"):
        main(["prepare", "imagenet-lt", "--data-dir", str(root)])


@pytest.mark.parametrize("name", [name for name in DATASET_NAMES if name != "digits"])
def test_prepare_in_a_folder_that_does_not_exist_says_so(name: str) -> None:
    with pytest.raises(SystemExit, match=r"folder typo .*; name the folder"):
        main(["prepare", name, "--data-dir", "typo"])


# ---- images in memory


def test_digits_are_complete(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "digits") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "complete"


def test_incomplete_class_folders_of_cifar_are_compared_with_what_is_published(tmp_path: Path) -> None:
    from bcl_edu.data.cifar import CIFAR10_CLASSES

    for split in ("train", "test"):
        for name in CIFAR10_CLASSES:
            (tmp_path / split / name).mkdir(parents=True)
            Image.new("RGB", (32, 32)).save(tmp_path / split / name / "one.png")
    findings = check_dataset("cifar10", tmp_path)
    assert findings.problems == ["train: not those published", "test: not those published"]
    assert "10 images instead of 50,000" in str(findings)
    assert "cifar-10-binary.tar.gz" in str(findings)


def test_damaged_images_in_class_folders_are_all_named(tree: Path) -> None:
    damaged = [tree / "train/cat/01.png", tree / "test/dog/10.png"]
    for path in damaged:
        path.write_bytes(b"no image")
    assert check_dataset("folder", tree).problems == ["it cannot be opened"]
    findings = check_dataset("folder", tree, decode=True)
    assert findings.problems == ["train: 1 cannot be read", "test: 1 cannot be read"]
    assert all(str(path) in str(findings) for path in damaged)


@pytest.mark.parametrize("name", [name for name in DATASET_NAMES if name != "digits"])
def test_nothing_at_all_is_a_problem_with_the_expected_tree(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    findings = check_dataset(name, tmp_path / "empty")
    assert findings.problems
    assert all(f"  {line}" in str(findings) for line in EXPECTED_LAYOUT[name].splitlines())


@pytest.mark.parametrize("name", [name for name in DATASET_NAMES if name != "digits"])
def test_a_folder_that_does_not_exist_is_the_problem(name: str, tmp_path: Path) -> None:
    findings = check_dataset(name, tmp_path / "typo")
    assert findings.problems == ["its folder cannot be used"]
    assert f"there is no folder {tmp_path / 'typo'}; name the folder" in str(findings)


@pytest.mark.parametrize("options", [["--image-size", "32"], ["--train-list", "list.txt"]])
def test_an_option_for_other_data_sets_is_refused(options: list[str]) -> None:
    with pytest.raises(SystemExit, match="imagenet-lt, inaturalist2018"):
        main(["check", "cifar100", *options])


def test_an_unknown_name_is_one_message() -> None:
    with pytest.raises(SystemExit, match=r"'imagenet'; expected .*digits"):
        main(["check", "imagenet"])


def test_the_readme_of_the_data_shows_the_trees_that_check_shows() -> None:
    readme = (Path(__file__).parents[2] / "data" / "README.md").read_text()
    lines = {line.strip() for line in readme.splitlines()}
    for name in ("imagenet-lt", "inaturalist2018", "folder", "lists", "fashion-mnist"):
        assert {line.strip() for line in EXPECTED_LAYOUT[name].splitlines()} <= lines
