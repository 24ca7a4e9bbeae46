"""Long tails: profiles of class counts, the seeded subset that has them, and many-, medium- and few-shot classes."""

import hashlib
import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import SupportsIndex

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from bcl_edu.counting import counted


def exponential_profile(
    max_per_class: SupportsIndex, num_classes: SupportsIndex, imbalance_factor: float
) -> Int64[Tensor, " k"]:
    """Counts that fall by the same factor from each class to the next.

        n_k = floor(n_max * IF^(-k / (K - 1))),   k = 0..K-1,   n_max = max_per_class

    The floor is that of the real number, not of its rounding in floating point: where the value is an
    integer (for instance n_max / IF in the last class) that integer is the count.

    Args:
        max_per_class: images of the most frequent class; any whole number, also NumPy's or a 0-d tensor.
        num_classes: K.
        imbalance_factor: IF, images of the first class for each one of the last; 1 is balanced.
            A decimal such as 33.3 is read as it is written, not as the binary fraction nearest to it.

    Returns:
        The K counts, none of them 0.

    Raises:
        ValueError: an argument is out of range, or the last class would be left without images.

    Source: Cui et al., "Class-Balanced Loss" (CVPR 2019), section 5; Zhu et al. (CVPR 2022), section 4.1.
    """
    largest, classes = _checked(max_per_class, num_classes, imbalance_factor)
    factor = Fraction(str(imbalance_factor))
    steps = max(classes - 1, 1)
    counts = [_floor_of_power(largest, factor, k, steps) for k in range(classes)]
    return torch.tensor(counts)


def step_profile(
    max_per_class: SupportsIndex,
    num_classes: SupportsIndex,
    imbalance_factor: float,
    head_fraction: float = 0.5,
) -> Int64[Tensor, " k"]:
    """Counts of two heights: max_per_class for the head classes, floor(max_per_class / IF) for the others.

    Args:
        max_per_class: images of each head class.
        num_classes: K.
        imbalance_factor: IF, images of a head class for each one of a tail class; 1 is balanced.
        head_fraction: share of the K classes that are head, between 0 and 1; their number is rounded up.

    Returns:
        The K counts, head classes first, none of them 0.

    Raises:
        ValueError: an argument is out of range, or the tail classes would be left without images.

    Source: Buda et al., "A systematic study of the class imbalance problem" (2018), section 3.1.
    """
    largest, classes = _checked(max_per_class, num_classes, imbalance_factor)
    if not 0 <= head_fraction <= 1:
        raise ValueError(f"head_fraction is {head_fraction}; expected a share between 0 and 1")
    num_head = math.ceil(Fraction(str(head_fraction)) * classes)
    tail = math.floor(largest / Fraction(str(imbalance_factor)))
    return torch.tensor([largest] * num_head + [tail] * (classes - num_head))


