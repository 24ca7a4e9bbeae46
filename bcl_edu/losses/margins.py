"""LDAM's margins: how far a sample's own logit must lead, the further the rarer its class."""

from jaxtyping import Float, Integer
from torch import Tensor

from bcl_edu.losses.checks import check_class_counts


def ldam_margins(
    class_counts: Integer[Tensor, " k"], *, largest: float = 0.5, check: bool = True
) -> Float[Tensor, " k"]:
    """Margin of each class, proportional to N_k^(-1/4):

        m_k = largest (N_min / N_k)^(1/4)

    Args:
        class_counts: samples of each class in the training set, shape (k,), at least 1 each.
        largest: margin of the rarest class.
        check: also check values, which waits for the device.

    Returns:
        Margins in float64, shape (k,).

    Raises:
        ValueError: a class has no training sample.

    Source: Cao et al., "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss" (NeurIPS 2019),
    Eq. 11, and section 3.2; the largest margin is their code's.
    """
    check_class_counts(class_counts, len(class_counts), values=check)
    counts = class_counts.double()
    return largest * (counts.min() / counts) ** 0.25
