"""Exercise `logit_compensation` (notebook 02): cross-entropy that knows the class prior (Eq. 10).

While training, every logit gets log P_j added. A tail class, whose log-prior is very negative, must then win by its own
logit; in the balanced test nothing is added, and that margin is what is left.
"""

from torch import Tensor
from torch.nn.functional import cross_entropy


def logit_compensation(logits: Tensor, labels: Tensor, class_counts: Tensor) -> Tensor:
    """Mean of -log softmax(phi_j + log P_j) at the true class."""
    log_prior = (class_counts / class_counts.sum()).log()  # delta_j = log P_j, of the training set
    return cross_entropy(logits + log_prior, labels)
