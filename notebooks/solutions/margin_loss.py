"""Exercise `margin_loss` (notebook 14): the margin is in units of the cosine, the prior in units of the logit.

The margin is taken from the true class alone and before the scale. The logarithm of the prior joins after the scale: a
logit that is compensated estimates log p(x | y), whatever its scale.
"""

from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot


def margin_loss(
    cosines: Tensor, labels: Tensor, class_counts: Tensor, scale: float, largest_margin: float
) -> Tensor:
    """Logit-compensated cross-entropy of scale (cosine - margin of the true class)."""
    margins = largest_margin * (class_counts.min() / class_counts) ** 0.25
    own = one_hot(labels, len(class_counts)) * margins
    return cross_entropy(scale * (cosines - own) + (class_counts / class_counts.sum()).log(), labels)
