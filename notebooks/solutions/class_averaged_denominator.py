"""Exercise `class_averaged_denominator` (notebook 05): every class of the batch counts as one (Eq. 6).

Dividing a term by the number of terms of its class is subtracting a logarithm from its exponent. An anchor's own class
has one term less than it has samples.
"""

import torch
from torch import Tensor


def class_averaged_denominator(embeddings: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """log D_i with D_i the sum over classes of the mean of exp(z_i . z_k / tau) over their samples, shape (n,)."""
    logits = embeddings @ embeddings.T / temperature
    same = labels[:, None] == labels[None, :]
    itself = torch.eye(len(labels), dtype=torch.bool)
    class_size = same.sum(dim=1)[None, :] - (same & ~itself).int()  # terms of k's class, as seen from i
    log_mean_terms = logits - class_size.log()
    return log_mean_terms.masked_fill(itself, -torch.inf).logsumexp(dim=1)
