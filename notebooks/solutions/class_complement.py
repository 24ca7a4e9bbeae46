"""Exercise `class_complement` (notebook 06): every class has a say in every batch, through its prototype.

The prototypes join the samples as what an anchor is compared with, and one of them is a positive. They are no anchors.
"""

import torch
from torch import Tensor


def class_complement(embeddings: Tensor, labels: Tensor, prototypes: Tensor, temperature: float) -> Tensor:
    """Eq. 2 over the batch and the prototypes, averaged over the samples."""
    keys = torch.cat([embeddings, prototypes])
    key_labels = torch.cat([labels, torch.arange(len(prototypes))])
    logits = embeddings @ keys.T / temperature
    itself = torch.eye(len(labels), len(keys), dtype=torch.bool)
    positive = (labels[:, None] == key_labels[None, :]) & ~itself  # (B_y \ {i}) and c_y
    log_denominator = logits.masked_fill(itself, -torch.inf).logsumexp(dim=1)
    attraction = logits.masked_fill(~positive, 0).sum(dim=1) / positive.sum(dim=1)
    return (log_denominator - attraction).mean()
