"""Long-tailed profiles: how many training images each class keeps, most frequent class first."""

import math
from fractions import Fraction

import torch
from jaxtyping import Int64
from torch import Tensor


def exponential_profile(n_max: int, num_classes: int, imbalance_factor: float) -> Int64[Tensor, " k"]:
    """Counts that fall by the same factor from each class to the next.

        n_k = floor(n_max * IF^(-k / (K - 1))),   k = 0..K-1

    The floor is that of the real number, not of its rounding in floating point: where the value is an
    integer (for instance n_max / IF in the last class) that integer is the count.

    Args:
        n_max: images of the most frequent class.
        num_classes: K.
        imbalance_factor: IF, images of the first class for each one of the last; 1 is balanced.
            A decimal such as 33.3 is read as it is written, not as the binary fraction nearest to it.

    Returns:
        The K counts, none of them 0.

    Raises:
        ValueError: an argument is out of range, or the last class would be left without images.

    Source: Cui et al., "Class-Balanced Loss" (CVPR 2019), section 5; Zhu et al. (CVPR 2022), section 4.1.
    """
    _check(n_max, num_classes, imbalance_factor)
    factor = Fraction(str(imbalance_factor))
    steps = max(num_classes - 1, 1)
    counts = [_floor_of_power(n_max, factor, k, steps) for k in range(num_classes)]
    return torch.tensor(counts)


def step_profile(
    n_max: int, num_classes: int, imbalance_factor: float, head_fraction: float = 0.5
) -> Int64[Tensor, " k"]:
    """Counts of two heights: n_max for the head classes, floor(n_max / IF) for the others.

    Args:
        n_max: images of each head class.
        num_classes: K.
        imbalance_factor: IF, images of a head class for each one of a tail class; 1 is balanced.
        head_fraction: share of the K classes that are head, between 0 and 1; their number is rounded up.

    Returns:
        The K counts, head classes first, none of them 0.

    Raises:
        ValueError: an argument is out of range, or the tail classes would be left without images.

    Source: Buda et al., "A systematic study of the class imbalance problem" (2018), section 3.1.
    """
    _check(n_max, num_classes, imbalance_factor)
    if not 0 <= head_fraction <= 1:
        raise ValueError(f"head_fraction is {head_fraction}; expected a share between 0 and 1")
    num_head = math.ceil(Fraction(str(head_fraction)) * num_classes)
    tail = math.floor(n_max / Fraction(str(imbalance_factor)))
    return torch.tensor([n_max] * num_head + [tail] * (num_classes - num_head))


def pareto_profile(
    n_max: int, num_classes: int, imbalance_factor: float, power: float = 6.0
) -> Int64[Tensor, " k"]:
    """Counts spread as a Pareto distribution spreads: few large classes, very many small ones.

    The counts are the distribution's K evenly spaced quantiles, stretched to run from n_max to n_max / IF:

        q_k = ((k + 1) / (K + 1))^(-1 / power)
        n_k = floor(n_max / IF + (n_max - n_max / IF) * (q_k - q_{K-1}) / (q_0 - q_{K-1}))

    Args:
        n_max: images of the most frequent class.
        num_classes: K.
        imbalance_factor: IF, images of the first class for each one of the last; 1 is balanced.
        power: exponent of the distribution, > 0; the smaller, the more of the images are in the head.

    Returns:
        The K counts, none of them 0.

    Raises:
        ValueError: an argument is out of range, or the last class would be left without images.

    Source: Liu et al., "Large-Scale Long-Tailed Recognition in an Open World" (CVPR 2019), who drew
    ImageNet-LT from a Pareto distribution of power 6 (a random draw; here its quantiles, so that two runs agree).
    """
    _check(n_max, num_classes, imbalance_factor)
    if not (math.isfinite(power) and power > 0):
        raise ValueError(f"power is {power}; expected a number above 0 (ImageNet-LT used 6)")
    smallest = n_max / Fraction(str(imbalance_factor))
    quantiles = [((k + 1) / (num_classes + 1)) ** (-1 / power) for k in range(num_classes)]
    spread = quantiles[0] - quantiles[-1]
    # exact at both ends, where the share is 1 and 0; 1 where there is only one class
    shares = [Fraction((q - quantiles[-1]) / spread) if spread else Fraction(1) for q in quantiles]
    return torch.tensor([math.floor(smallest + (n_max - smallest) * share) for share in shares])


def _check(n_max: int, num_classes: int, imbalance_factor: float) -> None:
    if n_max < 1 or num_classes < 1:
        raise ValueError(f"n_max is {n_max} and num_classes {num_classes}; expected whole numbers from 1")
    if not (math.isfinite(imbalance_factor) and imbalance_factor >= 1):
        raise ValueError(
            f"imbalance factor is {imbalance_factor}; expected a number from 1 (1 = balanced, 100 = the "
            "first class has 100 images for each one of the last)"
        )
    if n_max < imbalance_factor:
        raise ValueError(
            f"imbalance factor {imbalance_factor} leaves the last class {n_max}/{imbalance_factor} = "
            f"{n_max / imbalance_factor:.3g} images; expected at most n_max = {n_max}, so that one is left"
        )


def _floor_of_power(n_max: int, factor: Fraction, k: int, steps: int) -> int:
    """floor(n_max * factor^(-k / steps)), exactly."""
    value = n_max * float(factor) ** (-k / steps)
    nearest = round(value)
    if abs(value - nearest) > 1e-9 * max(value, 1):  # far more than the error of the line above
        return math.floor(value)
    # too close to an integer to trust the rounding: n <= value  <=>  n^steps * factor^k <= n_max^steps
    return nearest if nearest**steps * factor**k <= n_max**steps else nearest - 1
