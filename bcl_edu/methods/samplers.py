"""Samplers: which training images an epoch visits, in which order, as pure functions of a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Int64
from torch import Tensor


@runtime_checkable
class Sampler(Protocol):
    """Chooses an epoch's images."""

    with_replacement: bool
    """True if an image may be drawn several times; its views are then seeded by its place, so that they differ."""

    def draw(
        self, labels: Int64[Tensor, " n"], number: int, generator: torch.Generator
    ) -> Int64[Tensor, " m"]:
        """Indices of the epoch's images in order, shape (number,).

        Args:
            labels: class of each training image, shape (n,), values 0..k-1, every class with at least one image.
            number: how many images the epoch visits.
            generator: the only source of chance.
        """
        ...


@dataclass(frozen=True)
class Shuffled:
    """Every image once, in random order (instance-balanced sampling)."""

    with_replacement = False

    def draw(
        self, labels: Int64[Tensor, " n"], number: int, generator: torch.Generator
    ) -> Int64[Tensor, " m"]:
        """A random permutation; of fewer images than there are, its beginning.

        Raises:
            ValueError: more images are asked for than there are.
        """
        if number > len(labels):
            raise ValueError(
                f"{number} images of {len(labels)} without replacement; use a sampler with replacement"
            )
        return torch.randperm(len(labels), generator=generator)[:number]


@dataclass(frozen=True)
class ByClass:
    """Class k with probability proportional to N_k^(-power), then one of its images uniformly, with replacement.

    Power 0 is class-balanced sampling (cRT, Hybrid-SC), 1 BBN's reversed sampler, -1 instance-balanced sampling.

    Source: Kang et al. (ICLR 2020), section 4.1; Zhou et al., "BBN" (CVPR 2020), section 4.2.
    """

    power: float = 0.0
    with_replacement = True

    def draw(
        self, labels: Int64[Tensor, " n"], number: int, generator: torch.Generator
    ) -> Int64[Tensor, " m"]:
        """Classes are drawn independently of each other, and so are their images."""
        counts = torch.bincount(labels).double()
        weights = torch.where(counts > 0, counts.clamp(min=1) ** (-self.power), 0.0)
        classes = torch.multinomial(weights, number, replacement=True, generator=generator)
        members = torch.argsort(labels, stable=True)  # images class by class
        first = torch.cumsum(counts, 0).long() - counts.long()
        place = torch.rand(number, generator=generator, dtype=torch.float64) * counts[classes]
        return members[first[classes] + place.long().clamp(max=counts.long()[classes] - 1)]


@dataclass(frozen=True)
class ClassAware:
    """Classes in turn, `per_class` images of each at a time, both in cycles that are shuffled anew when they end.

    A class with fewer images than `per_class` repeats them within its turn.

    Source: classifier-balancing's ClassAwareSampler (Kang et al., ICLR 2020), which goes on over epochs; here
    every epoch begins its own cycles, so that it depends on the epoch's seed alone.
    """

    per_class: int = 4
    with_replacement = True

    def draw(
        self, labels: Int64[Tensor, " n"], number: int, generator: torch.Generator
    ) -> Int64[Tensor, " m"]:
        """Groups of `per_class` images of one class; the last group may be cut short."""
        present = labels.unique()
        groups = -(-number // self.per_class)
        classes = _cycles(present, groups, generator)
        chosen = torch.empty(groups, self.per_class, dtype=torch.int64)
        for label in present.tolist():
            turns = (classes == label).nonzero()[:, 0]
            images = (labels == label).nonzero()[:, 0]
            chosen[turns] = _cycles(images, len(turns) * self.per_class, generator).view(-1, self.per_class)
        return chosen.flatten()[:number]


def _cycles(values: Int64[Tensor, " n"], number: int, generator: torch.Generator) -> Int64[Tensor, " m"]:
    """Every value once in random order, and again in another order, until there are `number`."""
    rounds = -(-number // len(values))
    orders = [values[torch.randperm(len(values), generator=generator)] for _ in range(rounds)]
    return torch.cat([*orders, values[:0]])[:number]
