"""The Bessel function that normalises a von Mises-Fisher density, stable for any dimension and concentration."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

TERMS = 8
"""Terms of the asymptotic expansion."""

SMALLEST_ORDER = 40.0
"""Smallest order at which that many terms give double precision."""


def log_bessel_ratio(kappa: Float[Tensor, "..."], order: float) -> Float[Tensor, "..."]:
    """log( I_order(kappa) / kappa^order ), in float64, with its gradient.

    A density exp(kappa mu . z) on the sphere in p dimensions integrates to this, up to a constant, with order p/2 - 1.
    At kappa = 0 it is -log(2^order Gamma(order + 1)); its derivative is A = I_{order+1}(kappa) / I_order(kappa),
    which lies between 0 and 1.

    Computed by the uniform asymptotic expansion for large orders, from whose orders the recurrence
    I_{v-1} = I_{v+1} + (2 v / kappa) I_v leads down, where every term is positive.

    Args:
        kappa: at least 0.
        order: at least 0; p/2 - 1.

    Raises:
        ValueError: the order is negative.

    Source: NIST Digital Library of Mathematical Functions, 10.41.3 and 10.41.9 (expansion), 10.29.1 (recurrence).
    """
    if order < 0:
        raise ValueError(f"order is {order}, but must be at least 0: p/2 - 1 in p dimensions, p at least 2")
    ratio: Tensor = _LogBesselRatio.apply(kappa, order)
    return ratio


class _LogBesselRatio(torch.autograd.Function):
    """Keeps one tensor for the gradient instead of those of every term."""

    @staticmethod
    def forward(ctx: FunctionCtx, kappa: Tensor, order: float) -> Tensor:
        wide = kappa.double()
        value, above = _two_orders(wide, order)
        ctx.dtype = kappa.dtype  # type: ignore[attr-defined]
        ctx.save_for_backward(wide * (above - value).exp())  # A = kappa R_{order+1} / R_order
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None]:
        (slope,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return (gradients[0] * slope).to(ctx.dtype), None  # type: ignore[attr-defined]


def _two_orders(kappa: Tensor, order: float) -> tuple[Tensor, Tensor]:
    """log R of an order and of the next one, R_v = I_v / kappa^v."""
    steps = max(0, math.ceil(SMALLEST_ORDER - order))
    value, above = _expansion(kappa, order + steps), _expansion(kappa, order + steps + 1)
    for step in range(steps, 0, -1):
        v = order + step
        # R_{v-1} = kappa^2 R_{v+1} + 2 v R_v
        value, above = torch.logaddexp(2 * kappa.log() + above, math.log(2 * v) + value), value
    return value, above


def _expansion(kappa: Tensor, order: float) -> Tensor:
    """log R by the expansion: with x = kappa / v and s = sqrt(1 + x^2),

    log R_v = v (s - log(1 + s)) - v log v - log(2 pi v) / 2 - log(s) / 2 + log sum_k U_k(1/s) / v^k
    """
    root = (1 + (kappa / order).square()).sqrt()
    inverse = 1 / root
    series = torch.zeros_like(kappa)
    for k in reversed(range(TERMS)):
        polynomial = torch.zeros_like(kappa)
        for coefficient in reversed(_polynomials()[k]):
            polynomial = polynomial * inverse + coefficient
        series = series / order + polynomial
    constant = -order * math.log(order) - 0.5 * math.log(2 * math.pi * order)
    return order * (root - torch.log1p(root)) + constant - 0.5 * root.log() + series.log()


@cache
def _polynomials() -> list[list[float]]:
    """Coefficients of U_0, U_1, ... from the constant term on.

    U_{k+1}(p) = p^2 (1 - p^2) U_k'(p) / 2 + (1/8) integral from 0 to p of (1 - 5 t^2) U_k(t) dt
    """
    polynomials = [np.polynomial.Polynomial([1.0])]
    factor, weight = np.polynomial.Polynomial([0, 0, 0.5, 0, -0.5]), np.polynomial.Polynomial([1.0, 0, -5.0])
    for _ in range(TERMS - 1):
        last = polynomials[-1]
        polynomials.append(factor * last.deriv() + (weight * last).integ() / 8)
    return [polynomial.coef.tolist() for polynomial in polynomials]
