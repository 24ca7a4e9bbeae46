r"""The convex program behind every loss at collapse: log-sum-exp of affine functions of a Gram matrix.

**The mathematics, complete enough to port.** Put every sample of class k at the class mean mu_k, a unit vector, and
its prototype there too. With G = (mu_i . mu_j) and batch counts n, each contrastive loss of the paper becomes

    f(G) = sum_t w_t log( c_t0 + sum_{j != y_t} c_tj exp((G[y_t, j] - 1) / tau) )                            (*)

one term t for each class y_t that has anchors in the batch (in every batch of a distribution of batches):

    ====================  =====================  ========  ==============  ==========================
    loss                  w (mean over anchors)  own c_0   other c_j       class y counts if
    ====================  =====================  ========  ==============  ==========================
    scl                   n_y / sum of counted n  n_y - 1   n_j             n_y >= 2 (it has positives)
    scl-complement        n_y / B                n_y       n_j + 1         n_y >= 1
    scl-averaging         n_y / sum of counted n  1         1 if n_j >= 1   n_y >= 2
    bcl (L1, L2, L3)      n_y / B                1         1               n_y >= 1
    bcl-class-anchors     1 / (classes present)  1         1               n_y >= 1
    ====================  =====================  ========  ==============  ==========================

so a list of (w_t, y_t, log c_t) is all that a solver needs. f is convex in G, which ranges over G >= 0 (positive
semidefinite) with unit diagonal. Its gradient has entries w_t p_tj / tau at (y_t, j), p being the softmax inside
(*); symmetrise it, g = (D + D') / 2. On embeddings V (rows mu_k, G = V V') the gradient is 2 g V, and for any G the
certificate of the module `optimum` bounds f(G) - min f.

**What this module holds** is the same with three generalisations, so that one solver serves all cases.

* *Two kinds of rows.* Cross-entropy (features and classifier rows) and free prototypes have 2K vectors; terms read
  the products of a feature with the rows of the other kind, and the positive part need not be constant.
* *Exchangeable classes.* If the classes of a group (equal counts) can be permuted without changing the problem, some
  optimum is invariant, because f is convex. For a group of m classes write mu_k = u + e_k with u the group's mean; then
  all products between groups are u_a . u_b, those between two classes within a group are |u|^2 - s / (m - 1) and
  |mu_k|^2 = |u|^2 + s, with s = |e_k|^2 >= 0. So P groups need 2P rows whatever K is, and nothing is lost.
* *Norms.* Rows may share a norm: sum_{i in group g} X_ii = 1 (a mean and its spread e; or all classifier rows, when
  their average norm is bounded), with equality or as a bound. Scales are inside the affine map, so the right-hand
  side is always 1.

    f(X) = floor + sum_t w_t [ log( sum_o q_to exp l[a_t, o] + sum_c exp(b_tc + l[a_t, c]) ) - sum_o q_to l[a_t, o] ]

with l = offset + M X. The first columns o are the anchor's own class (its samples and, if free, its prototype): with
the same weights q, summing to 1, in the denominator and as positives, which holds for all these losses. Columns c are
the other classes. Biases are shifted to make it so, and the shift is `floor`: a term vanishes when the own class is at
one point and the others infinitely far. Values near zero keep their relative precision (log1p, expm1), which low
temperatures need: at tau = 0.05 and K = 10 the whole of f is 1e-9.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

if (
    TYPE_CHECKING
):  # at run time scipy is imported where a matrix is made: training measures geometry, but solves nothing
    from scipy import sparse


@dataclass(frozen=True)
class ConvexProgram:
    """Minimise f(X) over X >= 0 with unit sums of the diagonal over groups of rows.

    Shapes: R rows of X, A anchors (the first A rows), T terms, O own columns and C others, O + C logits an anchor.

    Attributes:
        logit_map: M, sparse, shape (A (O + C), R R), from X flattened to logits flattened.
        offset: constant part of the logits, shape (A, O + C).
        anchor: a_t, shape (T,).
        weight: w_t >= 0, shape (T,).
        own_share: q_to, rows summing to 1, shape (T, O).
        bias: b_tc, shape (T, C); -inf where a column takes no part.
        own_total: what the own columns of each term add up to before the shift, shape (T,).
        norm_group: which diagonal sum each row belongs to, 0..groups-1, shape (R,).
        row_scale: what a row of X is multiplied by to be the vector it stands for, shape (R,).
        at_most: whether sums are at most 1 instead of equal to 1.
    """

    logit_map: sparse.csr_array
    offset: Float[np.ndarray, "a m"]
    anchor: Int[np.ndarray, " t"]
    weight: Float[np.ndarray, " t"]
    own_share: Float[np.ndarray, "t o"]
    bias: Float[np.ndarray, "t c"]
    own_total: Float[np.ndarray, " t"]
    norm_group: Int[np.ndarray, " r"]
    row_scale: Float[np.ndarray, " r"]
    at_most: bool

    @property
    def num_rows(self) -> int:
        """R."""
        return len(self.norm_group)

    @cached_property
    def floor(self) -> float:
        """Value of f when each class is at one point and all are infinitely far apart."""
        return float(self.weight @ np.log(self.own_total))

    @cached_property
    def num_groups(self) -> int:
        """Number of fixed diagonal sums."""
        return int(self.norm_group.max()) + 1

    @cached_property
    def adjoint(self) -> sparse.csr_array:
        """M', from gradients with respect to logits to gradients with respect to X."""
        return self.logit_map.T.tocsr()

    @cached_property
    def row_curvature(self) -> sparse.csr_array:
        """From curvatures with respect to logits to a curvature per row of X, shape (R, A C)."""
        entries = self.logit_map.tocoo()
        row, column = np.divmod(entries.col, self.num_rows)
        squared = np.concatenate([entries.data**2, entries.data**2])
        where = (np.concatenate([row, column]), np.concatenate([entries.row, entries.row]))
        from scipy import sparse

        return sparse.csr_array((squared, where), shape=(self.num_rows, self.offset.size))

    @cached_property
    def one_term_an_anchor(self) -> bool:
        """True if term t is that of anchor t, so that nothing needs gathering."""
        return bool(np.array_equal(self.anchor, np.arange(len(self.offset))))

    @cached_property
    def by_anchor(self) -> sparse.csr_array:
        """Sums terms of the same anchor, shape (A, T)."""
        terms = np.arange(len(self.anchor))
        from scipy import sparse

        return sparse.csr_array(
            (np.ones(len(terms)), (self.anchor, terms)), shape=(len(self.offset), len(terms))
        )

    @property
    def scale(self) -> float:
        """Below this, f - floor is not resolved in float64, and gaps count relative to it.

        One own column: nothing cancels. Two (a class and its free prototype): they agree to rounding only.
        """
        return 1e-300 if self.own_share.shape[1] == 1 else 1e-7

    def sum_by_group(self, per_row: Float[np.ndarray, " r"]) -> Float[np.ndarray, " g"]:
        """Sum of a quantity over the rows of each norm group."""
        if self.num_groups == self.num_rows:
            return per_row
        return np.bincount(self.norm_group, per_row, self.num_groups)

    def at(self, gram: Float[np.ndarray, "r r"]) -> Point:
        """Evaluate f and what its derivatives need at X."""
        logits = (self.logit_map @ gram.ravel()).reshape(self.offset.shape) + self.offset
        seen = logits if self.one_term_an_anchor else logits[self.anchor]
        own = self.own_share.shape[1]
        # differences first: at collapse the logits of the own class are equal, and so is what remains of them
        seen = seen - seen[:, :1]
        pulled = (self.own_share * seen[:, :own]).sum(axis=1, keepdims=True)
        among_own, to_others = seen[:, :own] - pulled, seen[:, own:] - pulled + self.bias
        top = np.maximum(to_others.max(axis=1, keepdims=True), 0.0)  # what keeps exp from overflowing
        others = np.exp(to_others - top)
        own_excess = self.own_share * np.expm1(among_own - top)
        excess = own_excess.sum(axis=1, keepdims=True) + others.sum(
            axis=1, keepdims=True
        )  # sum of exp, less 1
        value = self.weight @ (top + np.log1p(excess))[:, 0]
        others /= 1 + excess
        own_pull = (own_excess - self.own_share * excess) / (1 + excess)
        return Point(self, float(value), np.concatenate([own_pull, others], axis=1))