def pareto_profile(
    max_per_class: SupportsIndex,
    num_classes: SupportsIndex,
    imbalance_factor: float,
    power: float = 6.0,
) -> Int64[Tensor, " k"]:
    """Counts that follow a Pareto distribution: few large classes, very many small ones.

    The counts are the distribution's K evenly spaced quantiles, stretched to run from n_max to n_max / IF:

        q_k = ((k + 1) / (K + 1))^(-1 / power)
        n_k = floor(n_max / IF + (n_max - n_max / IF) * (q_k - q_{K-1}) / (q_0 - q_{K-1})),   n_max = max_per_class

    Args:
        max_per_class: images of the most frequent class.
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
    largest, classes = _checked(max_per_class, num_classes, imbalance_factor)
    if not (math.isfinite(power) and power > 0):
        raise ValueError(f"power is {power}; expected a number above 0 (ImageNet-LT used 6)")
    smallest = largest / Fraction(str(imbalance_factor))
    quantiles = [((k + 1) / (classes + 1)) ** (-1 / power) for k in range(classes)]
    spread = quantiles[0] - quantiles[-1]
    # exact at both ends, where the share is 1 and 0; 1 where there is only one class
    shares = [Fraction((q - quantiles[-1]) / spread) if spread else Fraction(1) for q in quantiles]
    return torch.tensor([math.floor(smallest + (largest - smallest) * share) for share in shares])


def _checked(
    max_per_class: SupportsIndex, num_classes: SupportsIndex, imbalance_factor: float
) -> tuple[int, int]:
    """Check all three values, and return the whole numbers as Python's, whose arithmetic does not overflow."""
    try:
        largest, classes = operator.index(max_per_class), operator.index(num_classes)
    except TypeError as error:
        raise ValueError(
            f"max_per_class is {max_per_class} and num_classes {num_classes}; expected whole numbers from 1"
        ) from error
    if largest < 1 or classes < 1:
        raise ValueError(
            f"max_per_class is {largest} and num_classes {classes}; expected whole numbers from 1"
        )
    if not (math.isfinite(imbalance_factor) and imbalance_factor >= 1):
        raise ValueError(
            f"imbalance factor is {imbalance_factor}; expected a number from 1 (1 = balanced, 100 = the "
            "first class has 100 images for each one of the last)"
        )
    if largest < imbalance_factor:
        raise ValueError(
            f"imbalance factor {imbalance_factor} leaves the last class {largest}/{imbalance_factor} = "
            f"{largest / imbalance_factor:.3g} images; expected at most max_per_class = {largest}, so that one is left"
        )
    return largest, classes


def _floor_of_power(max_per_class: int, factor: Fraction, k: int, steps: int) -> int:
    """floor(max_per_class * factor^(-k / steps)), exactly."""
    value = max_per_class * float(factor) ** (-k / steps)
    nearest = round(value)
    if abs(value - nearest) > 1e-9 * max(value, 1):  # far more than the error of the line above
        return math.floor(value)
    # too close to an integer to trust the rounding: n <= value  <=>  n^steps * factor^k <= max_per_class^steps
    return nearest if nearest**steps * factor**k <= max_per_class**steps else nearest - 1


def counts_by_size(
    available: Int64[Tensor, " k"],
    profile: Callable[[int, int, float], Int64[Tensor, " k"]],
    imbalance_factor: float,
    max_per_class: int | None = None,
) -> Int64[Tensor, " k"]:
    """Counts of a profile for classes of any order and size: the largest class gets the first count, and so on.

    For a user's own images, whose label order means nothing: the profiles themselves give the first label most.

    Args:
        available: images of each class, shape (K,), in label order.
        profile: ``exponential_profile``, ``step_profile`` or ``pareto_profile``.
        imbalance_factor: IF.
        max_per_class: images of the largest class; by default as many as every class's own size allows.

    Returns:
        Counts in label order, shape (K,), none above ``available``. Classes of equal size get theirs in label order.

    Raises:
        ValueError: an argument is out of range, or no number of images leaves each class one (with the default), or
            a class has fewer images than its count (with ``max_per_class``).
    """
    order = available.argsort(descending=True, stable=True)
    sizes = available[order]
    if max_per_class is None:
        low, high = math.ceil(imbalance_factor), int(sizes[0])  # the counts grow with the first one
        while low < high:
            middle = (low + high + 1) // 2
            fits = bool((profile(middle, len(sizes), imbalance_factor) <= sizes).all())
            low, high = (middle, high) if fits else (low, middle - 1)
        max_per_class = low
    counts = profile(max_per_class, len(sizes), imbalance_factor)
    if bool((counts > sizes).any()):
        place = int((counts > sizes).nonzero()[0])
        raise ValueError(
            f"class {int(order[place])}, number {place + 1} by size, has {counted(int(sizes[place]), 'image')}, "
            f"but a largest class of {max_per_class} with imbalance factor {imbalance_factor} asks "
            f"{int(counts[place])} of it; use a smaller one of the two"
        )
    return torch.empty_like(counts).index_copy_(0, order, counts)


