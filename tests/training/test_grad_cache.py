"""A batch in micro-batches has the loss and the gradient of the whole batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from bcl_edu.losses import balanced_contrastive_loss, logit_compensated_cross_entropy
from bcl_edu.methods import Gather
from bcl_edu.methods.bcl import BalancedContrastive
from bcl_edu.rows.bcl_rows import TITLES
from bcl_edu.training.grad_cache import grad_cache
from tests.methods.by_hand import COUNTS, SMALL, alone, batch, built, clock, random_batch

SIZES = [5, 4, 2]


class InPieces:
    """Eleven samples of three classes, a method in float64, and its loss of each micro-batch."""

    def __init__(self, name: str, *, batch_statistics: bool) -> None:
        self.method = built(SMALL.change(method=name)).double()
        for module in self.method.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.train(batch_statistics)
        views = len(self.method.stages()[0].views.views)
        self.whole = random_batch(views, 11, seed=1, dtype=torch.float64)
        pieces = zip(self.whole.views.split(SIZES, dim=1), self.whole.labels.split(SIZES), strict=True)
        self.pieces = [batch(*piece) for piece in pieces]

    def loss(self, number: int, gather: Gather | None) -> Mapping[str, Tensor]:
        found: Mapping[str, Tensor] = self.method(
            replace(self.pieces[number], gather=gather or alone), clock()
        )
        return found

    def gradients(self) -> dict[str, Tensor]:
        return {name: p.grad.clone() for name, p in self.method.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", ["ce", "lc", "cb-focal", *TITLES])
def test_micro_batches_have_the_loss_and_gradient_of_the_batch(name: str) -> None:
    whole, pieces = InPieces(name, batch_statistics=False), InPieces(name, batch_statistics=False)
    expected = whole.method(whole.whole, clock())
    expected["loss"].backward()
    found = grad_cache(pieces.loss, [alone] * 3, Tensor.backward, pieces.method)
    torch.testing.assert_close(found, {name: value.detach() for name, value in expected.items()})
    torch.testing.assert_close(pieces.gradients(), whole.gradients(), atol=1e-12, rtol=1e-9)


def test_with_batch_statistics_it_is_the_loss_of_all_that_the_micro_batches_make() -> None:
    whole, pieces = InPieces("bcl", batch_statistics=True), InPieces("bcl", batch_statistics=True)
    method = whole.method
    assert isinstance(method, BalancedContrastive)
    logits, v2, v3 = [], [], []
    for piece in whole.pieces:
        features = method.backbone(piece.views.flatten(0, 1))
        n = len(piece.labels)
        logits.append(method.classifier(features[:n]))
        embeddings = method.projection(features[n:])
        v2.append(embeddings[:n])
        v3.append(embeddings[n:])
        prototypes = method.prototypes()  # once a piece, as the running statistics are moved once a piece
    labels = whole.whole.labels
    classification = logit_compensated_cross_entropy(torch.cat(logits), labels, COUNTS)
    contrastive = balanced_contrastive_loss(
        torch.cat([*v2, *v3]), labels.repeat(2), prototypes, temperature=0.1
    )
    (2.0 * classification + 0.6 * contrastive).backward()
    grad_cache(pieces.loss, [alone] * 3, Tensor.backward, pieces.method)
    torch.testing.assert_close(pieces.gradients(), whole.gradients(), atol=1e-12, rtol=1e-9)
    # running statistics moved once for each micro-batch, as in the three passes above
    torch.testing.assert_close(dict(pieces.method.named_buffers()), dict(method.named_buffers()))