@dataclass(frozen=True)
class Point:
    """f at one X.

    Attributes:
        program: whose f.
        excess: f(X) - floor, to full relative precision.
        pull: derivative of each term with respect to its logits, its softmax less q, shape (T, O + C).
    """

    program: ConvexProgram
    excess: float
    pull: Float[np.ndarray, "t m"]

    @cached_property
    def gradient(self) -> Float[np.ndarray, "r r"]:
        """Symmetric gradient of f, shape (R, R)."""
        return self._to_gram(self.program.weight[:, None] * self.pull)

    @property
    def scale(self) -> float:
        """Scale of a relative gap: f - floor, or the least that float64 resolves."""
        return max(self.excess, self.program.scale)

    @property
    def logarithmic(self) -> float:
        """f - floor, kept above zero so that its logarithm can be minimised instead."""
        return max(self.excess, 0.0) + self.program.scale

    @cached_property
    def share(self) -> Float[np.ndarray, "t m"]:
        """Softmax of each term."""
        own = self.program.own_share
        share = self.pull.copy()
        share[:, : own.shape[1]] += own
        return share

    def hessian_times(self, change: Float[np.ndarray, "r r"]) -> Float[np.ndarray, "r r"]:
        """Directional derivative of the gradient along a symmetric change of X."""
        program = self.program
        logits = (program.logit_map @ change.ravel()).reshape(program.offset.shape)
        seen = logits if program.one_term_an_anchor else logits[program.anchor]
        weighted = self.share * seen
        per_term = weighted - self.share * weighted.sum(axis=1, keepdims=True)
        return self._to_gram(program.weight[:, None] * per_term)

    def curvature(self) -> Float[np.ndarray, " r"]:
        """Sum over its entries of the second derivatives of f, for each row of X: what preconditions a solver."""
        program = self.program
        per_term = program.weight[:, None] * self.share * (1 - self.share)
        return program.row_curvature @ self._to_logits(per_term).ravel()

    def _to_logits(self, per_term: Float[np.ndarray, "t m"]) -> Float[np.ndarray, "a m"]:
        return per_term if self.program.one_term_an_anchor else self.program.by_anchor @ per_term

    def _to_gram(self, per_term: Float[np.ndarray, "t m"]) -> Float[np.ndarray, "r r"]:
        size = self.program.num_rows
        flat = self.program.adjoint @ self._to_logits(per_term).ravel()
        gradient = flat.reshape(size, size)
        return (gradient + gradient.T) / 2


