"""Exercise `loss_at_collapse` (notebook 07): BCL where every class has collapsed.

All averages of Eq. 9 are over equal numbers, so each class is one term. Divided by the term of the anchor's own class,
exp(1 / tau), the denominator is 1 plus one term for every other class. A class has as many anchors as samples.
"""

from torch import Tensor


def loss_at_collapse(gram: Tensor, class_counts: Tensor, temperature: float) -> Tensor:
    """sum_y p_y log(1 + sum_{j != y} exp((G_yj - 1) / tau))."""
    terms = ((gram - 1) / temperature).exp()
    share = class_counts / class_counts.sum()
    return share.to(terms) @ terms.fill_diagonal_(1).sum(dim=1).log()
