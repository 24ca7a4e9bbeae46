r"""The opening phase: how classes that start at one point separate, and why the tail does not lag under SCL.

All samples of class y sit at z_y, near a common point e: z_y = e + delta_y with small tangent delta_y. All softmax
weights are then uniform, and each sample steps along minus its gradient of the summed loss. To first order

    d delta_y / dt = (1 / tau) [ anchor role:    delta_y - (mean that repels an anchor)
                               + contrast role:  how hard other anchors push a sample of y ]

    SCL              (2 / tau) N / (N - 1) (delta_y - s)
    SCL + averaging  (1 / tau) [ (delta_y - m) + N / (K n_y)       (delta_y - s) ]
    BCL              (1 / tau) [ (delta_y - m) + N / (K (n_y + 1)) (delta_y - s) ]

with m the mean of the delta_j over classes, s their mean over samples, N the batch's embeddings (all views). Prototypes
sit at the class means and are held fixed within a step.

Under SCL every pair of classes opens at one and the same relative rate 2 N / ((N - 1) tau): the derivative of the loss
with respect to a *cosine* between two tail classes is small, but it is shared by few samples, and embeddings move, not
cosines. Under BCL the few samples of a tail class, as contrast, carry the weight of a whole class, and part faster than
those of the head.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bcl_edu.losses.named import contrastive_named


def opening_matrix(
    class_counts: Sequence[float] | np.ndarray | Tensor,
    loss: str = "bcl",
    *,
    temperature: float = 0.1,
    views: int = 2,
) -> Float[Tensor, "k k"]:
    """Linear map from the displacements of the classes from one point to their velocities, in a full batch.

    Args:
        class_counts: samples of each class, shape (K,); `views` embeddings of each, at least two a class in all.
        loss: "scl", "scl-averaging" or "bcl".
        temperature: tau > 0.
        views: embeddings of each sample.

    Returns:
        M in float64, shape (K, K): d delta / dt = M delta for displacements delta of shape (K, dim), per unit of
        learning rate, where every sample steps on the sum of the losses.

    Raises:
        ValueError: the loss is another one, or an argument is out of its range.
    """
    n = views * torch.as_tensor(np.asarray(class_counts, dtype=np.float64))
    if n.ndim != 1 or len(n) < 2 or not (n >= 2).all():
        raise ValueError(
            f"class_counts is {n.tolist()} embeddings; expected two classes or more of at least 2 embeddings each"
        )
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; expected a number above 0")
    k, total = len(n), n.sum()
    around_samples = torch.eye(k, dtype=torch.float64) - n / total
    around_classes = torch.eye(k, dtype=torch.float64) - 1 / k
    if contrastive_named(loss).averaging == "none" and not contrastive_named(loss).complement:
        return 2 / temperature * total / (total - 1) * around_samples
    if loss not in ("bcl", "scl-averaging"):
        raise ValueError(f"loss is {loss!r}; expected 'scl', 'scl-averaging' or 'bcl'")
    members = n + 1 if loss == "bcl" else n
    contrast = total / (k * members)
    return (around_classes + contrast[:, None] * around_samples) / temperature


def relative_opening_rates(
    displacements: Float[Tensor, "k dim"], matrix: Float[Tensor, "k k"]
) -> Float[Tensor, "k k"]:
    """Relative rate d/dt log |delta_i - delta_j| of every pair of classes.

    Args:
        displacements: of the classes from one point, within its tangent space, all different, shape (K, dim).
        matrix: of `opening_matrix`.

    Returns:
        Symmetric rates per unit of learning rate, shape (K, K); NaN on the diagonal.
    """
    velocity = matrix @ displacements
    apart = displacements[:, None] - displacements[None, :]
    parting = velocity[:, None] - velocity[None, :]
    return (apart * parting).sum(dim=2) / (apart * apart).sum(dim=2)
