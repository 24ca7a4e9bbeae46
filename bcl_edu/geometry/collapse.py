"""From a loss and a distribution of batches to the convex program that its collapsed classes minimise.

Why collapse costs nothing for losses without prototypes. Let G hold the products of all samples.

1. *Symmetrise.* Permuting samples within their classes changes no loss, and each loss is convex in G. So averaging G
   over these permutations does not raise it. Then all products within class y are one number a_y, and all between
   classes y and j are one number b_yj. (Jensen's inequality on the loss, not on its denominators.)
2. *Pull together.* Raise each a_y to 1 and leave the b_yj. G stays positive semidefinite: among class means only the
   diagonal grows, and differences within a class vanish. Each loss falls, since it depends on a_y through b_yj - a_y
   alone.

So the optimum found here is the optimum over *all* configurations.

With *free prototypes* step 2 is no proof, since a prototype far from its class resists, and nothing here proves
collapse. It was optimal in each of 160 random programs that left it open, and a certificate of a free optimum is one
among collapsed configurations. L3 is the exception: its samples meet only the prototypes, so all samples of a class
minimise one and the same function, and collapse is optimal with free prototypes too.
With prototypes tied to their class means, c_y = mu_y, the optimum found is that among tied configurations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from bcl_edu.geometry.compositions import BatchCompositions
from bcl_edu.geometry.convex_program import ConvexProgram
from bcl_edu.losses import Contrastive
from bcl_edu.losses.named import CrossEntropy

if TYPE_CHECKING:
    from scipy import sparse


@dataclass(frozen=True)
class ClassGroups:
    """Classes that can be exchanged, and the rows that stand for them.

    Rows of X, for one kind of vectors (class means) or two (then prototypes or classifier rows): the mean of each
    group, kind after kind; then the spread of each group of more than one class, kind after kind.

    Attributes:
        of_class: group of each class, 0..P-1, shape (K,).
        kinds: 1 or 2.
    """

    of_class: Int[np.ndarray, " k"]
    kinds: int

    @cached_property
    def sizes(self) -> Int[np.ndarray, " p"]:
        """Classes in each group."""
        return np.bincount(self.of_class)

    @cached_property
    def several(self) -> Int[np.ndarray, " q"]:
        """Groups of more than one class."""
        return np.flatnonzero(self.sizes > 1)

    @property
    def number(self) -> int:
        """P."""
        return len(self.sizes)

    @property
    def num_rows(self) -> int:
        """R."""
        return self.kinds * (self.number + len(self.several))

    def mean_row(self, kind: int, group: Int[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
        """Row of a group's mean."""
        return kind * self.number + group

    def spread_row(self, kind: int, which: Int[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
        """Row of the spread of the which-th group of several classes."""
        return self.kinds * self.number + kind * len(self.several) + which

    def to_rows(self, gram: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "r r"]:
        """X of a Gram matrix of all vectors (kind after kind), averaged over permutations within groups."""
        size, count = len(self.of_class), self.number
        average = np.zeros((count, size))
        average[self.of_class, np.arange(size)] = 1 / self.sizes[self.of_class]
        rows = np.zeros((self.num_rows, self.num_rows))
        which = np.arange(len(self.several))
        for a in range(self.kinds):
            for b in range(self.kinds):
                block = gram[a * size : (a + 1) * size, b * size : (b + 1) * size]
                mean = average @ block @ average.T
                rows[a * count : (a + 1) * count, b * count : (b + 1) * count] = mean
                spread = (average @ np.diagonal(block) - np.diagonal(mean))[self.several]
                rows[self.spread_row(a, which), self.spread_row(b, which)] = spread
        return rows

    def to_classes(self, rows: Float[np.ndarray, "r r"]) -> Float[np.ndarray, "n n"]:
        """Gram matrix of all vectors (kind after kind) that X stands for."""
        size, count = len(self.of_class), self.number
        gram = np.zeros((self.kinds * size, self.kinds * size))
        same = self.of_class[:, None] == self.of_class[None, :]
        itself = np.eye(size, dtype=bool)
        which = np.arange(len(self.several))
        for a in range(self.kinds):
            for b in range(self.kinds):
                mean = rows[a * count : (a + 1) * count, b * count : (b + 1) * count]
                spread = np.zeros(count)
                spread[self.several] = rows[self.spread_row(a, which), self.spread_row(b, which)]
                block = mean[self.of_class[:, None], self.of_class[None, :]]
                spread = np.broadcast_to(spread[self.of_class][:, None], block.shape)
                others = np.maximum(self.sizes - 1, 1)[self.of_class][:, None]
                block = block + np.where(itself, spread, 0) - np.where(same & ~itself, spread / others, 0)
                gram[a * size : (a + 1) * size, b * size : (b + 1) * size] = block
        return gram


def group_classes(
    class_counts: Float[np.ndarray, " k"], kinds: int, *, separate: bool = False
) -> ClassGroups:
    """Group classes of equal counts; or keep every class by itself (where symmetry must be free to break)."""
    if separate:
        return ClassGroups(np.arange(len(class_counts)), kinds)
    # in order of first appearance, so that head to tail stays head to tail
    _, first, inverse = np.unique(class_counts, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return ClassGroups(rank[inverse], kinds)


def contrastive_program(
    loss: Contrastive,
    compositions: BatchCompositions,
    temperature: float,
    groups: ClassGroups,
) -> ConvexProgram:
    """The program of a contrastive loss; two kinds of rows in `groups` mean free prototypes.

    Each anchor's logits are: its own class (constant 1/tau) and, if free, its own prototype; then the class means
    of each group and, if free, the prototypes of each group. L3 with free prototypes has prototypes only.

    Raises:
        ValueError: free prototypes with a loss that has none, or that averages inside the exponential (at collapse
            with c_y = mu_y it equals averaging outside), or with less than one sample of a class where samples are
            positives; or no class has an anchor.
    """
    free, only_prototypes = groups.kinds == 2, loss.averaging == "prototypes"
    if free and not loss.needs_prototypes:
        raise ValueError("free prototypes need a loss with class-complement; this one has no prototypes")
    if free and loss.averaging == "inside":
        raise ValueError(
            f"free prototypes are not supported with the average inside the exponential ({loss.averaging!r}); "
            "tie them to the class means"
        )

    n, complement = compositions.counts, float(loss.needs_prototypes)
    if free and not only_prototypes and ((n > 0) & (n < 1)).any():
        raise ValueError(
            f"a class has {n[(n > 0) & (n < 1)][0]:.3g} samples; with free prototypes an anchor needs at least itself, "
            "1 sample (scale the counts up)"
        )
    counted = n > 0 if complement else n > 1  # an anchor needs a positive
    weight = np.where(counted, n, 0.0)
    if loss.class_balanced_anchors:
        weight = counted.astype(float)
    weight = weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-300)
    batch, y = np.nonzero(counted)
    if len(y) == 0:
        raise ValueError("no class ever has two samples in a batch, so no anchor has a positive")
    seen = n[batch]  # counts of the batch, one row a term, shape (T, K)
    of_samples, of_prototypes = _coefficients(loss, seen)
    own_seen = n[batch, y]
    own_samples, own_prototypes = _own_coefficients(loss, own_seen)

    others = [_sum_over_groups(of_samples, y, groups)]
    if free and only_prototypes:
        others, own = [_sum_over_groups(of_prototypes, y, groups)], own_prototypes[:, None]
    elif free:
        others.append(_sum_over_groups(of_prototypes, y, groups))
        own = np.column_stack([own_samples, own_prototypes])
    else:
        others[0] = others[0] + complement * _sum_over_groups(of_prototypes, y, groups)
        own = (own_samples + complement * own_prototypes)[:, None]

    logits = _LogitMap(groups, own.shape[1] + sum(part.shape[1] for part in others), 1 / temperature)
    if free and only_prototypes:
        logits.own_class(column=0, kind=1)
        logits.other_classes(first_column=1, kind=1)
    else:
        logits.constant(column=0, value=1.0)
        logits.other_classes(first_column=own.shape[1], kind=0)
        if free:
            logits.own_class(column=1, kind=1)
            logits.other_classes(first_column=2 + groups.number, kind=1)
    return _assemble(
        logits,
        groups.of_class[y],
        compositions.probabilities[batch] * weight[batch, y],
        own,
        np.concatenate(others, axis=1),
        _norm_groups(groups, average_of=()),
        at_most=False,
    )


def cross_entropy_program(
    loss: CrossEntropy,
    compositions: BatchCompositions,
    temperature: float,
    groups: ClassGroups,
    *,
    average_norms: bool,
) -> ConvexProgram:
    """The program of cross-entropy over features and classifier rows of norm at most 1, jointly.

    Logits are h . w / tau: bounds a and b of the two norms are tau = 1 / (a b).

    A class weighs as much as its share of the samples; which batches they come in does not matter at collapse. The
    compensation log P_k is that of the training set.
    """
    frequency = compositions.class_counts / compositions.class_counts.sum()
    n = compositions.counts
    weight = compositions.probabilities @ (n / n.sum(axis=1, keepdims=True))
    y = np.arange(len(frequency))
    prior = frequency if loss.compensated else np.ones_like(frequency)
    # the positive logit is compensated too: only ratios P_j / P_y remain
    others = _sum_over_groups(prior[None, :] / prior[:, None], y, groups)

    logits = _LogitMap(groups, 1 + groups.number, 1 / temperature)
    logits.own_class(column=0, kind=1)
    logits.other_classes(first_column=1, kind=1)
    return _assemble(
        logits,
        groups.of_class[y],
        weight,
        np.ones((len(y), 1)),
        others,
        _norm_groups(groups, average_of=(0, 1) if average_norms else ()),
        at_most=True,
    )


def _coefficients(
    loss: Contrastive, n: Float[np.ndarray, "t k"]
) -> tuple[Float[np.ndarray, "t k"], Float[np.ndarray, "t k"]]:
    """Factors of exp(logit) of another class in the denominator: of its samples', and of its prototype's."""
    if loss.averaging == "none":
        return n, np.ones_like(n)
    if loss.averaging == "prototypes":
        return np.zeros_like(n), np.ones_like(n)
    members = n + 1 if loss.complement else np.maximum(n, 1e-300)
    return n / members, 1 / (n + 1)


def _own_coefficients(
    loss: Contrastive, n: Float[np.ndarray, " t"]
) -> tuple[Float[np.ndarray, " t"], Float[np.ndarray, " t"]]:
    """The same for the anchor's own class, of which the anchor itself does not count."""
    if loss.averaging == "none":
        return n - 1, np.ones_like(n)
    if loss.averaging == "prototypes":
        return np.zeros_like(n), np.ones_like(n)
    if loss.complement:
        return (n - 1) / n, 1 / n
    return np.ones_like(n), np.zeros_like(n)


def _sum_over_groups(
    per_class: Float[np.ndarray, "t k"], y: Int[np.ndarray, " t"], groups: ClassGroups
) -> Float[np.ndarray, "t p"]:
    """Coefficients summed over each group, without the anchor's own class."""
    member = np.zeros((len(groups.of_class), groups.number))
    member[np.arange(len(groups.of_class)), groups.of_class] = 1
    total = per_class @ member
    terms = np.arange(len(y))
    own_group = groups.of_class[y]
    alone = groups.sizes[own_group] == 1
    rest = np.where(alone, 0.0, np.maximum(total[terms, own_group] - per_class[terms, y], 0.0))
    total[terms, own_group] = rest
    return total


class _LogitMap:
    """Collects the affine map from X to the logits of every anchor group."""

    def __init__(self, groups: ClassGroups, columns: int, scale: float) -> None:
        self.groups, self.columns, self.scale = groups, columns, scale
        self.offset = np.zeros((groups.number, columns))
        self._entries: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def constant(self, column: int, value: float) -> None:
        """A logit that does not depend on X."""
        self.offset[:, column] = value * self.scale

    def own_class(self, column: int, kind: int) -> None:
        """The anchor's class mean times its own vector of another kind: u_a . v_a + spread."""
        groups = self.groups
        anchor, which = np.arange(groups.number), np.arange(len(groups.several))
        self._add(anchor, column, groups.mean_row(0, anchor), groups.mean_row(kind, anchor), 1.0)
        self._add(groups.several, column, groups.spread_row(0, which), groups.spread_row(kind, which), 1.0)

    def other_classes(self, first_column: int, kind: int) -> None:
        """The anchor's class mean times the vector of a class of each group, its own class excepted."""
        groups = self.groups
        anchor, group = np.divmod(np.arange(groups.number**2), groups.number)
        used = (anchor != group) | (groups.sizes[group] > 1)
        anchor, group = anchor[used], group[used]
        self._add(anchor, first_column + group, groups.mean_row(0, anchor), groups.mean_row(kind, group), 1.0)
        which = np.arange(len(groups.several))
        own = groups.several
        share = -1 / (groups.sizes[own] - 1)
        self._add(own, first_column + own, groups.spread_row(0, which), groups.spread_row(kind, which), share)

    def _add(
        self,
        anchor: np.ndarray,
        column: np.ndarray | int,
        row: np.ndarray,
        other_row: np.ndarray,
        coefficient: np.ndarray | float,
    ) -> None:
        where = anchor * self.columns + column
        entry = row * self.groups.num_rows + other_row
        self._entries.append((where, entry, np.broadcast_to(coefficient * self.scale, where.shape)))

    def matrix(self, row_scale: Float[np.ndarray, " r"]) -> sparse.csr_array:
        """M, for rows that are multiplied by `row_scale` before their products are taken."""
        where, entry, value = (np.concatenate(parts) for parts in zip(*self._entries, strict=True))
        from scipy import sparse  # see convex_program.py

        row, other = np.divmod(entry, self.groups.num_rows)
        shape = (self.offset.size, self.groups.num_rows**2)
        return sparse.csr_array((value * row_scale[row] * row_scale[other], (where, entry)), shape=shape)


@dataclass(frozen=True)
class _Norms:
    group: Int[np.ndarray, " r"]
    row_scale: Float[np.ndarray, " r"]


def _norm_groups(groups: ClassGroups, average_of: tuple[int, ...]) -> _Norms:
    """Rows that share a norm: mean and spread of a group; or all of a kind, weighted by their classes."""
    group = np.zeros(groups.num_rows, dtype=np.int64)
    scale = np.ones(groups.num_rows)
    which, every = np.arange(len(groups.several)), np.arange(groups.number)
    following = 0
    for kind in range(groups.kinds):
        means, spreads = groups.mean_row(kind, every), groups.spread_row(kind, which)
        if kind in average_of:
            group[means] = group[spreads] = following
            following += 1
            # sum_a m_a |u_a|^2 / K = 1 becomes a plain sum of squares of sqrt(m_a / K) u_a
            per_class = np.sqrt(len(groups.of_class) / groups.sizes)
            scale[means], scale[spreads] = per_class, per_class[groups.several]
        else:
            group[means] = following + every
            group[spreads] = following + groups.several
            following += groups.number
    return _Norms(group, scale)


def _assemble(
    logits: _LogitMap,
    anchor: Int[np.ndarray, " t"],
    weight: Float[np.ndarray, " t"],
    own: Float[np.ndarray, "t o"],
    others: Float[np.ndarray, "t c"],
    norms: _Norms,
    *,
    at_most: bool,
) -> ConvexProgram:
    # terms that are the same function become one; the order of anchors stays
    key = np.column_stack([anchor, own, others])
    _, first, inverse = np.unique(key, axis=0, return_index=True, return_inverse=True)
    weight = np.bincount(inverse.ravel(), weight)
    anchor, own, others = anchor[first], own[first], others[first]

    own_total = own.sum(axis=1)
    with np.errstate(divide="ignore"):  # a class that takes no part has coefficient 0 and bias -inf
        bias = np.log(others) - np.log(own_total)[:, None]
    return ConvexProgram(
        logit_map=logits.matrix(norms.row_scale),
        offset=logits.offset,
        anchor=anchor,
        weight=weight,
        own_share=own / own_total[:, None],
        bias=bias,
        own_total=own_total,
        norm_group=norms.group,
        row_scale=norms.row_scale,
        at_most=at_most,
    )
