"""Annotations of shapes and types hold in every test: a call that breaks one fails, whatever the function says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from jaxtyping import TypeCheckError

from bcl_edu.augment import normalise
from bcl_edu.geometry import class_means
from bcl_edu.losses import contrastive_loss
from bcl_edu.methods import build_method
from bcl_edu.models import build_backbone
from bcl_edu.rows.registry import RECIPES

WRONG: dict[str, Callable[[], object]] = {
    "losses": lambda: contrastive_loss(
        torch.zeros(4, 2), torch.zeros(3, dtype=torch.long), averaging="none", complement=False
    ),
    "geometry": lambda: class_means(torch.zeros(4, 2), torch.zeros(3, dtype=torch.long), 2),
    "models": lambda: build_backbone("resnet32", 3)(torch.zeros(3, 32, 32)),
    "augment": lambda: normalise(torch.zeros(2, 3, 4, 4), (0.5,) * 3, (0.5,) * 3),
    "methods": lambda: build_method(RECIPES["digits-lt"][1], torch.ones(2, 2), (1, 8, 8)),
}


@pytest.mark.parametrize("package", WRONG)
def test_a_call_that_breaks_an_annotation_fails(package: str) -> None:
    with pytest.raises(TypeCheckError):
        WRONG[package]()
