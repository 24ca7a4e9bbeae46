import hashlib

import numpy as np
import pytest
import torch

from bcl_edu.data import exponential_profile, long_tailed_subset, open_dataset
from bcl_edu.data.digits import PACKED


def test_digits_need_no_file() -> None:
    data = open_dataset("digits")
    assert data.train.images.shape == (1397, 1, 8, 8)
    assert data.test.class_counts.tolist() == [40] * 10
    assert data.class_names == tuple("0123456789")


def test_grey_values_use_the_whole_range() -> None:
    values = open_dataset("digits").train.images.unique()
    assert len(values) == 17
    assert (values[0], values[-1]) == (0, 255)


def test_no_test_image_is_in_the_training_set() -> None:
    data = open_dataset("digits")
    train, test = (part.images.flatten(1) for part in (data.train, data.test))
    assert not (train[:, None] == test[None]).all(dim=2).any()


def test_a_zero_is_dark_in_its_middle_and_a_one_is_bright() -> None:
    train = open_dataset("digits").train
    zero, one = (train.images[train.labels == digit, 0, 3:5, 3:5].float().mean() for digit in (0, 1))
    assert zero < 50 < 200 < one


def test_there_are_enough_images_for_a_tail() -> None:
    train = open_dataset("digits").train
    counts = exponential_profile(134, 10, 50)
    assert torch.equal(train.select(long_tailed_subset(train.labels, counts)).class_counts, counts)


def test_the_packed_digits_are_those_that_runs_were_trained_on() -> None:
    with np.load(PACKED) as packed:
        content = packed["images"].tobytes() + packed["labels"].tobytes()
    assert (
        hashlib.sha256(content).hexdigest()
        == "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
    )


def test_they_are_scikit_learns() -> None:
    sklearn = pytest.importorskip("sklearn.datasets").load_digits()
    with np.load(PACKED) as packed:
        assert np.array_equal(packed["images"], sklearn.images)
        assert np.array_equal(packed["labels"], sklearn.target)
