"""Unit vectors that are unit vectors in every precision."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def unit_rows(rows: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
    """Scale every row to length one, in float32 at least.

    bfloat16 keeps 8 bits: a row normalised there misses length one by a few tenths of a per cent, and a
    similarity divided by tau = 0.1 would carry ten times that error. So half-precision rows come back as
    float32. A row of zeros stays zero.
    """
    return functional.normalize(rows.to(torch.promote_types(rows.dtype, torch.float32)), dim=1)
