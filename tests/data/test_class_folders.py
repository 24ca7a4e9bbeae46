import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image

from bcl_edu.data import ImageFiles, Images, LabelledImages, class_folders, open_dataset, open_test_images
from bcl_edu.data.check import check_dataset
from bcl_edu.data.class_folders import ReplacedImageWarning, read_class_folders

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


def test_many_images_are_decoded_in_order(tmp_path: Path) -> None:
    count = 3 * class_folders._CHUNK + 5
    for split in ("train", "test"):
        (tmp_path / "tree" / split / "one").mkdir(parents=True)
        for i in range(count):
            Image.new("L", (1, 1), i).save(tmp_path / "tree" / split / "one" / f"{i:05}.png")
    data = read(tmp_path / "tree")
    assert data.train.images.flatten().tolist() == data.test.images.flatten().tolist() == list(range(count))


@pytest.mark.parametrize("image_size", [8, 80])  # in memory, on disk
def test_own_photographs_are_upright_and_published_ones_as_stored(tmp_path: Path, image_size: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3  # stored upside down
    stored = Image.fromarray(np.repeat(np.uint8([[0], [255]]), 8, axis=0).repeat(16, axis=1)).convert("RGB")
    for folder in ("train/one", "train/two", "test/one", "test/two"):
        (tmp_path / "tree" / folder).mkdir(parents=True)
        stored.save(tmp_path / "tree" / folder / "1.png", exif=exif)

    def top(images: Images) -> int:
        if isinstance(images, ImageFiles):
            return images.picture(0).getpixel((0, 0))[0]
        return int(images.images[0, 0, 0, 0])

    tree, cache = tmp_path / "tree", tmp_path / "cache"
    for upright, expected in ((True, 255), (False, 0)):
        dataset = open_dataset("folder", tree, cache_dir=cache, image_size=image_size, upright=upright)
        tested = open_test_images(
            "folder", tree, ["one", "two"], image_size, cache_dir=cache, upright=upright
        )
        assert [top(images) for images in (dataset.train, dataset.test, tested)] == [expected] * 3
    assert top(read_class_folders("published", tree, cache).train) == 0


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
    with pytest.raises(ValueError, match=r"first: newt;.* second: owl"):
        read(tree)


def test_long_lists_of_classes_are_cut(tree: Path) -> None:
    for i in range(12):
        shutil.copytree(tree / "train" / "cat", tree / "train" / f"more{i:02}")
    with pytest.raises(
        ValueError, match=r"only in the first: more00, .*, more07 and 4 more; .* second: none"
    ):
        read(tree)


def test_official_class_names_are_required_when_given(tree: Path) -> None:
    with pytest.raises(ValueError, match=r"first: dog; .*second: owl"):
        read(tree, class_names=("cat", "owl"))


def test_an_empty_class_is_refused(tree: Path) -> None:
    for split in ("train", "test"):
        (tree / split / "empty").mkdir()
    with pytest.raises(ValueError, match=r"class folder .*train.empty has no images"):
        read(tree)


def test_a_missing_split_is_refused_with_the_tree_expected(tree: Path) -> None:
    os.rename(tree / "test", tree / "val")
    with pytest.raises(ValueError, match=r"no folder .*test; .*test/<class>/\*"):
        read(tree)


def test_a_split_without_classes_is_refused(tree: Path) -> None:
    shutil.rmtree(tree / "test")
    (tree / "test").mkdir()
    with pytest.raises(ValueError, match="no folders"):
        read(tree)


def test_a_folder_in_a_class_folder_is_refused(tree: Path) -> None:
    (tree / "train" / "cat" / "young").mkdir()
    with pytest.raises(ValueError, match=r"young is a folder"):
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


def test_images_of_two_sizes_are_refused_where_none_is_chosen(tree: Path) -> None:
    Image.new("RGB", (6, 4)).save(tree / "test" / "dog" / "11.png")
    with pytest.raises(ValueError, match=r"11\.png is 6 x 4 pixels, .*00\.png is 5 x 4"):
        read(tree)


@pytest.mark.parametrize("make", [Path.symlink_to, os.mkfifo], ids=["circle of links", "pipe"])
def test_what_is_no_regular_file_is_refused_at_once(make, tree: Path) -> None:
    path = tree / "train" / "cat" / "strange.png"
    make(path, path) if make is Path.symlink_to else make(path)
    with pytest.raises(ValueError, match=str(path)):
        open_dataset("folder", tree)


def test_more_than_fits_in_memory_is_refused_before_it_is_decoded(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(class_folders, "_LARGEST_BYTES", 12 * 3 * 4 * 4 - 1)
    with pytest.raises(ValueError, match=r"12 images of 4 x 4 pixels"):
        open_dataset("folder", tree, image_size=4)


# ---- one's own images, of any shape and size


def test_the_usual_short_side_is_the_default_size(tree: Path) -> None:
    for path in tree.rglob("*.png"):
        Image.open(path).resize((50, 40)).save(path)
    data = open_dataset("folder", tree)
    assert data.train.image_shape == data.test.image_shape == (3, 40, 40)
    assert data.facts["image_size"] == 40
    Image.new("RGB", (300, 900)).save(tree / "train" / "cat" / "large.png")
    assert open_dataset("folder", tree).train.image_shape == (3, 40, 40)


def test_nobody_sees_fewer_than_16_pixels_a_side_unasked(tree: Path) -> None:
    assert open_dataset("folder", tree).train.image_shape == (3, 16, 16)  # of pictures of 5 x 4
    assert open_dataset("folder", tree, image_size=8).train.image_shape == (3, 8, 8)


@pytest.mark.parametrize("size", [(20, 30), (30, 20), (16, 60)])
def test_pictures_of_any_shape_are_trained_and_tested_as_squares(
    size: tuple[int, int], tmp_path: Path
) -> None:
    for split in ("train", "test"):
        for name in ("a", "b"):
            (tmp_path / split / name).mkdir(parents=True)
            Image.new("RGB", size, "red").save(tmp_path / split / name / "0.png")
    data = open_dataset("folder", tmp_path)
    side = min(size)
    assert data.train.images.shape == data.test.images.shape == (2, 3, side, side)


def test_small_images_are_held_in_memory_and_larger_ones_stay_on_disk(tree: Path) -> None:
    small, large = (open_dataset("folder", tree, image_size=size).train for size in (64, 65))
    assert isinstance(small, LabelledImages)
    assert small.images.shape == (8, 3, 64, 64)
    assert isinstance(large, ImageFiles)
    assert large.image_shape == (3, 65, 65)
    assert large.picture(0).size == (5, 4)


def test_each_image_size_has_its_own_cache(tree: Path) -> None:
    sizes = [open_dataset("folder", tree, image_size=size).train.image_shape[-1] for size in (3, 2, 3)]
    assert sizes == [3, 2, 3]
    assert len(os.listdir(tree.parent / "user-cache")) == 2


def test_an_image_size_below_1_is_refused(tree: Path) -> None:
    with pytest.raises(ValueError, match="image_size is 0"):
        open_dataset("folder", tree, image_size=0)


@pytest.mark.parametrize("image_size", [None, 4])
def test_an_unreadable_training_image_is_replaced_if_asked_to_and_a_test_image_never(
    image_size: int | None, tree: Path
) -> None:
    (tree / "train/dog/04.png").write_text("no image")
    with pytest.raises(ValueError, match=r"04\.png"):
        open_dataset("folder", tree, image_size=image_size)
    with pytest.warns(ReplacedImageWarning, match=r"04\.png.*05\.png"):
        data = open_dataset("folder", tree, image_size=image_size, replace_unreadable=True)
    assert torch.equal(data.train.images[4], data.train.images[5])
    assert data.train.class_counts.tolist() == [3, 5]
    with pytest.warns(ReplacedImageWarning, match=r"04\.png.*05\.png"):  # now from the cache
        open_dataset("folder", tree, image_size=image_size, replace_unreadable=True)
    (tree / "test/dog/10.png").write_text("no image")
    with pytest.raises(ValueError, match=r"10\.png"):
        open_dataset("folder", tree, image_size=image_size, replace_unreadable=True)


def test_a_single_class_is_nothing_to_tell_apart(tree: Path) -> None:
    for split in ("train", "test"):
        shutil.rmtree(tree / split / "dog")
    with pytest.raises(ValueError, match="single class, cat"):
        open_dataset("folder", tree)
    assert check_dataset("folder", tree).problems == ["it cannot be opened"]


def test_a_validation_folder_is_the_validation_split(tree: Path) -> None:
    assert open_dataset("folder", tree).validation is None
    shutil.copytree(tree / "test", tree / "val")
    data = open_dataset("folder", tree)
    assert data.validation is not None
    assert torch.equal(data.validation.images, data.test.images)


def test_names_that_are_not_utf8_can_be_opened_and_printed(tree: Path) -> None:
    name = b"caf\xe9"
    for split in ("train", "test"):
        os.rename(tree / split / "cat", os.fsencode(tree / split) + b"/" + name)
    for size in (4, 80):
        data = open_dataset("folder", tree, image_size=size)
        assert data.class_names == ("caf\\xe9", "dog")
    assert data.train.picture(0).size == (5, 4)  # type: ignore[union-attr]
    assert len(data.train.sha256()) == 64


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
