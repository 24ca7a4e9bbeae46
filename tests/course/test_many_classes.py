"""Embeddings and prototypes of a row with many classes before its first step."""

from __future__ import annotations

import torch

from bcl_edu.course.many_classes import untrained_branches
from bcl_edu.rows import ROWS

RECIPE = ROWS["inaturalist2018-resnet50-bcl"].recipe.change(head_hidden=64, head_dim=16, batch_size=20)


def test_they_are_unit_vectors_two_views_an_image_and_one_prototype_a_class() -> None:
    embeddings, prototypes = untrained_branches(RECIPE, 300)
    assert embeddings.shape == (40, 16)
    assert prototypes.shape == (300, 16)
    for points in (embeddings, prototypes):
        assert torch.allclose(points.norm(dim=1), torch.ones(len(points), dtype=torch.float64), atol=1e-6)


def test_images_are_nearer_to_each_other_than_to_prototypes() -> None:
    embeddings, prototypes = untrained_branches(RECIPE, 300)
    between_images = (embeddings @ embeddings.T)[~torch.eye(40, dtype=torch.bool)]
    assert between_images.mean() > (embeddings @ prototypes.T).mean() + 0.1


def test_the_global_random_state_stays_and_the_seed_decides() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, _ = untrained_branches(RECIPE, 30, seed=1)
    assert torch.equal(torch.rand(1), expected)
    again, _ = untrained_branches(RECIPE, 30, seed=1)
    other, _ = untrained_branches(RECIPE, 30, seed=2)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
