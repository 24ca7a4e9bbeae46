"""Views and centres of image files: what they depend on, their memory, what becomes of damaged files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import transforms

from bcl_edu.augment import (
    FileCentres,
    FileViews,
    TrainingViews,
    normalise,
    only_batch,
    three_views,
    view_policy,
)
from bcl_edu.data import ImageFiles, open_dataset
from bcl_edu.data.decoding import centre_of_resized
from bcl_edu.seeds import derive_seed
from tests.data.small_imagenet import own_lists, small_imagenet

POLICY = view_policy("sim-sim", image_size=32, crop_scale=(0.08, 1.0), blur=False)


@pytest.fixture
def files(tmp_path: Path) -> ImageFiles:
    """Seven training images of 80 x 60 in classes of 4, 2 and 1."""
    root = small_imagenet(tmp_path)
    train = open_dataset("imagenet-lt", root, lists=own_lists(root), image_size=32).train
    assert isinstance(train, ImageFiles)
    return train


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:700])


def test_views_are_those_of_the_decoded_image_and_its_seed(files: ImageFiles) -> None:
    views = FileViews(files, POLICY, seed=3)
    views.set_epoch(5)
    batch = views.__getitems__([6, 1])
    assert batch.images.shape == (3, 2, 3, 32, 32)
    assert (batch.labels.tolist(), batch.indices.tolist(), batch.unreadable) == ([2, 0], [6, 1], [])
    for row, index in enumerate([6, 1]):
        decoded = torch.from_numpy(np.array(files.picture(index))).permute(2, 0, 1)
        expected = three_views(POLICY, decoded, derive_seed("views", 3, 5, index))
        assert torch.equal(batch.images[:, row], expected)


def test_they_are_the_views_that_images_in_memory_get(files: ImageFiles) -> None:
    pixels = torch.stack([torch.from_numpy(np.array(files.picture(i))) for i in range(7)]).permute(0, 3, 1, 2)
    in_memory = TrainingViews(pixels.contiguous(), files.labels, POLICY, seed=1)
    from_disk = FileViews(files, POLICY, seed=1)
    for index in range(7):
        assert torch.equal(from_disk[index].images[:, 0], in_memory[index][0])


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing_and_follow_the_epoch(workers: int, files: ImageFiles) -> None:
    views = FileViews(files, POLICY)
    order = [[3, 0], [6, 2, 5], [1, 4]]
    loader = DataLoader(
        views,
        batch_sampler=order,
        num_workers=workers,
        collate_fn=only_batch,  # type: ignore[arg-type]
        persistent_workers=True,
        generator=torch.Generator().manual_seed(0),
    )
    for epoch in (0, 1):
        views.set_epoch(epoch)
        expected = [views.__getitems__(indices) for indices in order]
        for batch, alone in zip(loader, expected, strict=True):
            assert torch.equal(batch.images, alone.images)
            assert batch.indices.tolist() == alone.indices.tolist()
    assert not torch.equal(expected[0].images, FileViews(files, POLICY).__getitems__(order[0]).images)


def test_a_batch_lies_in_memory_as_a_channels_last_network_reads_it(files: ImageFiles) -> None:
    images = FileViews(files, POLICY).__getitems__([0, 1, 2]).images
    assert images.dtype == torch.uint8
    flat = images.flatten(0, 1)
    assert flat.data_ptr() == images.data_ptr()  # no copy
    assert flat.is_contiguous(memory_format=torch.channels_last)
    pixels = normalise(images, files.mean, files.std).flatten(0, 1)
    assert pixels.is_contiguous(memory_format=torch.channels_last)
    assert FileCentres(files).__getitems__([0, 1]).images.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("size", [(500, 375), (333, 500), (256, 256), (260, 999), (90, 61)])
def test_what_is_evaluated_is_torchvisions_resize_256_and_centre_crop_224(size: tuple[int, int]) -> None:
    noise = np.random.RandomState(0).randint(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    picture = Image.fromarray(noise)
    expected = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224)])(picture)
    assert np.array_equal(np.asarray(centre_of_resized(picture, 224)), np.asarray(expected))


def test_centres_are_those_of_the_files(files: ImageFiles) -> None:
    batch = FileCentres(files).__getitems__([4, 2])
    for row, index in enumerate([4, 2]):
        expected = np.asarray(centre_of_resized(files.picture(index), 32)).transpose(2, 0, 1)
        assert np.array_equal(batch.images[row].numpy(), expected)


def test_a_damaged_image_is_black_and_named(files: ImageFiles) -> None:
    damage(files.file(1))
    files.file(4).unlink()
    for batch in (
        FileViews(files, POLICY).__getitems__([0, 1, 4]),
        FileCentres(files).__getitems__([0, 1, 4]),
    ):
        assert batch.black == 2
        assert [str(files.file(1)) in batch.unreadable[0], str(files.file(4)) in batch.unreadable[1]] == [
            True,
            True,
        ]
        rows = batch.images.movedim(-4, 0)
        assert [bool(rows[i].any()) for i in range(3)] == [True, False, False]


def test_asked_to_it_takes_the_next_readable_image_of_the_class_in_its_place(files: ImageFiles) -> None:
    damage(files.file(3))
    damage(files.file(0))
    batch = FileViews(files, POLICY, seed=2, replace=True).__getitems__([3])
    assert batch.black == 0
    assert [Path(reason.split()[4].rstrip(":")) for reason in batch.unreadable] == [
        files.file(3),
        files.file(0),
    ]
    assert (batch.labels.tolist(), batch.indices.tolist()) == ([0], [3])
    decoded = torch.from_numpy(np.array(files.picture(1))).permute(2, 0, 1)
    assert torch.equal(batch.images[:, 0], three_views(POLICY, decoded, derive_seed("views", 2, 0, 3)))


def test_a_class_without_any_readable_image_cannot_be_replaced(files: ImageFiles) -> None:
    damage(files.file(6))
    batch = FileViews(files, POLICY, replace=True).__getitems__([6])
    assert (batch.black, len(batch.unreadable)) == (1, 1)
