"""Embeddings before the first step: those of the long-tailed digits, in the mode in which losses see them."""

from typing import Literal

import pytest
import torch

from bcl_edu.course.untrained import digits_views, long_tailed_digits, untrained_embeddings
from bcl_edu.geometry import class_means, cosine_matrix

MODES: tuple[Literal["train", "eval"], ...] = ("train", "eval")
OTHERS = ~torch.eye(10, dtype=torch.bool)


def test_each_image_gives_two_unit_vectors_with_its_label() -> None:
    z, y, counts = untrained_embeddings()
    assert counts.tolist() == [268, 172, 112, 72, 46, 30, 18, 12, 8, 4]
    assert torch.equal(y.bincount(), counts)
    assert z.shape == (742, 32)
    assert torch.allclose(z.norm(dim=1), torch.ones(742, dtype=torch.float64), atol=1e-5)


def test_the_narrow_cone_is_one_of_eval_mode() -> None:
    smallest, between = {}, {}
    for mode in MODES:
        z, y, _ = untrained_embeddings(mode=mode)
        smallest[mode] = cosine_matrix(class_means(z, y, 10))[OTHERS].min()
        between[mode] = (z @ z.T)[y[:, None] != y].mean()
    assert smallest["eval"] > 0.9 > 0.85 > smallest["train"]
    assert between["eval"] > 0.8 > 0.5 > between["train"]


def test_seeds_differ_and_the_global_random_state_does_not_move() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, again, other = (untrained_embeddings(seed=seed).embeddings for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.rand(1) == expected


@pytest.mark.usefixtures("shapes_unchecked")
def test_an_unknown_mode_is_named() -> None:
    with pytest.raises(ValueError, match="'test'"):
        untrained_embeddings(mode="test")  # type: ignore[arg-type]


def test_the_views_of_an_image_change_with_the_epoch_and_not_otherwise() -> None:
    images = long_tailed_digits().images[:5]
    assert images.shape == (5, 1, 8, 8)
    first, again, later = (digits_views(images, epoch=epoch) for epoch in (0, 0, 1))
    assert first.shape == (3, 5, 1, 8, 8)
    assert torch.equal(first, again)
    assert not torch.equal(first, later)