@dataclass(frozen=True)
class Certificate:
    """Certificate of a point X: a bound on how far f(X) is above the minimum.

    Attributes:
        gap: upper bound of f(X) - min f, from weak duality.
        slack: S = g + Diag(lambda), shape (R, R); at an optimum S >= 0 and S X = 0.
        direction: eigenvector of S with the smallest eigenvalue, shape (R,): where X may grow to descend.
    """

    gap: float
    slack: Float[np.ndarray, "r r"]
    direction: Float[np.ndarray, " r"]


def certify(program: ConvexProgram, gram: Float[np.ndarray, "r r"], point: Point) -> Certificate:
    """Bound f(X) - min f by weak duality.

    With g the gradient at X and lambda any multiplier of the diagonal sums (not negative where they are bounds),
    convexity gives f(Y) >= f(X) + <g, Y - X> for all feasible Y, and <g, Y> = <S, Y> - sum(lambda) >= min(0, s)
    groups - sum(lambda), s being the smallest eigenvalue of S = g + Diag(lambda), and the number of groups the
    trace of Y. So

        f(X) - min f <= <g, X> + sum(lambda) + groups * max(0, -s).

    lambda = -(gX)_ii summed over each group makes the first two terms cancel and S X = 0 at a stationary point.
    """
    gradient = point.gradient
    multiplier = -program.sum_by_group((gradient * gram).sum(axis=1))
    if program.at_most:
        multiplier = np.maximum(multiplier, 0.0)
    slack = gradient.copy()
    slack[np.diag_indices_from(slack)] += multiplier[program.norm_group]
    values, vectors = np.linalg.eigh(slack)
    gap = (gradient * gram).sum() + multiplier.sum() + program.num_groups * max(0.0, -values[0])
    return Certificate(max(float(gap), 0.0), slack, vectors[:, 0])
