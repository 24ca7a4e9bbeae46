"""A momentum encoder's two parts: a copy that follows slowly, and a queue of what it made.

Source: He et al., "Momentum Contrast" (CVPR 2020), section 3.2 and Algorithm 1.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor, nn
from torch.nn import functional

M = TypeVar("M", bound=nn.Module)


def key_copy(module: M) -> M:
    """A copy of a module that no gradient reaches."""
    return copy.deepcopy(module).requires_grad_(False)


@torch.no_grad()
def follow(key: nn.Module, query: nn.Module, momentum: float) -> None:
    """Move the key module's parameters towards the query module's: k <- m k + (1 - m) q; buffers stay."""
    for own, leading in zip(key.parameters(), query.parameters(), strict=True):
        own.lerp_(leading.to(own.dtype), 1 - momentum)


class LabelledQueue(nn.Module):
    """The most recent keys with their labels, first in, first out; begins with random unit vectors.

    Args:
        size: how many keys it holds.
        dim: dimension of a key.
        num_classes: the first keys get random labels below it; None gives them the label -1, of no class.

    Attributes:
        keys: shape (size, dim).
        labels: shape (size,).
        next: where the next key goes.
    """

    keys: Tensor
    labels: Tensor
    next: Tensor

    def __init__(self, size: int, dim: int, num_classes: int | None = None) -> None:
        super().__init__()
        self.register_buffer("keys", functional.normalize(torch.randn(size, dim), dim=1))
        labels = torch.full((size,), -1) if num_classes is None else torch.randint(num_classes, (size,))
        self.register_buffer("labels", labels)
        self.register_buffer("next", torch.tensor(0))

    @torch.no_grad()
    def put(self, keys: Float[Tensor, "n dim"], labels: Int[Tensor, " n"]) -> None:
        """Replace the oldest keys."""
        places: Int64[Tensor, " n"] = (self.next + torch.arange(len(keys), device=keys.device)) % len(
            self.keys
        )
        self.keys[places] = keys.to(self.keys.dtype)
        self.labels[places] = labels
        self.next.copy_((self.next + len(keys)) % len(self.keys))


def require_whole_batches(queue_size: int, batch_size: int) -> None:
    """Refuse a queue that is no multiple of the batch: one batch of keys is to replace another.

    Raises:
        ValueError: with the nearest size that fits.
    """
    if queue_size % batch_size:
        fitting = max(1, round(queue_size / batch_size)) * batch_size
        raise ValueError(
            f"queue_size is {queue_size}, but must be a multiple of the batch size {batch_size}; "
            f"use --queue-size {fitting}"
        )
