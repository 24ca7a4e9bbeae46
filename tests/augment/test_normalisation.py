"""Bytes to normalised floats and the statistics for it."""

import numpy as np
import pytest
import torch

from bcl_edu.augment import channel_statistics, normalise


def test_normalised_bytes_follow_the_formula() -> None:
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 3, 1, 1)
    result = normalise(images, mean=(0.5, 0.1, 0.0), std=(0.5, 0.2, 0.25))
    torch.testing.assert_close(result.flatten(), torch.tensor([-1.0, 0.5, 4.0]))


def test_any_leading_dimensions_and_memory_formats_are_kept() -> None:
    images = torch.randint(0, 256, (2, 3, 3, 5, 4), dtype=torch.uint8)
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
    result = normalise(images, mean, std)
    assert result.shape == images.shape
    torch.testing.assert_close(result[1, 2], normalise(images[1, 2], mean, std))
    last = images[0].contiguous(memory_format=torch.channels_last)
    assert normalise(last, mean, std).is_contiguous(memory_format=torch.channels_last)


def test_statistics_are_those_of_all_pixels_of_each_channel() -> None:
    images = torch.randint(0, 200, (5000, 2, 3, 3), dtype=torch.uint8)
    images[:, 1] //= 3
    mean, std = channel_statistics(images)
    pixels = images.numpy().astype(np.float64).transpose(1, 0, 2, 3).reshape(2, -1) / 255
    assert mean == pytest.approx(pixels.mean(axis=1), abs=1e-12)
    assert std == pytest.approx(pixels.std(axis=1), abs=1e-12)


def test_images_normalised_with_their_own_statistics_have_mean_0_and_deviation_1() -> None:
    images = torch.randint(0, 256, (64, 3, 8, 8), dtype=torch.uint8)
    result = normalise(images, *channel_statistics(images), dtype=torch.float64)
    assert result.mean((0, 2, 3)).tolist() == pytest.approx([0] * 3, abs=1e-12)
    assert result.std((0, 2, 3), correction=0).tolist() == pytest.approx([1] * 3, abs=1e-12)


@pytest.mark.usefixtures("shapes_unchecked")
def test_bad_input_is_refused_with_its_value() -> None:
    images = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"torch\.float32, expected torch\.uint8"):
        normalise(images.float(), (0.5,) * 3, (0.5,) * 3)
    with pytest.raises(ValueError, match=r"3 channels.*mean has 1"):
        normalise(images, (0.5,), (0.5,))
    with pytest.raises(ValueError, match="is a channel constant"):
        normalise(images, (0.5,) * 3, (0.5, 0.0, 0.5))
    with pytest.raises(ValueError, match="no pixel"):
        channel_statistics(images[:0])
    with pytest.raises(ValueError, match=r"torch\.float32"):
        channel_statistics(images.float())