def long_tailed_subset(
    labels: Int64[Tensor, " n"], counts: Int64[Tensor, " k"], seed: int = 0
) -> Int64[Tensor, " m"]:
    """Positions of ``counts[k]`` images of each class k, drawn at random without replacement.

    Each class is shuffled whole by its own random stream, made of the seed and the class, and its first
    ``counts[k]`` images are kept. So for one seed a longer tail is contained in a shorter one: the subset
    at IF 100 is part of that at IF 50. The streams are NumPy's RandomState, frozen by NEP 19: the same
    seed gives the same images in every version and on every machine.

    Args:
        labels: class of each image, shape (n,), values 0..K-1.
        counts: images to keep of each class, shape (K,), in label order.
        seed: 0 or more; another seed gives other images.

    Returns:
        Indices into ``labels``, shape (counts.sum(),): classes in label order, each in its shuffled order.

    Raises:
        ValueError: a class has fewer images than asked for, a count is negative, a label has no count, or
            the seed is out of range.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed is {seed}; expected 0..{2**32 - 1}")
    counts = counts.cpu()
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(counts):
        raise ValueError(
            f"labels are {int(labels.min())}..{int(labels.max())}, but counts has {len(counts)} entries "
            f"(labels must be 0..{len(counts) - 1})"
        )
    available = torch.bincount(labels.cpu(), minlength=len(counts))
    impossible = ((counts < 0) | (counts > available)).nonzero().flatten().tolist()
    if impossible:
        k = impossible[0]
        others = f" (likewise {counted(len(impossible) - 1, 'more class')})" if len(impossible) > 1 else ""
        raise ValueError(
            f"class {k} has {counted(int(available[k]), 'image')}, but {int(counts[k])} were asked for{others}; "
            "use a smaller max_per_class (on the command line --head-count), or another profile"
        )
    by_class = np.split(labels.cpu().argsort(stable=True).numpy(), available.cumsum(0)[:-1].numpy())
    kept = []
    for k, (members, count) in enumerate(zip(by_class, counts.tolist(), strict=True)):
        shuffled = np.random.RandomState([seed, k]).permutation(members)
        kept.append(shuffled[:count])
    return torch.from_numpy(np.concatenate(kept).astype(np.int64))


def subset_sha256(indices: Int64[Tensor, " m"]) -> str:
    """SHA-256 of a set of indices, whatever their order, as 64 hexadecimal digits.

    It stands in every run record: runs whose training subsets differ must not be compared. The bytes hashed
    are the sorted indices as little-endian 64-bit integers.
    """
    ordered = indices.cpu().sort().values.numpy().astype("<i8")
    return hashlib.sha256(ordered.tobytes()).hexdigest()


def shot_groups(
    class_counts: Int64[Tensor, " k"], many_above: int = 100, few_below: int = 20
) -> dict[str, Int64[Tensor, " group"]]:
    """Classes grouped by their number of *training* images.

    Args:
        class_counts: training images of each class, shape (K,), in label order.
        many_above: a class with more images than this is "many".
        few_below: a class with fewer images than this is "few"; what is left, both limits included, is "medium".

    Returns:
        Class numbers under "many", "medium" and "few", in that order, each ascending. A group may be empty:
        it has no accuracy, and prints as n/a, never as 0.

    Raises:
        ValueError: few_below is above many_above + 1, so that a class could be in two groups.

    Source: Liu et al. (CVPR 2019), section 5; the paper's "2~100" for medium is a misprint of 20~100.
    """
    if few_below > many_above + 1:
        raise ValueError(
            f"few_below is {few_below} and many_above {many_above}; a class of {many_above + 1} images would be "
            "in both groups (expected few_below <= many_above + 1)"
        )
    many = class_counts > many_above
    few = class_counts < few_below
    groups = {"many": many, "medium": ~many & ~few, "few": few}
    return {name: torch.nonzero(member).flatten().cpu() for name, member in groups.items()}
