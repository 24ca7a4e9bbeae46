"""Exercise `supervised_contrastive_loss` (notebook 04): Eq. 1-2.

An anchor is compared with all samples but itself, and wants those of its class to stand out. `logsumexp` keeps the
denominator finite at small temperatures, where `exp` alone overflows.
"""

import torch
from torch import Tensor


def supervised_contrastive_loss(embeddings: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Mean over the anchors that have a positive."""
    logits = embeddings @ embeddings.T / temperature  # z_i . z_k / tau
    itself = torch.eye(len(labels), dtype=torch.bool)
    positive = (labels[:, None] == labels[None, :]) & ~itself  # B_y \ {i}
    log_denominator = logits.masked_fill(itself, -torch.inf).logsumexp(dim=1)
    number = positive.sum(dim=1)  # |B_y| - 1
    attraction = logits.masked_fill(~positive, 0).sum(dim=1) / number.clamp(min=1)
    return (log_denominator - attraction)[number > 0].mean()
