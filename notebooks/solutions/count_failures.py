"""Exercise `count_failures` (notebook 09): from losses and bounds to what a verdict is made of.

NaN marks anchors without a loss: nothing can be bounded there. Rounding must not refute a theorem that is an equality.
"""

from torch import Tensor


def count_failures(losses: Tensor, bounds: Tensor, rounding: float) -> tuple[Tensor, Tensor]:
    """Cases, and cases in which the loss is below its bound by more than rounding."""
    has_loss = ~losses.isnan()
    failed = losses < bounds - rounding  # False for NaN
    return has_loss.sum(), failed.sum()
