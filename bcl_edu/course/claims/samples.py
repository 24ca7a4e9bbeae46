"""Cases for statements: seeded random batches, and optima whose certificates are recomputed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from bcl_edu import geometry
from bcl_edu.augment.draws import derive_seed

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


RELATIVE_GAP = 1e-6
"""Largest certified gap of what counts as an optimum, relative to its loss (see `geometry.optimality`)."""


def proved_optimum(
    class_counts: Sequence[int] | Tensor, loss: str, temperature: float
) -> geometry.OptimalGeometry:
    """The optimum of a loss, certified here once more.

    The solver's word is not taken: value and gap are recomputed from the Gram matrix that it returned, for the class
    counts that were asked for. A solver that returns the optimum of another problem is refused.

    Raises:
        ArithmeticError: the Gram matrix is not optimal for these counts, or its loss is not the one reported.
    """
    optimum = geometry.certified_optimum(class_counts, loss, temperature=temperature)
    found = geometry.optimality(optimum.gram, class_counts, loss, temperature=temperature)
    problem = f"{loss}, {[int(n) for n in class_counts]} samples, τ = {temperature}"
    if not found.relative_gap <= RELATIVE_GAP:
        raise ArithmeticError(
            f"not an optimum of {problem}: its loss may be {found.gap:.3g} above the minimum"
        )
    if not math.isclose(found.value, optimum.value, rel_tol=1e-6, abs_tol=1e-12):
        raise ArithmeticError(
            f"the solver reports {optimum.value:.6g} for {problem}, but its answer has {found.value:.6g}"
        )
    return optimum


def _directions(generator: torch.Generator, number: int, dimension: int) -> Tensor:
    return normalize(torch.randn(number, dimension, generator=generator, dtype=torch.float64), dim=1)
