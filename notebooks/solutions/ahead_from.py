"""Exercise `ahead_from` (notebook 08b): ahead in every seed, and until the end.

Seeds are compared one by one, because two runs with the same seed share their initial weights and batches. One epoch in
which a single seed is behind starts the count anew.
"""

from torch import Tensor


def ahead_from(first: Tensor, second: Tensor) -> int:
    """The epoch from which on the first row is smaller in every seed, 0 if there is none."""
    behind = (first >= second).any(dim=0).nonzero().flatten()
    if len(behind) == 0:
        return 1
    after = int(behind[-1]) + 2  # epochs are counted from 1
    return after if after <= first.shape[1] else 0
