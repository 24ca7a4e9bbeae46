"""What a statement is tried on: random batches, the same ones every time, and optima that are proved to be some."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from bcl_edu import geometry
from bcl_edu.seeds import derive_seed

TEMPERATURES = (0.1, 0.5, 1.0)
ROUNDING = 1e-9
"""Differences below this are those of float64 arithmetic."""


class Batch(NamedTuple):
    """Unit embeddings of a few classes, a unit prototype for each, and a temperature."""

    embeddings: Tensor
    labels: Tensor
    prototypes: Tensor
    temperature: float


def random_batches(name: str, number: int = 150) -> Iterator[Batch]:
    """Two to six classes of two to nine samples; scattered, around their class means, or collapsed onto them."""
    for position in range(number):
        generator = torch.Generator().manual_seed(derive_seed("claims", name, position))
        classes, dimension = (int(torch.randint(2, top, (), generator=generator)) for top in (7, 9))
        labels = torch.arange(classes).repeat_interleave(
            torch.randint(2, 10, (classes,), generator=generator)
        )
        centres, prototypes = (_directions(generator, classes, dimension) for _ in range(2))
        noise = _directions(generator, len(labels), dimension)
        spread = (0.0, 0.3, 3.0)[position % 3]
        yield Batch(
            normalize(centres[labels] + spread * noise, dim=1),
            labels,
            prototypes,
            TEMPERATURES[position // 3 % 3],
        )


def proved_optimum(
    class_counts: Sequence[int] | Tensor, loss: str, temperature: float
) -> geometry.OptimalGeometry:
    """The certified optimum of a loss.

    Raises:
        ArithmeticError: the solver found no certificate, so that nothing is decided.
    """
    optimum = geometry.certified_optimum(class_counts, loss, temperature=temperature)
    if not optimum.certified:
        raise ArithmeticError(f"the optimum of {loss} for {list(class_counts)} samples is not certified")
    return optimum


def _directions(generator: torch.Generator, number: int, dimension: int) -> Tensor:
    return normalize(torch.randn(number, dimension, generator=generator, dtype=torch.float64), dim=1)
