r"""Trust-region Newton method on embeddings: minimises a `ConvexProgram` and stops on its certificate.

X = V V' with as many columns as rows, so every positive semidefinite X is reachable and no local minimum is bad: a
stationary V with S >= 0 is a global optimum, and where S has a negative eigenvalue its eigenvector leads down.
The norms make the set of V a product of spheres. Each step solves the Newton model by truncated conjugate gradients
(Steihaug) within a trust region.

Three measures make it fast under long tails and at any temperature. The preconditioner divides each row by the
curvature of f in its entries: tail rows feel 1/IF^2 of the force of head rows, and without it conjugate gradients need
50 times the steps. What is minimised is f over its floor, to full relative precision, since at low temperatures all of
it may be 1e-20. And it is minimised as a logarithm, whose Newton steps do not crawl down an exponential one unit of the
exponent at a time: with e = f - floor, e log(e / e_0) has at e_0 the same gradient, and a Hessian less
gradient gradient' / e_0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bcl_edu.geometry.convex_program import Certificate, ConvexProgram, Point, certify

FIRST_SLACK = 1e-3
"""Share of a bounded squared norm that is left unused at the start: norms are bounds, most are attained."""


MOST_PRODUCTS = 50
"""Hessian products of one step. Flat valleys (classes about to merge) would take thousands for little: the next step
continues from a better point."""


@dataclass(frozen=True)
class Solution:
    """The solver's last point, with its certificate and the work it took.

    Attributes:
        embeddings: V without the columns of slack norms, shape (R, columns).
        point: f there.
        certificate: how far above the minimum it can be.
        newton_steps: trust-region steps taken.
        products: Hessian products taken, the unit of work.
    """

    embeddings: Float[np.ndarray, "r d"]
    point: Point
    certificate: Certificate
    newton_steps: int
    products: int

    @property
    def relative_gap(self) -> float:
        """Certified gap over f - floor."""
        return self.certificate.gap / self.point.scale


def minimise(
    program: ConvexProgram,
    start: Float[np.ndarray, "r d"],
    *,
    tolerance: float,
    max_steps: int = 500,
) -> Solution:
    """Minimise over V of the shape of `start`, until the certified gap is `tolerance` times f - floor.

    Args:
        program: what to minimise.
        start: V to start from; its rows need not be normalised.
        tolerance: on the relative gap.
        max_steps: trust-region steps at most, over all escapes.

    Returns:
        The best V found. With fewer columns than an optimum has rank the gap does not close; the solution is then
        only a local minimum.
    """
    search = _Search(program, start)
    decrease = tolerance  # of the squared Newton decrement, relative to f - floor
    escapes = 0
    while True:
        search.descend(decrease, max_steps)
        solution = search.solution()
        if solution.relative_gap <= tolerance:
            # One step more: the gap is closed to first order, the step squares what is left of the error. It empties
            # the dimensions that an optimum does not use, which callers count.
            search.descend(0.0, search.steps + 1)
            polished = search.solution()
            return polished if polished.relative_gap <= tolerance else solution
        if search.steps >= max_steps:
            return solution
        stationary = search.stalled or decrease < 1e-24
        if not stationary:
            decrease *= 1e-4
        elif escapes < 5 and search.escape(solution.certificate.direction):
            escapes += 1
        else:
            return solution


class _Search:
    """A point on the product of spheres, with what a step needs."""

    def __init__(self, program: ConvexProgram, start: Float[np.ndarray, "r d"]) -> None:
        self.program = program
        self.columns = start.shape[1]
        if program.at_most:
            # what a norm falls short of its bound is one more column, private to the group's first row
            _, first = np.unique(program.norm_group, return_index=True)
            self.slack = np.zeros(program.num_rows)
            self.slack[first] = 1.0
            norms = np.sqrt(program.sum_by_group((start**2).sum(axis=1)))
            start = math.sqrt(1 - FIRST_SLACK) * start / norms[program.norm_group][:, None]
            start = np.column_stack([start, math.sqrt(FIRST_SLACK) * self.slack])
        self.v = self.retract(start)
        self.point = program.at(self.gram(self.v))
        self.radius = 0.0
        self.steps = self.products = 0
        self.stalled = False

    def gram(self, v: np.ndarray) -> np.ndarray:
        main = v[:, : self.columns]
        return main @ main.T

    def over_group(self, per_row: np.ndarray) -> np.ndarray:
        """Sum over the rows of the same norm group, as a column that multiplies rows."""
        program = self.program
        if program.num_groups == program.num_rows:
            return per_row[:, None]
        return program.sum_by_group(per_row)[program.norm_group][:, None]

    def retract(self, v: np.ndarray) -> np.ndarray:
        return v / np.sqrt(self.over_group((v * v).sum(axis=1)))

    def gram_gradient_times(self, gradient: np.ndarray, v: np.ndarray) -> np.ndarray:
        """2 g V, with nothing in the columns of slack norms."""
        result = 2 * gradient @ v[:, : self.columns]
        if self.program.at_most:
            result = np.column_stack([result, np.zeros(len(v))])
        return result

    def tangent(self, direction: np.ndarray) -> np.ndarray:
        return direction - self.over_group((direction * self.v).sum(axis=1)) * self.v

    def descend(self, decrease: float, max_steps: int) -> None:
        """Newton steps until the squared Newton decrement is below `decrease` (f - floor), or nothing helps."""
        self.stalled = False
        rejected = 0
        best = math.inf
        since_best = 0
        while self.steps < max_steps:
            gradient = self.gram_gradient_times(self.point.gradient, self.v)
            radial = self.over_group((gradient * self.v).sum(axis=1))
            residual = gradient - radial * self.v
            metric = self.metric(radial)
            decrement = max(self.dot(residual, self.precondition(residual, metric)), 0.0)
            since_best = 0 if decrement < 0.5 * best else since_best + 1
            best = min(best, decrement)
            if decrement <= decrease * self.point.scale:
                return
            if rejected >= 8 or (since_best >= 25 and decrement < 1e-12 * self.point.scale):
                self.stalled = True
                return
            rejected = 0 if self.step(residual, radial, metric, decrement) else rejected + 1
        self.stalled = True

    def metric(self, radial: np.ndarray) -> np.ndarray:
        curvature = self.point.curvature() + np.abs(radial[:, 0])
        return np.maximum(curvature, 1e-8 * curvature.max())[:, None]

    def precondition(self, residual: np.ndarray, metric: np.ndarray) -> np.ndarray:
        """Divide by the metric within the tangent space."""
        scaled, normal = residual / metric, self.v / metric
        along = self.over_group((scaled * self.v).sum(axis=1)) / self.over_group(
            (normal * self.v).sum(axis=1)
        )
        return scaled - along * normal

    @staticmethod
    def dot(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.vdot(a, b))

    def hessian_times(self, direction: np.ndarray, radial: np.ndarray) -> np.ndarray:
        self.products += 1
        change = self.v[:, : self.columns] @ direction[:, : self.columns].T
        turned = self.gram_gradient_times(self.point.hessian_times(change + change.T), self.v)
        return self.tangent(
            turned + self.gram_gradient_times(self.point.gradient, direction) - radial * direction
        )

    def step(self, residual: np.ndarray, radial: np.ndarray, metric: np.ndarray, decrement: float) -> bool:
        """One trust-region step; False if it was rejected."""
        self.steps += 1
        largest = 4 * math.sqrt(self.program.num_groups * float(metric.mean()))
        self.radius = min(self.radius or largest / 8, largest)
        move, moved, at_edge = self.truncated_newton(residual, radial, metric, decrement)
        slope, bend = self.dot(residual, move), self.dot(move, moved)
        rounding = 1e-13 * self.point.scale  # near the optimum both differences are noise: accept
        reference = self.point.logarithmic
        # a step that was too long is tried shorter before its conjugate gradients are thrown away
        for share in (1.0, 1 / 4, 1 / 16):
            v = self.retract(self.v + share * move)
            point = self.program.at(self.gram(v))
            predicted = -(share * slope + share**2 * bend / 2)
            achieved = reference * math.log(reference / point.logarithmic)
            ratio = (achieved + rounding) / (predicted + rounding)
            if ratio > 0.1:
                if share < 1:
                    self.radius = share * max(self.radius, math.sqrt(self.dot(move, metric * move)))
                elif ratio < 0.25:
                    self.radius /= 4
                elif ratio > 0.75 and at_edge:
                    self.radius *= 2
                self.v, self.point = v, point
                return True
        self.radius /= 64
        return False

    def truncated_newton(
        self, residual: np.ndarray, radial: np.ndarray, metric: np.ndarray, decrement: float
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        """Steihaug's conjugate gradients: the step, the Hessian times it, and whether it ended at the edge."""
        move, moved = np.zeros_like(self.v), np.zeros_like(self.v)
        gradient = residual
        scaled = self.precondition(residual, metric)
        direction, squared = -scaled, decrement
        # superlinear convergence: the closer, the more accurately the model is solved
        enough = decrement * min(0.1, (decrement / self.point.scale) ** 0.25) ** 2
        for _ in range(MOST_PRODUCTS):
            curved = self.hessian_times(direction, radial)
            curved = curved - gradient * (self.dot(gradient, direction) / self.point.logarithmic)
            curvature = self.dot(direction, curved)
            m_direction = metric * direction
            dd, md = self.dot(direction, m_direction), self.dot(move, m_direction)
            mm = self.dot(move, metric * move)
            length = squared / curvature if curvature > 0 else math.inf
            if curvature <= 0 or mm + 2 * length * md + length**2 * dd >= self.radius**2:
                edge = (-md + math.sqrt(md**2 + dd * max(self.radius**2 - mm, 0.0))) / dd
                return move + edge * direction, moved + edge * curved, True
            move, moved = move + length * direction, moved + length * curved
            residual = residual + length * curved
            scaled = self.precondition(residual, metric)
            following = self.dot(residual, scaled)
            if following <= enough:
                break
            direction = -scaled + (following / squared) * direction
            squared = following
        return move, moved, False

    def escape(self, direction: np.ndarray) -> bool:
        """Leave a saddle: grow X along the eigenvector of S with a negative eigenvalue, if a column is free."""
        main = self.v[:, : self.columns]
        values, vectors = np.linalg.eigh(main.T @ main)
        if values[0] > 1e-6 * values[-1]:
            return False  # all columns are in use; fewer columns than the rank of an optimum
        for size in (1e-1, 1e-2, 1e-3):
            v = self.v.copy()
            v[:, : self.columns] += size * np.outer(direction, vectors[:, 0]) * math.sqrt(len(direction))
            v = self.retract(v)
            point = self.program.at(self.gram(v))
            if point.excess < self.point.excess:
                self.v, self.point, self.radius = v, point, 0.0
                return True
        return False

    def solution(self) -> Solution:
        certificate = certify(self.program, self.gram(self.v), self.point)
        return Solution(self.v[:, : self.columns], self.point, certificate, self.steps, self.products)
