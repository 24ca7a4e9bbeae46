"""Named view policies and the switches that change them."""

import pytest

from bcl_edu.augment import POLICY_NAMES, Augmentation, view_policy


def test_the_cifar_policy_is_the_papers() -> None:
    policy = view_policy("cifar", image_size=32)
    v1, v2, v3 = policy.views
    assert v1 == Augmentation(padding=4, flip=0.5, augment="autoaugment", fill=128, cutout=16)
    assert v2 == Augmentation(
        crop_scale=(0.2, 1.0),
        flip=0.5,
        jitter=(0.4, 0.4, 0.4, 0.1),
        jitter_probability=0.8,
        grey=0.2,
        blur=0.5,
    )
    assert v3 == v2


def test_plain_views_are_a_shifted_crop_and_a_mirror_image() -> None:
    assert view_policy("plain", image_size=32).views == (Augmentation(padding=4, flip=0.5),) * 3


def test_resized_views_are_those_of_decoupled_training() -> None:
    without, with_jitter = (view_policy(name, image_size=224).views for name in ("resized", "resized-jitter"))
    assert without == (Augmentation(crop_scale=(0.08, 1.0), flip=0.5),) * 3
    expected = Augmentation(
        crop_scale=(0.08, 1.0), flip=0.5, jitter=(0.4, 0.4, 0.4, 0.0), jitter_probability=1.0
    )
    assert with_jitter == (expected,) * 3


def test_switches_change_only_what_they_name() -> None:
    usual = view_policy("cifar", image_size=32)
    other = view_policy("cifar", image_size=32, crop_scale=(0.08, 1.0), blur=False, cutout=8)
    assert (other.views[0].cutout, other.views[0].augment) == (8, usual.views[0].augment)
    assert (other.views[1].crop_scale, other.views[1].blur) == ((0.08, 1.0), 0.0)
    assert other.views[1].jitter == usual.views[1].jitter
    assert view_policy("cifar", image_size=32, cutout=0).views[0].cutout == 0


def test_digits_and_grey_images_are_never_mirrored_or_coloured_where_that_means_nothing() -> None:
    assert all(recipe.flip == 0 for recipe in view_policy("digits", image_size=8).views)
    for name in ("digits", "grey"):
        for recipe in view_policy(name, image_size=28).views:
            assert recipe.jitter[2:] == (0.0, 0.0)
            assert recipe.grey == 0
            assert recipe.augment is None


def test_the_policy_none_does_nothing() -> None:
    assert view_policy("none", image_size=32).views == (Augmentation(),) * 3


@pytest.mark.parametrize("name", POLICY_NAMES)
def test_a_policy_is_a_value(name: str) -> None:
    assert view_policy(name, image_size=32) == view_policy(name, image_size=32)
    assert hash(view_policy(name, image_size=32)) == hash(view_policy(name, image_size=32))


def test_bad_options_are_refused_with_their_value() -> None:
    with pytest.raises(ValueError, match=r"'simclr'.*cifar, grey, digits, plain"):
        view_policy("simclr", image_size=32)
    with pytest.raises(ValueError, match="image_size = 0"):
        view_policy("cifar", image_size=0)
    for scale in [(0.0, 1.0), (0.5, 0.2), (0.2, 1.5)]:
        with pytest.raises(ValueError, match=r"crop_scale = \("):
            view_policy("cifar", image_size=32, crop_scale=scale)
    with pytest.raises(ValueError, match="cutout = 33"):
        view_policy("cifar", image_size=32, cutout=33)
