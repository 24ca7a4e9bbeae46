"""The two branches together (Eq. 11)."""

from jaxtyping import Float
from torch import Tensor


def weighted_total(
    classification: Float[Tensor, ""], contrastive: Float[Tensor, ""], *, lambda_: float, mu: float
) -> Float[Tensor, ""]:
    """Weighted total of the classification and the contrastive loss: L = lambda L_LC + mu L_BCL (Eq. 11).

    Args:
        classification: the loss of the classifier branch, a scalar.
        contrastive: the loss of the contrastive branch, a scalar.
        lambda_: weight of the first, 0 or more; the paper trains CIFAR with 2.0, the large sets with 1.0.
        mu: weight of the second, 0 or more; the paper trains CIFAR with 0.6, the large sets with 0.35.

    Returns:
        A scalar.

    Raises:
        ValueError: a weight is negative or not a number.

    Source: Zhu et al. (CVPR 2022), Eq. 11.
    """
    for name, weight in (("lambda_", lambda_), ("mu", mu)):
        if not weight >= 0:
            raise ValueError(f"{name} must be 0 or more, got {weight}; 0 leaves that branch out")
    return lambda_ * classification + mu * contrastive
