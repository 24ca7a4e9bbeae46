"""Practice trees are read like the real ones, and parts of real ones keep their shape."""

from pathlib import Path

import pytest
import torch

from bcl_edu.data import Dataset, open_dataset
from bcl_edu.data.fake_trees import ListedTree, write_practice_tree, write_subset_lists


def read(name: str, tree: ListedTree) -> Dataset:
    lists = {"train": tree.train_list, "test": tree.test_list}
    return open_dataset(name, tree.folder, lists=lists, image_size=32)


@pytest.mark.parametrize("name", ["imagenet-lt", "inaturalist2018"])
def test_a_practice_tree_is_opened_as_the_real_one_would_be(name: str, tmp_path: Path) -> None:
    tree = write_practice_tree(name, tmp_path, max_per_class=12, imbalance_factor=6)
    dataset = read(name, tree)
    counts = dataset.train.class_counts
    assert (int(counts[0]), int(counts[-1]), len(counts)) == (12, 2, 10)
    assert dataset.test.class_counts.tolist() == [20] * 10
    assert dataset.train.picture(0).size == (64, 64)
    assert dataset.facts["lists"]["train"]["as_published"] is False


def test_files_show_the_digit_that_they_are_listed_as(tmp_path: Path) -> None:
    dataset = read(
        "imagenet-lt", write_practice_tree("imagenet-lt", tmp_path, max_per_class=12, imbalance_factor=6)
    )
    digits = open_dataset("digits").train
    picture = dataset.train.picture(len(dataset.train) - 1).convert("L").resize((8, 8))
    pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).reshape(8, 8).float()
    distance = (digits.images[:, 0].float() - pixels).square().mean(dim=(1, 2))
    assert int(digits.labels[distance.argmin()]) == 9


def test_a_part_has_classes_from_head_to_tail_in_proportion(tmp_path: Path) -> None:
    whole = read(
        "imagenet-lt",
        write_practice_tree("imagenet-lt", tmp_path / "whole", max_per_class=40, imbalance_factor=10),
    )
    part = write_subset_lists(whole.train, whole.test, tmp_path, classes=4, most=10)
    small = read("imagenet-lt", part)
    assert small.class_names == ("digit0", "digit3", "digit6", "digit9")
    expected = [round(n / 4) for n in whole.train.class_counts[[0, 3, 6, 9]].tolist()]
    assert small.train.class_counts.tolist() == expected
    assert small.test.class_counts.tolist() == [20] * 4


def test_a_format_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'cifar10' .*expected .*imagenet-lt"):
        write_practice_tree("cifar10", tmp_path)
