"""Many-, medium- and few-shot classes: how the tables split their accuracy."""

import torch
from jaxtyping import Int64
from torch import Tensor


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
