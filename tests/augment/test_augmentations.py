"""AutoAugment's table and magnitudes against torchvision's, and the distribution of what is drawn from it."""

import numpy as np
import pytest
from torchvision.transforms import AutoAugment, AutoAugmentPolicy, RandAugment

from bcl_edu.augment import Augmentation
from bcl_edu.augment.augmentations import CIFAR10_POLICY, CODE, OPERATIONS, SIGNED, magnitude_of
from bcl_edu.augment.draws import RANDAUGMENT_OPERATIONS, draw_parameters

TORCHVISION_NAME = {
    "identity": "Identity",
    "shear_x": "ShearX",
    "shear_y": "ShearY",
    "translate_x": "TranslateX",
    "translate_y": "TranslateY",
    "rotate": "Rotate",
    "brightness": "Brightness",
    "color": "Color",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "posterize": "Posterize",
    "solarize": "Solarize",
    "autocontrast": "AutoContrast",
    "equalize": "Equalize",
    "invert": "Invert",
}


def test_the_25_sub_policies_are_the_published_ones() -> None:
    published = AutoAugment(AutoAugmentPolicy.CIFAR10).policies
    ours = [
        tuple((TORCHVISION_NAME[name], chance, tenth) for name, chance, tenth in pair)
        for pair in CIFAR10_POLICY
    ]
    theirs = [tuple((name, chance, tenth or 0) for name, chance, tenth in pair) for pair in published]
    assert len(ours) == 25
    assert ours == theirs


@pytest.mark.parametrize("size", [8, 32, 224])
@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name != "identity"])
def test_magnitudes_and_signs_are_torchvisions(operation: str, size: int) -> None:
    magnitudes, signed = AutoAugment()._augmentation_space(10, (size, size))[TORCHVISION_NAME[operation]]
    assert signed == (operation in SIGNED)
    if magnitudes.ndim == 0:
        assert magnitude_of(operation, 1.0, size, size) == 0
        return
    for tenth, expected in enumerate(magnitudes.tolist()):
        if operation.startswith("translate"):
            expected = int(expected)  # whole pixels
        assert magnitude_of(operation, tenth / 9, size, size) == pytest.approx(expected, rel=1e-6)


def test_rand_augment_draws_from_torchvisions_list() -> None:
    space = RandAugment()._augmentation_space(31, (32, 32))
    assert {TORCHVISION_NAME[name] for name in RANDAUGMENT_OPERATIONS} == set(space)


def drawn(recipe: Augmentation, number: int = 50_000) -> tuple[np.ndarray, np.ndarray]:
    parameters = draw_parameters(recipe, np.arange(number, dtype=np.uint64), 0, (3, 32, 32), 32)
    assert parameters.operations is not None
    assert parameters.magnitudes is not None
    return parameters.operations, parameters.magnitudes


def test_auto_augment_applies_each_operation_as_often_as_its_table_says() -> None:
    operations, _ = drawn(Augmentation(augment="autoaugment"))
    for step in (0, 1):
        for name in OPERATIONS[1:]:
            expected = sum(pair[step][1] for pair in CIFAR10_POLICY if pair[step][0] == name) / 25
            share = (operations[:, step] == CODE[name]).mean()
            assert share == pytest.approx(expected, abs=0.01)  # 0.0112 is five standard errors at one half


def test_the_two_operations_of_a_pair_come_from_the_same_sub_policy() -> None:
    operations, _ = drawn(Augmentation(augment="autoaugment"))
    allowed = {(CODE[first[0]], CODE[second[0]]) for first, second in CIFAR10_POLICY}
    both = operations[(operations != CODE["identity"]).all(axis=1)]
    assert {tuple(pair) for pair in both.tolist()} <= allowed
    # all but the one whose second operation has probability zero
    assert len({tuple(pair) for pair in both.tolist()}) == len(allowed) - 1


@pytest.mark.parametrize("augment", ["autoaugment", "randaugment"])
def test_signed_magnitudes_are_negative_in_half_of_the_cases_and_others_never(augment: str) -> None:
    operations, magnitudes = drawn(Augmentation(augment=augment))  # type: ignore[arg-type]
    signed = np.isin(operations, [CODE[name] for name in SIGNED]) & (magnitudes != 0)
    assert (magnitudes[signed] < 0).mean() == pytest.approx(0.5, abs=0.02)
    assert (magnitudes[~signed] >= 0).all()


def test_rand_augment_draws_every_operation_alike_at_the_asked_magnitude() -> None:
    operations, magnitudes = drawn(Augmentation(augment="randaugment", randaugment=(3, 10)))
    assert operations.shape == (50_000, 3)
    for name in RANDAUGMENT_OPERATIONS:
        chosen = operations == CODE[name]
        assert chosen.mean() == pytest.approx(1 / 14, abs=0.004)
        assert set(np.abs(magnitudes[chosen])) == {magnitude_of(name, 10 / 30, 32, 32)}
