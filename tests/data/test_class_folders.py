import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from bcl_edu.data import class_folders, open_dataset
from bcl_edu.data.class_folders import read_class_folders

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def read(root: Path, **options: object):
    return read_class_folders("mine", root, root.parent / "cache", **options)


def test_images_and_labels_follow_the_names(tree: Path, pixels: NDArray[np.uint8]) -> None:
    data = read(tree)
    assert data.class_names == ("cat", "dog")
    assert data.train.labels.tolist() == [0] * 3 + [1] * 5
    assert data.test.labels.tolist() == [0] * 2 + [1] * 2
    both = torch.cat([data.train.images, data.test.images])
    np.testing.assert_array_equal(both, pixels.transpose(0, 3, 1, 2))


def test_the_second_read_opens_no_image(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read(tree)

    def refuse(*arguments: object) -> None:
        raise AssertionError("an image was decoded again")

    monkeypatch.setattr(class_folders, "decode_image", refuse)
    second = read(tree)
    assert first.train.sha256() == second.train.sha256()
    assert first.test.sha256() == second.test.sha256()
    assert second.train.images.is_contiguous()


def test_a_changed_image_is_seen(tree: Path) -> None:
    read(tree)
    Image.new("RGB", (5, 4), (1, 2, 3)).save(tree / "train" / "dog" / "04.png")
    assert read(tree).train.images[4, :, 0, 0].tolist() == [1, 2, 3]


def test_an_added_and_a_removed_image_are_seen(tree: Path) -> None:
    read(tree)
    Image.new("RGB", (5, 4)).save(tree / "train" / "cat" / "zz.png")
    os.remove(tree / "test" / "dog" / "10.png")
    data = read(tree)
    assert data.train.class_counts.tolist() == [4, 5]
    assert data.test.class_counts.tolist() == [2, 1]


def test_a_renamed_class_is_seen(tree: Path) -> None:
    read(tree)
    for split in ("train", "test"):
        os.rename(tree / split / "cat", tree / split / "zebra")
    data = read(tree)
    assert data.class_names == ("dog", "zebra")
    assert data.train.class_counts.tolist() == [5, 3]


def test_order_by_content_does_not_depend_on_names(tree: Path) -> None:
    before = read(tree, order_by_content=True)
    folder = tree / "train" / "dog"
    for i, path in enumerate(sorted(folder.iterdir())):
        path.rename(folder / f"{9 - i}.png")
    after = read(tree, order_by_content=True)
    assert torch.equal(before.train.images, after.train.images)
    assert not torch.equal(read(tree).train.images, after.train.images)


def test_many_images_are_decoded_in_order(tmp_path: Path) -> None:
    count = 3 * class_folders._CHUNK + 5
    for split in ("train", "test"):
        (tmp_path / "tree" / split / "one").mkdir(parents=True)
        for i in range(count):
            Image.new("L", (1, 1), i).save(tmp_path / "tree" / split / "one" / f"{i:05}.png")
    data = read(tmp_path / "tree")
    assert data.train.images.flatten().tolist() == data.test.images.flatten().tolist() == list(range(count))


def test_a_grey_set_has_one_channel(tree: Path) -> None:
    for path in tree.rglob("*.png"):
        Image.open(path).convert("L").save(path)
    assert read(tree).train.images.shape == (8, 1, 4, 5)


def test_grey_images_become_rgb_where_any_image_has_colour(tree: Path) -> None:
    path = tree / "train" / "cat" / "00.png"
    Image.new("L", (5, 4), 77).save(path)
    images = read(tree).train.images
    assert images.shape == (8, 3, 4, 5)
    assert (images[0] == 77).all()


def test_hidden_files_and_those_of_file_managers_are_passed_over(tree: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (tree / "train" / "cat" / name).write_text("no image")
    (tree / "train" / ".ipynb_checkpoints").mkdir()
    assert read(tree).train.class_counts.tolist() == [3, 5]


def test_a_class_that_only_one_split_has_is_named(tree: Path) -> None:
    shutil.copytree(tree / "train" / "cat", tree / "train" / "newt")
    shutil.copytree(tree / "test" / "cat", tree / "test" / "owl")
    with pytest.raises(ValueError, match=r"only in the first: newt; only in the second: owl"):
        read(tree)


def test_long_lists_of_classes_are_cut(tree: Path) -> None:
    for i in range(12):
        shutil.copytree(tree / "train" / "cat", tree / "train" / f"more{i:02}")
    with pytest.raises(
        ValueError, match=r"only in the first: more00, .*, more07 and 4 more; .* second: none"
    ):
        read(tree)


def test_official_class_names_are_required_when_given(tree: Path) -> None:
    with pytest.raises(ValueError, match=r"official class names: .* first: dog; only in the second: owl"):
        read(tree, class_names=("cat", "owl"))


def test_an_empty_class_is_refused(tree: Path) -> None:
    for split in ("train", "test"):
        (tree / split / "empty").mkdir()
    with pytest.raises(ValueError, match=r"class folder .*train.empty has no images"):
        read(tree)


def test_a_missing_split_is_refused_with_the_tree_expected(tree: Path) -> None:
    os.rename(tree / "test", tree / "val")
    with pytest.raises(
        ValueError, match=r"there is no folder .*test; expected train/<class>/\* and test/<class>/\*"
    ):
        read(tree)


def test_a_split_without_classes_is_refused(tree: Path) -> None:
    shutil.rmtree(tree / "test")
    (tree / "test").mkdir()
    with pytest.raises(ValueError, match="has no folders; expected one for each class"):
        read(tree)


def test_a_folder_in_a_class_folder_is_refused(tree: Path) -> None:
    (tree / "train" / "cat" / "young").mkdir()
    with pytest.raises(ValueError, match=r"young is a folder; expected only images"):
        read(tree)


def test_an_unreadable_image_is_refused_by_path_and_not_cached(tree: Path) -> None:
    (tree / "test" / "dog" / "notes.txt").write_text("no image")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"cannot read the image .*notes\.txt"):
            read(tree)


def test_a_dangling_link_is_refused_by_path(tree: Path) -> None:
    (tree / "train" / "cat" / "gone.png").symlink_to(tree / "nowhere.png")
    with pytest.raises(ValueError, match=r"cannot read the image .*gone\.png"):
        read(tree)


def test_images_of_two_sizes_are_refused_or_resized(tree: Path) -> None:
    Image.new("RGB", (6, 4)).save(tree / "test" / "dog" / "11.png")
    with pytest.raises(ValueError, match=r"11\.png is 6 x 4 pixels, .*00\.png is 5 x 4; .* pass image_size"):
        read(tree)
    assert read(tree, image_size=3).test.images.shape == (4, 3, 3, 3)


def test_each_image_size_has_its_own_cache(tree: Path) -> None:
    assert [read(tree, image_size=size).train.images.shape[-1] for size in (3, 2, 3)] == [3, 2, 3]
    assert len(os.listdir(tree.parent / "cache")) == 2


def test_an_image_size_below_1_is_refused(tree: Path) -> None:
    with pytest.raises(ValueError, match="image_size is 0; expected a number of pixels from 1"):
        read(tree, image_size=0)


def test_more_than_fits_in_memory_is_refused_before_it_is_decoded(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(class_folders, "_LARGEST_BYTES", 12 * 3 * 5 * 4 - 1)
    with pytest.raises(ValueError, match=r"12 images of 5 x 4 pixels .* pass a smaller image_size"):
        read(tree)

    def decode(*arguments: object) -> None:
        raise AssertionError("an image was decoded")

    monkeypatch.setattr(class_folders, "decode_image", decode)
    with pytest.raises(ValueError, match=r"12 images of 100000 x 100000 pixels .* pass a smaller image_size"):
        read(tree, image_size=100_000)


@pytest.mark.skipif(
    not (SHARED / "cifar100.zip").exists(), reason="the CIFAR-100 class folders are not at hand"
)
def test_real_photographs(tmp_path: Path) -> None:
    with zipfile.ZipFile(SHARED / "cifar100.zip") as archive:
        wanted = [name for name in archive.namelist() if name.split("/")[1:2] in (["apple"], ["worm"])]
        archive.extractall(tmp_path / "two", wanted)
    data = open_dataset("folder", tmp_path / "two")
    assert data.class_names == ("apple", "worm")
    assert data.train.class_counts.tolist() == [500, 500]
    assert data.test.class_counts.tolist() == [100, 100]
    red, green, _ = data.train.images[data.train.labels == 0].float().mean(dim=(0, 2, 3))
    assert red > green + 30  # apples are red
