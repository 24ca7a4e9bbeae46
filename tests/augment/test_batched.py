"""Batched views: each operation against Pillow on the same parameters, then whole views against per-sample ones."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from bcl_edu.augment import (
    POLICY_NAMES,
    Augmentation,
    BatchedTrainingViews,
    ViewPolicy,
    batched_views,
    normalise,
    view_policy,
)
from bcl_edu.augment.augmentations import CODE, OPERATIONS, SIGNED, magnitude_of
from bcl_edu.augment.batched import CPU_CHUNK, _augment
from bcl_edu.augment.draws import BLUR_SIGMA, derive_seed
from bcl_edu.augment.pixel_operations import (
    BOX_REACH,
    adjust_hue,
    box_weights,
    resampling_weights,
    resized_crop,
    rgb_to_grayscale,
)
from tests.augment.images import from_pillow, pictures, to_pillow
from tests.augment.pillow_views import apply_operation, three_views
from tests.waiting import waiting_is_an_error

EXACT_STEPS = {
    "padded crop": Augmentation(padding=4),
    "mirrored padded crop": Augmentation(padding=4, flip=0.5),
    "resized crop": Augmentation(crop_scale=(0.08, 1.0)),
    "mirrored resized crop": Augmentation(crop_scale=(0.2, 1.0), flip=0.5),
    "flip": Augmentation(flip=0.5),
    "brightness": Augmentation(jitter=(0.9, 0.0, 0.0, 0.0), jitter_probability=0.9),
    "contrast": Augmentation(jitter=(0.0, 0.9, 0.0, 0.0), jitter_probability=0.9),
    "saturation": Augmentation(jitter=(0.0, 0.0, 1.5, 0.0), jitter_probability=0.9),
    "hue": Augmentation(jitter=(0.0, 0.0, 0.0, 0.5), jitter_probability=0.9),
    "jitter in any order": Augmentation(jitter=(0.4, 0.4, 0.4, 0.1), jitter_probability=0.8),
    "grey": Augmentation(grey=0.5),
    "autoaugment": Augmentation(augment="autoaugment"),
    "randaugment": Augmentation(augment="randaugment", randaugment=(3, 20)),
    "noise": Augmentation(noise=30),
    "cutout": Augmentation(cutout=16),
}


def both_ways(policy: ViewPolicy, images: Tensor) -> tuple[Tensor, Tensor]:
    """Batched and per-sample views of the same images and seeds."""
    seeds = [derive_seed("test", i) for i in range(len(images))]
    one_by_one = [three_views(policy, image, seed) for image, seed in zip(images, seeds, strict=True)]
    return batched_views(policy, images, seeds), torch.stack(one_by_one, dim=1)


def difference(ours: Tensor, theirs: Tensor) -> Tensor:
    return (ours.int() - theirs.int()).abs()


# ---- each operation


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("step", EXACT_STEPS)
def test_each_step_is_pillows_to_the_last_bit(step: str, channels: int) -> None:
    policy = ViewPolicy(step, 32, (EXACT_STEPS[step],))
    ours, theirs = both_ways(policy, pictures(96, channels))
    assert torch.equal(ours, theirs)
    assert len(ours[0].flatten(1).unique(dim=0)) == 96  # no two alike: the steps did work on single images


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_magnitude_of_an_augmentation_is_pillows_to_the_last_bit(operation: str, channels: int) -> None:
    images = pictures(8, channels, seed=1)
    noise = torch.randint(
        0, 256, (2, channels, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    flat = torch.full((1, channels, 32, 32), 77, dtype=torch.uint8)
    two_levels = flat.clone()
    two_levels[:, :, :2] = 200
    images = torch.cat([images, noise, flat, two_levels])
    signs = (1, -1) if operation in SIGNED else (1,)
    for tenth in range(10):
        for sign in signs:
            magnitude = sign * magnitude_of(operation, tenth / 9, 32, 32)
            codes, magnitudes = np.full(len(images), CODE[operation]), np.full(len(images), magnitude)
            ours = _augment(images.float(), codes, magnitudes, fill=128)
            theirs = [
                from_pillow(apply_operation(to_pillow(i), operation, magnitude, fill=128)) for i in images
            ]
            assert torch.equal(ours, torch.stack(theirs).float()), (tenth, sign)


@pytest.mark.parametrize("step", [0, 1, 25, 128, 231, 255])
def test_a_turn_of_the_hue_is_pillows_for_every_colour(step: int) -> None:
    level = np.arange(256, dtype=np.uint8)
    # all pairs of red and green, every fifth blue: 3.4 million colours, 0 and 255 among them
    red, green, blue = np.meshgrid(level, level, level[::5], indexing="ij")
    colours = np.stack([red, green, blue], axis=-1).reshape(1024, -1, 3)
    hsv = np.array(Image.fromarray(colours).convert("HSV"))
    hsv[:, :, 0] += np.uint8(step)
    expected = np.array(Image.frombytes("HSV", hsv.shape[1::-1], hsv.tobytes()).convert("RGB"))
    images = torch.from_numpy(colours.transpose(2, 0, 1).copy())[None].float()
    ours = adjust_hue(images, torch.tensor([float(step)]))
    assert torch.equal(ours[0], torch.from_numpy(expected.transpose(2, 0, 1).copy()).float())


def test_luminance_is_pillows_for_every_colour() -> None:
    level = np.arange(256, dtype=np.uint8)
    red, green, blue = np.meshgrid(level, level, level[::5], indexing="ij")
    colours = np.stack([red, green, blue], axis=-1).reshape(1024, -1, 3)
    expected = torch.from_numpy(np.array(Image.fromarray(colours).convert("L"))).float()
    images = torch.from_numpy(colours.transpose(2, 0, 1).copy())[None].float()
    assert torch.equal(rgb_to_grayscale(images)[0, 0], expected)


@pytest.mark.parametrize(("height", "width", "size"), [(32, 32, 32), (28, 28, 28), (8, 8, 8), (20, 24, 32)])
def test_resized_crops_of_images_no_larger_than_the_view_are_pillows_to_the_last_bit(
    height: int, width: int, size: int
) -> None:
    images = pictures(60, size=96)[:, :, :height, :width].contiguous()
    policy = ViewPolicy("crops", size, (Augmentation(crop_scale=(0.08, 1.0), flip=0.5),))
    ours, theirs = both_ways(policy, images)
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("height", "width", "size"), [(48, 48, 32), (45, 61, 32), (96, 96, 28), (96, 80, 64)]
)
def test_whole_images_are_reduced_as_pillow_reduces_them(height: int, width: int, size: int) -> None:
    images = pictures(20, size=96)[:, :, :height, :width].contiguous()
    if height > width:  # Pillow 13 reduces tall images along the columns first, older versions along the rows
        images = images.transpose(2, 3).contiguous()
    window = np.array([[0, 0, *images.shape[2:]]] * 20)
    ours = resized_crop(images.float(), window, np.zeros(20, dtype=bool), size)
    theirs = [from_pillow(to_pillow(i).resize((size, size), Image.Resampling.BILINEAR)) for i in images]
    assert torch.equal(ours, torch.stack(theirs).float())


def test_reduced_crops_differ_from_pillows_by_two_levels_at_most() -> None:
    images = pictures(60, size=96)
    policy = ViewPolicy("crops", 32, (Augmentation(crop_scale=(0.08, 1.0), flip=0.5),))
    ours, theirs = both_ways(policy, images)
    assert (
        difference(ours, theirs).max() <= 2
    )  # one for each direction, where Pillow 13 takes the other one first


def test_resampling_weights_of_the_whole_row_are_the_identity_or_its_mirror_image() -> None:
    start, length = np.zeros(2, dtype=np.int64), np.full(2, 5)
    weights = resampling_weights(
        start, length, 5, 5, np.array([False, True]), torch.device("cpu"), torch.float32
    )
    assert torch.equal(weights[0], torch.eye(5))
    assert torch.equal(weights[1], torch.eye(5).flip(0))


def test_resampling_weights_halve_a_row_with_triangles() -> None:
    start, length = np.array([0]), np.array([4])
    weights = resampling_weights(start, length, 4, 2, np.array([False]), torch.device("cpu"), torch.float32)
    # the first pixel comes from place 1.0: distances 0.5, 0.5, 1.5 of 2, so weights 3 : 3 : 1
    expected = torch.tensor([[3.0, 3.0, 1.0, 0.0], [0.0, 1.0, 3.0, 3.0]]) / 7
    torch.testing.assert_close(weights[0], expected)


def test_blur_differs_from_pillows_by_one_level_in_a_few_pixels() -> None:
    for channels in (1, 3):
        policy = ViewPolicy("blur", 32, (Augmentation(blur=0.9),))
        away = difference(*both_ways(policy, pictures(200, channels)))
        assert away.max() <= 1
        assert (away > 0).double().mean() < 1e-3


def test_box_weights_add_up_to_one_and_three_boxes_have_the_gaussians_variance() -> None:
    sigma = np.linspace(*BLUR_SIGMA, 200)
    weights = box_weights(sigma)
    places = np.arange(BOX_REACH + 1)
    assert weights[:, 0] + 2 * weights[:, 1:].sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert 3 * 2 * (weights * places**2).sum(axis=1) == pytest.approx(sigma**2, abs=1e-5)


# ---- whole views


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", POLICY_NAMES)
def test_batched_views_are_the_per_sample_views(name: str, channels: int) -> None:
    ours, theirs = both_ways(view_policy(name, image_size=32), pictures(100, channels, seed=2))
    assert ours.dtype == torch.uint8
    assert ours.shape == (3, 100, channels, 32, 32)
    away = difference(ours, theirs)
    assert away.max() <= 1  # through the blur
    assert (away > 0).double().mean() < 1e-3
    if name in ("digits", "none"):
        assert away.max() == 0


def test_views_do_not_depend_on_the_rest_of_the_batch() -> None:
    policy = view_policy("cifar", image_size=32)
    number = CPU_CHUNK + 50  # more than what is worked on together
    images, seeds = pictures(number), list(range(number))
    together = batched_views(policy, images, seeds)
    order = torch.randperm(number, generator=torch.Generator().manual_seed(0))
    shuffled = batched_views(policy, images[order], order.tolist())
    some = [0, 3, CPU_CHUNK - 1, CPU_CHUNK, number - 1]
    # matrix products of another shape may add up in another order: at most one level, hardly anywhere
    for other, same in (
        (shuffled, together[:, order]),
        (batched_views(policy, images[some], some), together[:, some]),
    ):
        away = difference(other, same)
        assert away.max() <= 1
        assert (away > 0).double().mean() < 1e-4


def test_an_empty_batch_gives_no_views() -> None:
    images = torch.zeros(0, 3, 32, 32, dtype=torch.uint8)
    assert batched_views(view_policy("cifar", image_size=32), images, []).shape == (3, 0, 3, 32, 32)


def test_a_surrounding_autocast_changes_nothing() -> None:
    policy = view_policy("cifar", image_size=32)
    images = pictures(20)
    expected = batched_views(policy, images, list(range(20)))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(batched_views(policy, images, list(range(20))), expected)


@pytest.mark.parametrize("name", POLICY_NAMES)
def test_images_are_left_alone_and_views_are_memory_of_their_own(name: str) -> None:
    images = pictures(4)
    copy = images.clone()
    views = batched_views(view_policy(name, image_size=32), images, list(range(4)))
    views[0] += 1
    views[1].zero_()
    assert views[2].any()
    assert torch.equal(images, copy)


def test_views_can_be_trained_on() -> None:
    views = batched_views(view_policy("cifar", image_size=32), pictures(4), list(range(4)))
    weight = torch.ones(3, requires_grad=True)
    (views.float().mean(dim=(0, 1, 3, 4)) * weight).sum().backward()
    assert weight.grad is not None
    assert weight.grad.all()


def test_global_generators_are_untouched() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    batched_views(view_policy("cifar", image_size=32), pictures(4), list(range(4)))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.usefixtures("shapes_unchecked")
def test_bad_input_is_refused() -> None:
    policy = view_policy("cifar", image_size=32)
    with pytest.raises(ValueError, match=r"torch\.float32"):
        batched_views(policy, torch.zeros(2, 3, 32, 32), [0, 1])
    with pytest.raises(ValueError, match="3 seeds for 2 images"):
        batched_views(policy, pictures(2), [0, 1, 2])


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_gpu_makes_the_same_views() -> None:
    policy = view_policy("cifar", image_size=32)
    images, seeds = pictures(300), list(range(300))
    away = difference(batched_views(policy, images.cuda(), seeds).cpu(), batched_views(policy, images, seeds))
    assert away.max() <= 1
    assert (away > 0).double().mean() < 1e-3


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_making_views_on_a_gpu_does_not_make_the_host_wait() -> None:
    data = BatchedTrainingViews(
        pictures(300), torch.arange(300), view_policy("cifar", image_size=32), device="cuda"
    )
    everything = list(range(300))
    data.views(everything, everything)  # chooses kernels
    with waiting_is_an_error():
        images, _, _ = data.views(everything, everything)
        normalise(images, (0.5,) * 3, (0.25,) * 3)
