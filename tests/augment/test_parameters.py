"""Distributions of crops, flips, colours, blur, noise and Cutout; independence of views and switches."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision.transforms import RandomResizedCrop

from bcl_edu.augment import Augmentation, view_policy
from bcl_edu.augment.draws import ViewParameters, draw_parameters

NUMBER = 40_000  # five standard errors of a share near one half are 0.0125
SEEDS = np.arange(NUMBER, dtype=np.uint64)


def draw(
    recipe: Augmentation, view: int = 0, shape: tuple[int, int, int] = (3, 32, 32), size: int = 32
) -> ViewParameters:
    return draw_parameters(recipe, SEEDS, view, shape, size)


def test_padded_windows_start_at_each_of_the_nine_offsets_alike() -> None:
    window = draw(Augmentation(padding=4)).window
    assert window is not None
    assert (window[:, 2:] == 32).all()
    for corner in window[:, :2].T:
        values, counts = np.unique(corner, return_counts=True)
        assert values.tolist() == list(range(-4, 5))
        assert np.abs(counts / NUMBER - 1 / 9).max() < 0.008
    assert abs(np.corrcoef(window[:, 0], window[:, 1])[0, 1]) < 0.025


@pytest.mark.parametrize("scale", [(0.2, 1.0), (0.08, 1.0)])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (40, 30), (20, 90), (90, 20)])
def test_resized_crops_are_distributed_as_torchvisions(
    scale: tuple[float, float], height: int, width: int
) -> None:
    window = draw(Augmentation(crop_scale=scale), shape=(3, height, width)).window
    assert window is not None
    top, left, tall, wide = window.T
    assert (np.minimum(tall, wide) >= 1).all()
    assert (np.minimum(top, left) >= 0).all()
    assert (top + tall <= height).all()
    assert (left + wide <= width).all()
    image = torch.zeros(3, height, width)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs = np.array([RandomResizedCrop.get_params(image, scale, (3 / 4, 4 / 3)) for _ in range(4000)])
    for ours, reference in zip(window.T, theirs.T, strict=True):
        error = 5 * reference.std() / math.sqrt(len(reference)) + 1e-9
        assert ours.mean() == pytest.approx(reference.mean(), abs=error)
        assert ours.std() == pytest.approx(reference.std(), rel=0.1, abs=1e-9)


def test_resized_crops_take_the_stated_share_of_the_area_and_shape() -> None:
    window = draw(Augmentation(crop_scale=(0.2, 1.0)), shape=(3, 224, 224)).window
    assert window is not None
    height, width = window[:, 2], window[:, 3]
    assert (height * width / 224**2).min() > 0.19
    assert 0.73 < (width / height).min() < 0.77
    assert 1.30 < (width / height).max() < 1.36


def test_a_tall_narrow_image_falls_back_to_its_largest_central_part() -> None:
    window = draw(Augmentation(crop_scale=(1.0, 1.0)), shape=(3, 60, 20)).window
    assert window is not None
    # 20 wide, 20 / (3/4) = 26.7 tall, in the middle of 60
    assert np.unique(window, axis=0).tolist() == [[16, 0, 27, 20]]


@pytest.mark.parametrize("probability", [0.2, 0.5, 0.8])
def test_probabilities_are_kept(probability: float) -> None:
    drawn = draw(
        Augmentation(
            flip=probability,
            grey=probability,
            blur=probability,
            jitter=(0.4, 0.4, 0.4, 0.1),
            jitter_probability=probability,
        )
    )
    for applied in (drawn.flip, drawn.grey, drawn.jitter, drawn.blur > 0):  # type: ignore[operator]
        assert applied is not None
        assert applied.mean() == pytest.approx(probability, abs=0.0125)


def test_certain_and_impossible_steps() -> None:
    assert draw(Augmentation(flip=1.0)).flip.all()  # type: ignore[union-attr]
    assert draw(Augmentation()) == ViewParameters()


def test_jitter_values_fill_their_ranges_evenly_and_all_24_orders_are_alike() -> None:
    drawn = draw(Augmentation(jitter=(0.4, 0.3, 1.5, 0.1), jitter_probability=1.0))
    assert drawn.jitter_values is not None
    assert drawn.jitter_order is not None
    # a factor is never negative: 1 - 1.5 becomes 0
    for values, (low, high) in zip(
        drawn.jitter_values.T, [(0.6, 1.4), (0.7, 1.3), (0.0, 2.5), (-0.1, 0.1)], strict=True
    ):
        assert low <= values.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < values.max() <= high
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.008 * (high - low))
    orders, counts = np.unique(drawn.jitter_order, axis=0, return_counts=True)
    assert len(orders) == 24
    assert np.abs(counts / NUMBER - 1 / 24).max() < 0.005


def test_blur_is_between_a_tenth_and_two_pixels() -> None:
    blur = draw(Augmentation(blur=1.0)).blur
    assert blur is not None
    assert 0.1 <= blur.min() < 0.11
    assert 1.99 < blur.max() <= 2.0
    assert blur.mean() == pytest.approx(1.05, abs=0.014)


def test_noise_takes_every_value_of_its_range_alike() -> None:
    noise = draw_parameters(Augmentation(noise=2), SEEDS[:2000], 0, (1, 8, 8), 8).noise
    assert noise is not None
    assert noise.shape == (2000, 64)
    values, counts = np.unique(noise, return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1, 2]
    assert np.abs(counts / noise.size - 0.2).max() < 0.006


def test_cutout_centres_are_uniform_and_the_square_is_clipped_at_the_border() -> None:
    cutout = draw(Augmentation(cutout=16)).cutout
    assert cutout is not None
    top, left, bottom, right = cutout.T
    height, width = bottom - top, right - left
    for low, high, length in ((top, bottom, height), (left, right, width)):
        # a centre c covers c - 8 .. c + 7: 8 + c rows near the top, 16 inside, 40 - c near the bottom
        expected = [min(c + 8, 32) - max(c - 8, 0) for c in range(32)]
        assert length.mean() == pytest.approx(np.mean(expected), abs=0.08)
        values, counts = np.unique(length, return_counts=True)
        assert values.tolist() == sorted(set(expected))
        shares = [expected.count(value) / 32 for value in values]
        assert np.abs(counts / NUMBER - shares).max() < 0.0125
        assert (low[length < 16] * (32 - high[length < 16]) == 0).all()  # shorter only at a border
    assert (height * width).mean() == pytest.approx(np.mean(expected) ** 2, rel=0.01)
    assert abs(np.corrcoef(top, left)[0, 1]) < 0.025


def test_views_have_unrelated_parameters() -> None:
    recipe = Augmentation(crop_scale=(0.2, 1.0), flip=0.5)
    second, third = draw(recipe, view=1), draw(recipe, view=2)
    assert second.window is not None
    assert third.window is not None
    for ours, theirs in zip(second.window.T, third.window.T, strict=True):
        assert abs(np.corrcoef(ours, theirs)[0, 1]) < 0.025
    assert (second.flip == third.flip).mean() == pytest.approx(0.5, abs=0.0125)  # type: ignore[union-attr]


def test_switching_a_step_off_leaves_the_numbers_of_the_others_alone() -> None:
    recipe = view_policy("cifar", image_size=32).views[1]
    usual, without = draw(recipe), draw(replace(recipe, blur=0.0, crop_scale=(0.08, 1.0)))
    assert without.blur is None
    for name in ("flip", "jitter", "jitter_order", "jitter_values", "grey"):
        assert np.array_equal(getattr(usual, name), getattr(without, name))


def test_an_image_too_small_for_its_window_is_refused() -> None:
    with pytest.raises(ValueError, match=r"20x20 .*border of 4 .*32x32"):
        draw(Augmentation(padding=4), shape=(3, 20, 20))
