"""What the package's training sees, replayed: each image once an epoch, and the views that it makes."""

from __future__ import annotations

import torch

from bcl_edu.course.package_batches import digit_views, package_batches
from bcl_edu.data import open_dataset
from bcl_edu.training import RECIPES, RunOptions
from bcl_edu.training.data import prepare_data

_, RECIPE = RECIPES["digits-lt"]


def test_an_epoch_has_every_image_once_and_another_epoch_another_order() -> None:
    counts = prepare_data(RECIPE, RunOptions()).class_counts
    first, second = (list(package_batches(RECIPE, epoch)) for epoch in (0, 1))
    for batches in (first, second):
        labels = torch.cat([labels for _, labels in batches])
        assert torch.bincount(labels).tolist() == counts.tolist()
        assert [len(labels) for _, labels in batches] == [64, 64, 64, 64, 64, 51]
    assert first[0][0].shape == (3, 64, 1, 8, 8)
    assert not torch.equal(first[0][1], second[0][1])


def test_the_views_of_digits_come_with_the_numbers_that_made_them() -> None:
    images = open_dataset("digits").train.images[:5]
    views = list(digit_views(images))
    assert len(views) == 3
    for (shift, factor, noise), made in views:
        assert made.shape == images.shape
        assert int(shift.min()) >= 0
        assert int(shift.max()) <= 2
        assert 0.6 <= float(factor.min()) <= float(factor.max()) <= 1.4
        assert int(noise.abs().max()) <= 32
