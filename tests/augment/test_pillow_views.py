"""The oracle's views of one image: each step against torchvision on the same parameters."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import autoaugment
from torchvision.transforms import functional as torchvision_functional
from torchvision.transforms.functional import InterpolationMode

from bcl_edu.augment import POLICY_NAMES, Augmentation, ViewPolicy, view_policy
from bcl_edu.augment.augmentations import OPERATIONS, SIGNED, magnitude_of
from bcl_edu.augment.draws import ViewParameters
from tests.augment.images import from_pillow, pictures, to_pillow
from tests.augment.pillow_views import apply_operation, three_views, views_from_parameters

TORCHVISION_NAME = {name: name.title().replace("_", "") for name in OPERATIONS} | {
    "autocontrast": "AutoContrast"
}


def one_view(image: Tensor, recipe: Augmentation, parameters: ViewParameters, size: int = 32) -> Tensor:
    """The view that these parameters make of an image."""
    return views_from_parameters(ViewPolicy("test", size, (recipe,)), image, [parameters], row=0)[0]


# ---- each step


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_augmentations_are_torchvisions(operation: str, channels: int) -> None:
    fill = 128 if channels == 1 else [128] * 3
    signs = (1, -1) if operation in SIGNED else (1,)
    for image in pictures(4, channels):
        for tenth in range(10):
            for sign in signs:
                magnitude = sign * magnitude_of(operation, tenth / 9, 32, 32)
                ours = apply_operation(to_pillow(image), operation, magnitude, fill=128)
                theirs = autoaugment._apply_op(
                    to_pillow(image), TORCHVISION_NAME[operation], magnitude, InterpolationMode.NEAREST, fill
                )
                assert torch.equal(from_pillow(ours), from_pillow(theirs)), (tenth, sign)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_window_reaching_over_the_border_is_a_crop_after_black_padding(channels: int) -> None:
    image = pictures(1, channels)[0]
    padded = torchvision_functional.pad(image, [4, 4, 4, 4])
    for top in range(-4, 5):
        for left in (-4, -1, 0, 3, 4):
            parameters = ViewParameters(window=np.array([[top, left, 32, 32]]))
            view = one_view(image, Augmentation(padding=4), parameters)
            assert torch.equal(view, padded[:, top + 4 : top + 36, left + 4 : left + 36])


@pytest.mark.parametrize("window", [(0, 0, 32, 32), (3, 5, 20, 17), (10, 0, 9, 12), (31, 31, 1, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_resized_crop_is_torchvisions(window: tuple[int, int, int, int], channels: int) -> None:
    for image in pictures(3, channels):
        view = one_view(image, Augmentation(crop_scale=(0.2, 1.0)), ViewParameters(window=np.array([window])))
        expected = torchvision_functional.resized_crop(to_pillow(image), *window, [32, 32])
        assert torch.equal(view, from_pillow(expected))


def test_a_large_image_is_scaled_down_to_the_views_size() -> None:
    image = pictures(1, size=96)[0]
    window = (5, 7, 80, 70)
    view = one_view(image, Augmentation(crop_scale=(0.2, 1.0)), ViewParameters(window=np.array([window])))
    assert torch.equal(
        view, from_pillow(torchvision_functional.resized_crop(to_pillow(image), *window, [32, 32]))
    )


def test_a_flip_is_a_mirror_image() -> None:
    image = pictures(1)[0]
    assert torch.equal(
        one_view(image, Augmentation(flip=1.0), ViewParameters(flip=np.array([True]))), image.flip(2)
    )
    assert torch.equal(one_view(image, Augmentation(flip=1.0), ViewParameters(flip=np.array([False]))), image)


@pytest.mark.parametrize("channels", [1, 3])
def test_jitter_is_torchvisions_in_any_order(channels: int) -> None:
    adjust = (
        torchvision_functional.adjust_brightness,
        torchvision_functional.adjust_contrast,
        torchvision_functional.adjust_saturation,
        torchvision_functional.adjust_hue,
    )
    generator = np.random.default_rng(0)
    recipe = Augmentation(jitter=(0.4, 0.4, 0.4, 0.1), jitter_probability=1.0)
    for image in pictures(40, channels):
        order = generator.permutation(4)
        values = np.append(generator.uniform(0.6, 1.4, 3), generator.uniform(-0.1, 0.1))
        parameters = ViewParameters(
            jitter=np.array([True]), jitter_order=order[None], jitter_values=values[None]
        )
        expected = to_pillow(image)
        for step in order:
            expected = adjust[step](expected, float(values[step]))
        assert torch.equal(one_view(image, recipe, parameters), from_pillow(expected)), (order, values)


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_is_the_luminance_in_every_channel(channels: int) -> None:
    image = pictures(1, channels)[0]
    view = one_view(image, Augmentation(grey=1.0), ViewParameters(grey=np.array([True])))
    expected = torchvision_functional.to_grayscale(to_pillow(image), num_output_channels=channels)
    assert torch.equal(view, from_pillow(expected))
    if channels == 3:
        luminance = (torch.tensor([0.299, 0.587, 0.114])[:, None, None] * image).sum(0)
        assert (view[0] - luminance).abs().max() <= 0.51


@pytest.mark.parametrize("sigma", [0.3, 0.5, 1.0, 1.5, 2.0])
def test_blur_spreads_an_edge_by_its_standard_deviation(sigma: float) -> None:
    image = torch.zeros(3, 32, 32, dtype=torch.uint8)
    image[:, :, 16:] = 255
    view = one_view(image, Augmentation(blur=1.0), ViewParameters(blur=np.array([sigma])))
    spread = view[0, 10].double().diff() / 255  # the kernel: how much the edge passes on to each place
    place = torch.arange(31) + 0.5
    mean = (spread * place).sum()
    assert mean.item() == pytest.approx(15.5, abs=0.02)
    assert (spread * (place - mean) ** 2).sum().sqrt().item() == pytest.approx(sigma, rel=0.03)


def test_cutout_writes_black_and_leaves_the_rest() -> None:
    image = pictures(1)[0].clamp(min=1)
    view = one_view(image, Augmentation(cutout=16), ViewParameters(cutout=np.array([[3, 0, 19, 9]])))
    black = torch.zeros(32, 32, dtype=torch.bool)
    black[3:19, 0:9] = True
    assert torch.equal(view == 0, black.expand(3, 32, 32))
    assert torch.equal(view[:, ~black], image[:, ~black])


def test_noise_is_added_and_clipped_to_bytes() -> None:
    image = torch.tensor([[[0, 100], [200, 255]]], dtype=torch.uint8)
    noise = np.array([[-5, 5, -7, 5]])
    view = one_view(image, Augmentation(noise=7), ViewParameters(noise=noise), size=2)
    assert view.tolist() == [[[0, 105], [193, 255]]]


# ---- the whole view


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", POLICY_NAMES)
def test_views_are_bytes_of_the_policys_size(name: str, channels: int) -> None:
    image = pictures(1, channels)[0]
    views = three_views(view_policy(name, image_size=32), image, seed=5)
    assert views.dtype == torch.uint8
    assert views.shape == (3, channels, 32, 32)
    assert views.is_contiguous()


def test_digits_of_eight_pixels_keep_their_size() -> None:
    image = pictures(1, 1, size=8)[0]
    assert three_views(view_policy("digits", image_size=8), image, seed=0).shape == (3, 1, 8, 8)


@pytest.mark.parametrize("name", POLICY_NAMES)
def test_the_same_seed_gives_the_same_views_and_another_seed_others(name: str) -> None:
    policy = view_policy(name, image_size=32)
    image = pictures(1)[0]
    first = three_views(policy, image, seed=1)
    assert torch.equal(three_views(policy, image, seed=1), first)
    assert torch.equal(three_views(policy, image, seed=2), first) == (name == "none")


@pytest.mark.parametrize("name", ["cifar", "grey", "digits"])
def test_the_three_views_differ_from_each_other(name: str) -> None:
    policy = view_policy(name, image_size=32)
    image = pictures(1)[0]
    for seed in range(20):
        v1, v2, v3 = three_views(policy, image, seed)
        assert not torch.equal(v1, v2)
        assert not torch.equal(v2, v3)


def test_the_policy_none_returns_the_image_three_times() -> None:
    image = pictures(1)[0]
    assert torch.equal(
        three_views(view_policy("none", image_size=32), image, seed=0), image.expand(3, 3, 32, 32)
    )


def test_v1_is_the_same_whether_or_not_the_other_views_are_made() -> None:
    policy = view_policy("cifar", image_size=32)
    image = pictures(1)[0]
    alone = three_views(replace(policy, views=policy.views[:1]), image, seed=3)
    assert torch.equal(alone, three_views(policy, image, seed=3)[:1])


def test_global_random_generators_are_neither_read_nor_written() -> None:
    policy = view_policy("cifar", image_size=32)
    image = pictures(1)[0]
    torch.manual_seed(0)
    random.seed(0)
    # numpy's legacy generator is global too, and must stay untouched
    np.random.seed(0)  # noqa: NPY002
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = three_views(policy, image, seed=7)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert np.array_equal(np.random.get_state()[1], before[2])  # noqa: NPY002
    torch.manual_seed(1)
    random.seed(1)
    assert torch.equal(three_views(policy, image, seed=7), first)


def test_the_image_itself_is_not_changed() -> None:
    image = pictures(1)[0]
    copy = image.clone()
    for name in POLICY_NAMES:
        views = three_views(view_policy(name, image_size=32), image, seed=0)
        views.zero_()
        assert torch.equal(image, copy)


def test_an_image_may_be_a_slice_of_a_larger_array() -> None:
    expected = three_views(view_policy("cifar", image_size=32), pictures(1)[0], seed=0)
    image = pictures(2)[:1].transpose(2, 3).transpose(2, 3)[0]  # a view into a larger array
    assert torch.equal(three_views(view_policy("cifar", image_size=32), image, seed=0), expected)


def test_other_images_are_refused() -> None:
    policy = view_policy("cifar", image_size=32)
    with pytest.raises(ValueError, match=r"torch\.float32 and shape \(3, 32, 32\)"):
        three_views(policy, torch.zeros(3, 32, 32), seed=0)
    with pytest.raises(ValueError, match=r"\(4, 32, 32\), expected torch\.uint8 of shape \(1 or 3"):
        three_views(policy, torch.zeros(4, 32, 32, dtype=torch.uint8), seed=0)
    with pytest.raises(ValueError, match="no window of 32x32"):
        three_views(policy, torch.zeros(3, 16, 16, dtype=torch.uint8), seed=0)
