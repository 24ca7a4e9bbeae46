"""What a row of the tables trains: methods behind one small protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxtyping import Int
from torch import Tensor

from bcl_edu.methods.objectives import OBJECTIVES, LossName, Objective
from bcl_edu.methods.protocol import Gather, Method
from bcl_edu.methods.two_branch import TwoBranchMethod

if TYPE_CHECKING:
    from bcl_edu.recipe import Recipe

__all__ = ["OBJECTIVES", "Gather", "LossName", "Method", "Objective", "build_method"]


def build_method(
    recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
) -> Method:
    """The method that a recipe names, with freshly initialised weights (torch's global generator)."""
    return TwoBranchMethod(recipe, class_counts, image_shape)
