r"""Certified optimal geometry: where the class means end up if a loss is minimised completely.

At collapse every loss of the paper is a convex function of the Gram matrix of the class means (see `convex_program`),
so the best geometry can be computed and, unlike a picture of a training run, proved: weak duality bounds how far the
value found is above the minimum (`convex_program.certify`).

What is fixed and what is free:

* Samples sit at their class mean. For the losses without prototypes no other configuration does better, and with free
  ones none was found (see `collapsed`), so nothing is lost.
* ``prototypes="tied"`` puts each prototype at its class mean, c_y = mu_y: the limit in which the prototype head has
  learned the classes. ``prototypes="free"`` optimises them too. The certificate of a tied optimum says nothing of free
  prototypes, which can go lower: 20, 2 and 2 samples at tau = 1 under BCL, 0.31777 free against 0.31894 tied.
* At collapse with tied prototypes, BCL's three ways to average (L1, L2, L3) are one function, and it does not depend on
  how batches are composed: only on how often each class is an anchor. With free prototypes L3 is cross-entropy on the
  sphere: features and classifier rows of unit length.
* Cross-entropy has features h_k and classifier rows w_k in the unit ball, and logits h . w / tau: norm bounds a and b
  are tau = 1 / (a b), a cosine classifier of scale 30 is tau = 1/30. `average_norms` bounds the mean squared norm over
  classes instead of each norm: the layer-peeled model of Fang et al. (PNAS 2021), in which minority classes merge.

Class counts may be real numbers: 500 * 100 ** (-k / 9) without its floor has no jumps when a slider moves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bcl_edu.geometry.collapse import (
    ClassGroups,
    contrastive_program,
    cross_entropy_program,
    group_classes,
)
from bcl_edu.geometry.compositions import BatchCompositions, full_batch
from bcl_edu.geometry.convex_program import ConvexProgram, certify
from bcl_edu.geometry.measures import SimplexDeviation, simplex_deviation
from bcl_edu.geometry.solver import Solution, minimise
from bcl_edu.losses.named import CrossEntropy, loss_named

Counts = Sequence[float] | np.ndarray | Tensor
Prototypes = Literal["tied", "free"]

WARM_START_BLUR = 1e-4
"""Share of the identity that is mixed into a starting Gram matrix, so that it has full rank."""

RANK_TOLERANCE = 1e-10
"""Eigenvalues of the Gram matrix below this are no dimension of the embedding."""


@dataclass(frozen=True)
class OptimalGeometry:
    """The best collapsed configuration found, and how good it is proved to be. All tensors are float64.

    Attributes:
        loss: name of the loss.
        temperature: tau.
        means: class means mu_k (for cross-entropy: features h_k), shape (K, d), along their principal axes.
        keys: free prototypes c_k or classifier rows w_k, shape (K, d); None where there are none.
        gram: products of the class means, shape (K, K).
        value: the loss.
        lower_bound: no collapsed configuration, in any dimension, has a lower loss.
        relative_gap: value - lower_bound, relative to value less what it is with all classes infinitely far apart.
        certified: whether the relative gap is within the tolerance asked for.
        newton_steps: trust-region steps taken.
    """

    loss: str
    temperature: float
    means: Float[Tensor, "k d"]
    keys: Float[Tensor, "k d"] | None
    gram: Float[Tensor, "k k"]
    value: float
    lower_bound: float
    relative_gap: float
    certified: bool
    newton_steps: int

    @property
    def gap(self) -> float:
        """Upper bound of value minus the minimum."""
        return self.value - self.lower_bound

    @property
    def deviation(self) -> SimplexDeviation:
        """Simplex deviation of the class means."""
        return simplex_deviation(self.means)


def certified_optimum(
    classes: Counts | BatchCompositions,
    loss: str = "bcl",
    *,
    temperature: float = 0.1,
    prototypes: Prototypes = "tied",
    average_norms: bool = False,
    dimension: int | None = None,
    start: Float[Tensor, "k k"] | OptimalGeometry | None = None,
    tolerance: float = 1e-8,
    num_starts: int = 8,
    seed: int = 0,
) -> OptimalGeometry:
    """Minimise a loss over all collapsed configurations, and bound how far from the minimum the answer is.

    Args:
        classes: class counts n_k of the full data, shape (K,), or a distribution of mini-batches
            (`every_batch`, `sampled_batches`). Classes of equal counts are exchangeable: a sample of batches stands for
            all its permutations within such classes.
        loss: one of `LOSSES`.
        temperature: tau > 0.
        prototypes: "tied" to the class means or "free"; for losses with class-complement.
        average_norms: for cross-entropy, bound the mean squared norm instead of every norm.
        dimension: of the embedding space; without it, as many as the optimum needs (at most K - 1 for contrastive
            losses with tied prototypes). Where an optimum needs more than there is, the answer is the best of several
            starts and its gap is that to the optimum in high dimension: it is not certified.
        start: Gram matrix of class means, or an optimum of the same K, to start from; makes neighbours fast.
        tolerance: relative gap to reach.
        num_starts: random starts when `dimension` is too small.
        seed: of those starts.

    Returns:
        The optimum. `certified` says whether the gap was closed; where it is False the answer is the best found.

    Raises:
        ValueError: an argument is out of its range; the message names it.
    """
    compositions = classes if isinstance(classes, BatchCompositions) else full_batch(classes)
    _check_arguments(compositions, temperature, dimension, tolerance)

    initial = _initial_gram(start, compositions.num_classes)
    groups, program = _program(compositions, loss, temperature, prototypes, average_norms)
    if initial is None and prototypes == "free":
        # free prototypes are stiff at low temperature; tied ones are an excellent guess
        tied = _program(compositions, loss, temperature, "tied", average_norms)
        rough = _solve(*tied, _initial_rows(tied[0], None), 1e-6)
        initial = tied[0].to_classes(_gram_of_rows(tied[1], rough.embeddings))
    solution = _solve(groups, program, _initial_rows(groups, initial), tolerance)
    gram = groups.to_classes(_gram_of_rows(program, solution.embeddings))
    lower_bound = solution.point.excess - solution.certificate.gap

    vectors = _principal_coordinates(gram)
    if dimension is not None and vectors.shape[1] > dimension:
        solution, vectors = _best_in_dimension(
            compositions,
            loss,
            temperature,
            prototypes,
            average_norms,
            vectors[:, :dimension],
            num_starts,
            seed,
        )
        gram = vectors @ vectors.T
    if dimension is not None and vectors.shape[1] < dimension:
        vectors = np.pad(vectors, ((0, 0), (0, dimension - vectors.shape[1])))

    relative_gap = (solution.point.excess - lower_bound) / solution.point.scale
    size = compositions.num_classes
    return OptimalGeometry(
        loss=loss,
        temperature=temperature,
        means=torch.from_numpy(vectors[:size].copy()),
        keys=torch.from_numpy(vectors[size:].copy()) if groups.kinds == 2 else None,
        gram=torch.from_numpy(gram[:size, :size].copy()),
        value=program.floor + solution.point.excess,
        lower_bound=program.floor + lower_bound,
        relative_gap=relative_gap,
        certified=relative_gap <= tolerance,
        newton_steps=solution.newton_steps,
    )


def collapsed_loss(
    gram: Float[Tensor, "k k"],
    classes: Counts | BatchCompositions,
    loss: str = "bcl",
    *,
    temperature: float = 0.1,
) -> float:
    """The loss of collapsed classes with tied prototypes, a convex function of their Gram matrix.

    Args:
        gram: products of class means, shape (K, K), with unit diagonal.
        classes: class counts or a distribution of mini-batches, as for `certified_optimum`.
        loss: one of the contrastive `LOSSES`.
        temperature: tau > 0.

    Raises:
        ValueError: the loss is a cross-entropy, or an argument is out of its range.
    """
    terms = collapsed_terms(classes, loss, temperature=temperature)
    return terms.value(gram)


class Optimality(NamedTuple):
    """Value of a loss at a Gram matrix of class means, with a certificate."""

    value: float
    """The loss there."""
    gap: float
    """Upper bound of the value less the minimum over all collapsed configurations, by weak duality."""
    relative_gap: float
    """The gap relative to the value less what it is with all classes infinitely far apart."""


def optimality(
    gram: Float[Tensor, "k k"],
    classes: Counts | BatchCompositions,
    loss: str = "bcl",
    *,
    temperature: float = 0.1,
) -> Optimality:
    """Certify any Gram matrix, whoever found it: its loss, and how far above the minimum that can be.

    Nothing is solved here, so the answer of a solver can be checked for the counts and the loss that were asked for.
    It bounds collapsed configurations with prototypes at the class means (see the module's docstring).

    Args:
        gram: products of class means, shape (K, K), positive semidefinite with unit diagonal (to 1e-6).
        classes: class counts or a distribution of mini-batches, as for `certified_optimum`.
        loss: one of the contrastive `LOSSES`.
        temperature: tau > 0.

    Raises:
        ValueError: the loss is a cross-entropy, or `gram` is not the Gram matrix of K unit vectors.
    """
    compositions = classes if isinstance(classes, BatchCompositions) else full_batch(classes)
    _check_arguments(compositions, temperature, None, 1.0)
    kind = loss_named(loss)
    if isinstance(kind, CrossEntropy):
        raise ValueError(
            f"loss {loss!r} depends on classifier rows too; only contrastive losses are certified"
        )
    matrix = gram.detach().cpu().double().numpy()
    size = compositions.num_classes
    if matrix.shape != (size, size) or not np.allclose(matrix, matrix.T, atol=1e-9):
        raise ValueError(f"gram has shape {matrix.shape}; expected a symmetric ({size}, {size}) matrix")
    smallest, diagonal = np.linalg.eigvalsh(matrix)[0], np.abs(np.diagonal(matrix) - 1).max()
    if not (smallest >= -1e-6 and diagonal <= 1e-6):
        raise ValueError(
            f"gram has the smallest eigenvalue {smallest:.3g} and a diagonal up to {diagonal:.3g} from 1; "
            "expected the products of unit vectors"
        )
    groups = group_classes(compositions.class_counts, 1, separate=True)
    program = contrastive_program(kind, compositions, temperature, groups)
    point = program.at(matrix)
    gap = certify(program, matrix, point).gap
    return Optimality(program.floor + point.excess, gap, gap / point.scale)


@dataclass(frozen=True)
class Terms:
    """A loss at collapse as a list: f(G) = sum_t w_t log(own_t + sum_j c_tj exp((G[y_t, j] - 1) / tau)).

    All that a solver in another language needs; see `convex_program` for gradient and certificate.

    Attributes:
        weight: w_t, shape (T,).
        anchor: y_t, shape (T,).
        own: own_t > 0, shape (T,).
        others: c_tj >= 0, with 0 at j = y_t, shape (T, K).
        temperature: tau.
    """

    weight: Float[np.ndarray, " t"]
    anchor: np.ndarray
    own: Float[np.ndarray, " t"]
    others: Float[np.ndarray, "t k"]
    temperature: float

    def value(self, gram: Float[Tensor, "k k"]) -> float:
        """F(G)."""
        cosines = np.asarray(gram, dtype=np.float64)[self.anchor]
        repulsion = (self.others * np.exp((cosines - 1) / self.temperature)).sum(axis=1)
        return float(self.weight @ (np.log(self.own) + np.log1p(repulsion / self.own)))


def collapsed_terms(
    classes: Counts | BatchCompositions, loss: str = "bcl", *, temperature: float = 0.1
) -> Terms:
    """The list of terms of a contrastive loss at collapse, with tied prototypes.

    Raises:
        ValueError: the loss is a cross-entropy, or an argument is out of its range.
    """
    compositions = classes if isinstance(classes, BatchCompositions) else full_batch(classes)
    _check_arguments(compositions, temperature, None, 1.0)
    kind = loss_named(loss)
    if isinstance(kind, CrossEntropy):
        raise ValueError(
            f"loss {loss!r} depends on classifier rows too; only contrastive losses are lists of terms"
        )
    groups = group_classes(compositions.class_counts, 1, separate=True)
    program = contrastive_program(kind, compositions, temperature, groups)
    others = np.exp(program.bias) * program.own_total[:, None]
    return Terms(program.weight, program.anchor, program.own_total, others, temperature)


def _program(
    compositions: BatchCompositions,
    loss: str,
    temperature: float,
    prototypes: Prototypes,
    average_norms: bool,
    *,
    separate: bool = False,
) -> tuple[ClassGroups, ConvexProgram]:
    kind = loss_named(loss)
    if isinstance(kind, CrossEntropy):
        if prototypes == "free":
            raise ValueError(f"loss {loss!r} has no prototypes; its classifier rows are always free")
        groups = group_classes(compositions.class_counts, 2, separate=separate)
        return groups, cross_entropy_program(
            kind, compositions, temperature, groups, average_norms=average_norms
        )
    if average_norms:
        raise ValueError(f"average_norms is for cross-entropy; the embeddings of {loss!r} are on the sphere")
    groups = group_classes(compositions.class_counts, 1 if prototypes == "tied" else 2, separate=separate)
    return groups, contrastive_program(kind, compositions, temperature, groups)


def _initial_gram(
    start: Float[Tensor, "k k"] | OptimalGeometry | None, num_classes: int
) -> Float[np.ndarray, "n n"] | None:
    """Gram matrix to start from, of the class means alone or of means and keys."""
    if start is None:
        return None
    if isinstance(start, OptimalGeometry):
        vectors = start.means if start.keys is None else torch.cat([start.means, start.keys])
        start = vectors @ vectors.T
    gram = start.detach().cpu().double().numpy()
    if gram.shape not in ((num_classes, num_classes), (2 * num_classes, 2 * num_classes)):
        raise ValueError(f"start has shape {gram.shape}; expected ({num_classes}, {num_classes})")
    if not np.isfinite(gram).all():
        raise ValueError("start is not finite; expected the Gram matrix of class means")
    return gram


def _initial_rows(groups: ClassGroups, gram: Float[np.ndarray, "n n"] | None) -> Float[np.ndarray, "r r"]:
    """Embeddings of the rows to start from: the given Gram matrix, a little blurred, or all means orthogonal."""
    size = len(groups.of_class)
    orthogonal = np.eye(size)
    if gram is None:
        blurred = np.tile(orthogonal, (groups.kinds, groups.kinds))
    else:
        wanted = size * groups.kinds
        if len(gram) < wanted:
            gram = np.tile(gram, (2, 2))
        gram = gram[:wanted, :wanted]
        blurred = (1 - WARM_START_BLUR) * gram + WARM_START_BLUR * np.eye(wanted)
    values, vectors = np.linalg.eigh(groups.to_rows(blurred))
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _solve(
    groups: ClassGroups, program: ConvexProgram, start: Float[np.ndarray, "r d"], tolerance: float
) -> Solution:
    return minimise(program, start / program.row_scale[:, None], tolerance=tolerance)


def _gram_of_rows(program: ConvexProgram, rows: Float[np.ndarray, "r d"]) -> Float[np.ndarray, "r r"]:
    vectors = program.row_scale[:, None] * rows
    return vectors @ vectors.T


def _principal_coordinates(gram: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n d"]:
    """Vectors with that Gram matrix, along their principal axes, each axis turned to point at its largest entry."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > RANK_TOLERANCE * max(1.0, values[-1])
    coordinates = (vectors[:, kept] * np.sqrt(values[kept]))[:, ::-1]
    largest = np.abs(coordinates).argmax(axis=0)
    return coordinates * np.sign(coordinates[largest, np.arange(coordinates.shape[1])])


def _best_in_dimension(
    compositions: BatchCompositions,
    loss: str,
    temperature: float,
    prototypes: Prototypes,
    average_norms: bool,
    projected: Float[np.ndarray, "n d"],
    num_starts: int,
    seed: int,
) -> tuple[Solution, Float[np.ndarray, "n d"]]:
    """Best local minimum in too few dimensions, where exchangeable classes need not sit symmetrically."""
    _, program = _program(compositions, loss, temperature, prototypes, average_norms, separate=True)
    generator = np.random.default_rng(seed)
    noise = 1e-3 * generator.standard_normal(projected.shape)
    starts = [projected + noise] + [generator.standard_normal(projected.shape) for _ in range(num_starts)]
    solutions = [minimise(program, start, tolerance=1e-8) for start in starts]
    best = min(solutions, key=lambda solution: solution.point.excess)
    vectors = program.row_scale[:, None] * best.embeddings
    # turn to principal axes: the same Gram matrix, easier to look at
    _, _, axes = np.linalg.svd(vectors, full_matrices=False)
    return best, vectors @ axes.T


def _check_arguments(
    compositions: BatchCompositions, temperature: float, dimension: int | None, tolerance: float
) -> None:
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(
            f"temperature is {temperature}; expected a finite number above 0 (the paper uses 0.1)"
        )
    if dimension is not None and dimension < 1:
        raise ValueError(f"dimension is {dimension}; expected at least 1")
    if not tolerance > 0:
        raise ValueError(f"tolerance is {tolerance}; expected above 0 (1e-8 is the default)")
    if (compositions.counts.sum(axis=1) <= 0).any():
        raise ValueError("a batch composition has no samples; leave empty batches out")
