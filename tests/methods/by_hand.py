"""A batch and a clock made by hand, for tests of a method without a loop."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bcl_edu.methods import Batch, Clock, Gather, Method, build_method
from bcl_edu.recipe import Recipe
from bcl_edu.rows import RECIPES

SMALL = RECIPES["digits-lt"][1].change(head_hidden=16, head_dim=8)
COUNTS = torch.tensor([30, 10, 5])


class Given(nn.Module):
    """A layer that answers with these rows, whatever it is asked."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows = rows

    def forward(self, *asked: Tensor) -> Tensor:
        return self.rows


def clock(learning_rate: float = 0.1, epoch: int = 0, epochs: int = 10, step: int = 0) -> Clock:
    """A moment of a run of one stage."""
    return Clock(0, "main", epoch, epochs, step, 5, learning_rate)


def alone(rows: Tensor) -> Tensor:
    """The gather of a single process."""
    return rows


def batch(views: Tensor, labels: Tensor, gather: Gather = alone) -> Batch:
    """The whole of a batch, as one process sees it."""
    return Batch(views, labels, torch.arange(len(labels)), gather)


def random_batch(
    views: int = 3, number: int = 12, seed: int = 3, dtype: torch.dtype = torch.float32
) -> Batch:
    """Uniform noise of the digits' shape, three classes."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(views, number, 1, 8, 8, generator=generator, dtype=dtype)
    return batch(images, torch.randint(3, (number,), generator=generator))


def built(recipe: Recipe = SMALL, seed: int = 0) -> Method:
    """The recipe's method for three classes of digits."""
    torch.manual_seed(seed)
    return build_method(recipe, COUNTS, (1, 8, 8))
