"""Views and evaluated centres of image files: what they depend on, their memory, what becomes of damaged files."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import transforms

from bcl_edu.augment import (
    POLICY_NAMES,
    Augmentation,
    EvalImages,
    FileViews,
    identity_collate,
    normalise,
    view_policy,
)
from bcl_edu.augment.file_views import transformed, view_transform
from bcl_edu.data import ImageFiles
from bcl_edu.data.decoding import resize_center_crop
from tests.augment.images import pictures, to_pillow
from tests.data.small_imagenet import small_training_files

POLICY = view_policy("sim-rand", image_size=32, crop_scale=(0.08, 1.0))


@pytest.fixture
def files(tmp_path: Path) -> ImageFiles:
    """Seven training images of 80 x 60 in classes of 4, 2 and 1."""
    return small_training_files(tmp_path)


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:700])


def picture(width: int, height: int) -> Image.Image:
    noise = np.random.RandomState(0).randint(0, 256, (height, width, 3)).astype(np.uint8)
    return Image.fromarray(noise)


# ---- one view


@pytest.mark.parametrize("size", [(60, 48), (48, 90), (8, 8), (1, 400)])
@pytest.mark.parametrize("name", POLICY_NAMES)
def test_every_policy_makes_square_views_of_a_photograph_of_any_shape(
    name: str, size: tuple[int, int]
) -> None:
    policy = view_policy(name, image_size=32)
    steps = [view_transform(recipe, 32) for recipe in policy.views]
    views = transformed(steps, picture(*size), seed=1)
    assert (views.shape, views.dtype) == ((3, 32, 32, 3), np.uint8)
    assert np.array_equal(views, transformed(steps, picture(*size), seed=1))
    # a strip one pixel wide cannot be cut at random, and is its own mirror image
    nothing_to_change = name == "none" or (name == "resized" and min(size) == 1)
    assert np.array_equal(views, transformed(steps, picture(*size), seed=2)) == nothing_to_change


def test_the_policy_none_shows_what_is_evaluated() -> None:
    photo = picture(90, 60)
    views = transformed([view_transform(Augmentation(), 32)], photo, seed=0)
    assert np.array_equal(views[0], np.asarray(resize_center_crop(photo, 32)))


def test_v1_is_the_same_whether_or_not_the_other_views_are_made() -> None:
    steps = [view_transform(recipe, 32) for recipe in POLICY.views]
    photo = picture(80, 60)
    three = transformed(steps, photo, seed=3)
    assert np.array_equal(transformed(steps[:1], photo, seed=3), three[:1])
    assert not np.array_equal(three[1], three[2])


def test_global_random_generators_are_neither_read_nor_written() -> None:
    steps = [view_transform(recipe, 32) for recipe in POLICY.views]
    torch.manual_seed(0)
    random.seed(0)
    before = torch.get_rng_state(), random.getstate()
    first = transformed(steps, picture(80, 60), seed=7)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    torch.manual_seed(1)
    assert np.array_equal(transformed(steps, picture(80, 60), seed=7), first)


def test_noise_and_cutout_change_what_they_say() -> None:
    photo = to_pillow(pictures(1)[0].clamp(20, 200)).resize((64, 64))
    plain, noisy, cut = (
        transformed([view_transform(recipe, 32)], photo, seed=0)[0].astype(int)
        for recipe in (Augmentation(), Augmentation(noise=5), Augmentation(cutout=16))
    )
    assert np.abs(noisy - plain).max() == 5
    black = (cut == 0).all(axis=2)
    assert 8 * 8 <= black.sum() <= 16 * 16
    assert np.array_equal(cut[~black], plain[~black])


# ---- batches of views


def test_a_view_depends_on_the_image_and_its_seed_alone(files: ImageFiles) -> None:
    views = FileViews(files, POLICY)
    batch = views.views([6, 1, 6], [30, 40, 31])
    assert batch.images.shape == (3, 3, 3, 32, 32)
    assert (batch.labels.tolist(), batch.indices.tolist(), batch.unreadable) == ([2, 0, 2], [6, 1, 6], [])
    assert torch.equal(views[1, 40].images[:, 0], batch.images[:, 1])
    assert not torch.equal(batch.images[:, 0], batch.images[:, 2])  # the same image, drawn twice


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(workers: int, files: ImageFiles) -> None:
    views = FileViews(files, POLICY)
    batches = [[(3, 10), (0, 11)], [(6, 12), (2, 13), (5, 14)], [(1, 15), (4, 16)]]
    loader = DataLoader(
        views,
        batch_sampler=batches,  # type: ignore[arg-type]
        num_workers=workers,
        collate_fn=identity_collate,  # type: ignore[arg-type]
        generator=torch.Generator().manual_seed(0),
    )
    for batch, pairs in zip(loader, batches, strict=True):
        assert torch.equal(batch.images, views.__getitems__(pairs).images)
        assert batch.indices.tolist() == [index for index, _ in pairs]


def test_a_batch_lies_in_memory_as_a_channels_last_network_reads_it(files: ImageFiles) -> None:
    images = FileViews(files, POLICY).views([0, 1, 2], [0, 1, 2]).images
    assert images.dtype == torch.uint8
    flat = images.flatten(0, 1)
    assert flat.data_ptr() == images.data_ptr()  # no copy
    assert flat.is_contiguous(memory_format=torch.channels_last)
    pixels = normalise(images, files.mean, files.std).flatten(0, 1)
    assert pixels.is_contiguous(memory_format=torch.channels_last)
    assert EvalImages(files).__getitems__([0, 1]).images.is_contiguous(memory_format=torch.channels_last)


# ---- evaluation


@pytest.mark.parametrize("size", [(500, 375), (333, 500), (256, 256), (260, 999), (90, 61)])
def test_what_is_evaluated_is_torchvisions_resize_256_and_centre_crop_224(size: tuple[int, int]) -> None:
    expected = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224)])(picture(*size))
    assert np.array_equal(np.asarray(resize_center_crop(picture(*size), 224)), np.asarray(expected))


@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1), (2, 20_000)])
def test_a_very_long_picture_takes_no_more_memory_than_another(size: tuple[int, int]) -> None:
    assert resize_center_crop(picture(*size), 224).size == (224, 224)


def test_centres_are_those_of_the_files(files: ImageFiles) -> None:
    batch = EvalImages(files).__getitems__([4, 2])
    for row, index in enumerate([4, 2]):
        expected = np.asarray(resize_center_crop(files.picture(index), 32)).transpose(2, 0, 1)
        assert np.array_equal(batch.images[row].numpy(), expected)


# ---- damaged files


def test_a_damaged_image_is_black_and_named(files: ImageFiles) -> None:
    damage(files.file(1))
    files.file(4).unlink()
    for batch in (
        FileViews(files, POLICY).views([0, 1, 4], [0, 1, 2]),
        EvalImages(files).__getitems__([0, 1, 4]),
    ):
        assert batch.num_failed == 2
        assert str(files.file(1)) in batch.unreadable[0]
        assert str(files.file(4)) in batch.unreadable[1]
        rows = batch.images.movedim(-4, 0)
        assert [bool(rows[i].any()) for i in range(3)] == [True, False, False]


def test_asked_to_it_takes_the_next_readable_image_of_the_class_in_its_place(files: ImageFiles) -> None:
    damage(files.file(3))
    damage(files.file(0))
    views = FileViews(files, POLICY, replace=True)
    batch = views[3, 8]
    assert batch.num_failed == 0
    assert [name in reason for name, reason in zip(("_3.", "_0."), batch.unreadable, strict=True)]
    assert (batch.labels.tolist(), batch.indices.tolist()) == ([0], [3])
    assert torch.equal(batch.images, views[1, 8].images)


def test_a_class_without_any_readable_image_cannot_be_replaced(files: ImageFiles) -> None:
    damage(files.file(6))
    batch = FileViews(files, POLICY, replace=True)[6, 0]
    assert (batch.num_failed, len(batch.unreadable)) == (1, 1)
