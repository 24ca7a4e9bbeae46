"""Annotations of shapes and types hold in every test: a call that breaks one fails, whatever the function says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from jaxtyping import TypeCheckError

from bcl_edu.augment import normalise
from bcl_edu.data import LabelledImages
from bcl_edu.geometry import class_means
from bcl_edu.losses import contrastive_loss
from bcl_edu.methods import build_method
from bcl_edu.models import build_backbone
from bcl_edu.rows.registry import RECIPES
from bcl_edu.training.metrics import accuracy

LABELS = torch.zeros(3, dtype=torch.long)

WRONG: dict[str, Callable[[], object]] = {
    "losses": lambda: contrastive_loss(torch.zeros(4, 2), LABELS, averaging="none", complement=False),
    "geometry": lambda: class_means(torch.zeros(4, 2), LABELS, 2),
    "models": lambda: build_backbone("resnet32", 3)(torch.zeros(3, 32, 32)),
    "augment": lambda: normalise(torch.zeros(2, 3, 4, 4), (0.5,) * 3, (0.5,) * 3),
    "data": lambda: LabelledImages(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), LABELS, ("a", "b")),
    "methods": lambda: build_method(RECIPES["digits-lt"][1], torch.ones(2, 2), (1, 8, 8)),
    "training": lambda: accuracy(LABELS, LABELS[:2], torch.tensor([3, 2])),
}


@pytest.mark.parametrize("package", WRONG)
def test_a_call_that_breaks_an_annotation_fails(package: str) -> None:
    with pytest.raises(TypeCheckError):
        WRONG[package]()
