"""Classifiers on one view minimise the losses of their names."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from bcl_edu.losses import class_balanced_focal_loss, focal_loss
from tests.methods.by_hand import COUNTS, SMALL, built, clock, random_batch


def loss_and_logits(name: str, **options: float) -> tuple[float, torch.Tensor]:
    """The method's loss of a batch, and the logits that it is of."""
    method = built(SMALL.change(method=name, lambda_=1.0, **options))
    seen = random_batch(views=1)
    loss = method(seen, clock())["loss"].item()
    return loss, method.classifier(method.backbone(seen.views[0]))


LABELS = random_batch(views=1).labels


def test_cross_entropy_knows_nothing_of_the_prior() -> None:
    loss, logits = loss_and_logits("ce")
    assert loss == pytest.approx(cross_entropy(logits, LABELS).item(), rel=1e-5)


def test_compensation_adds_the_log_of_the_prior_in_training() -> None:
    loss, logits = loss_and_logits("lc")
    assert loss == pytest.approx(cross_entropy(logits + COUNTS.log(), LABELS).item(), rel=1e-5)


def test_focal_losses_are_those_of_their_files() -> None:
    loss, logits = loss_and_logits("focal", focal_gamma=1.5)
    assert loss == pytest.approx(focal_loss(logits, LABELS, gamma=1.5).item(), rel=1e-5)
    loss, logits = loss_and_logits("cb-focal", class_balanced_beta=0.9)
    expected = class_balanced_focal_loss(logits, LABELS, COUNTS, gamma=2.0, beta=0.9)
    assert loss == pytest.approx(expected.item(), rel=1e-5)


def test_the_weight_multiplies_the_loss() -> None:
    method = built(SMALL.change(method="ce", lambda_=2.0))
    parts = method(random_batch(views=1), clock())
    assert parts["loss"].item() == pytest.approx(2 * parts["classification"].item())
