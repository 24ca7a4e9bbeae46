import pytest
import torch

from bcl_edu.data import stratified_split

LABELS = torch.repeat_interleave(torch.arange(5), torch.tensor([100, 10, 5, 2, 1]))


def test_nearly_the_same_fraction_of_every_class_is_held_out() -> None:
    kept, held_out = stratified_split(LABELS, 0.1)
    assert torch.bincount(LABELS[held_out], minlength=5).tolist() == [10, 1, 1, 1, 0]
    assert torch.equal(torch.cat([kept, held_out]).sort().values, torch.arange(118))
    assert torch.equal(kept, kept.sort().values)


def test_no_class_loses_all_its_images() -> None:
    kept, _ = stratified_split(LABELS, 0.99)
    assert torch.bincount(LABELS[kept], minlength=5).tolist() == [1, 1, 1, 1, 1]


def test_the_seed_decides_which_images() -> None:
    first, again, other = (set(stratified_split(LABELS, 0.2, seed)[1].tolist()) for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan")])
def test_what_is_no_fraction_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match=str(fraction)):
        stratified_split(LABELS, fraction)


def test_classes_of_one_image_have_none_to_hold_out() -> None:
    with pytest.raises(ValueError, match="no class of 3 images"):
        stratified_split(torch.tensor([0, 1, 2]), 0.5)
