"""The pass through a network with a classifier branch on v1 and a contrastive branch on v2 and v3."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from bcl_edu.methods.protocol import Batch, Method


class Branches(NamedTuple):
    """Outputs of both branches for the samples of all ranks.

    Attributes:
        logits: of v1, shape (n, k).
        embeddings: unit vectors of v2 and v3, shape (2, n, d).
        labels: shape (n,).
    """

    logits: Tensor
    embeddings: Tensor
    labels: Tensor


def both_branches(method: Method, batch: Batch) -> Branches:
    """Outputs of a method's `classifier` and `projection`.

    Raises:
        ValueError: not three views.
    """
    views, number = batch.views.shape[:2]
    if views != 3:
        raise ValueError(
            f"{views} views of each image, expected v1, v2 and v3 (the policy of --views makes them)"
        )
    classifier, projection = method.get_submodule("classifier"), method.get_submodule("projection")
    # One pass over all views: batch normalisation sees them together, as in the code of BCL's authors.
    features = method.extract(batch.views.flatten(0, 1))
    logits = batch.gather(classifier(features[:number]))
    labels = batch.gather(batch.labels)
    return Branches(logits, gathered_views(projection(features[number:]), batch, 2), labels)


def gathered_views(rows: Float[Tensor, "m d"], batch: Batch, views: int) -> Float[Tensor, "views n d"]:
    """Rows of all ranks' samples, one for each view of each sample, from this rank's, view after view."""
    of_views = rows.unflatten(0, (views, len(batch.labels)))  # a rank may have no sample
    return batch.gather(of_views.transpose(0, 1)).transpose(0, 1)
