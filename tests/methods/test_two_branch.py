"""The method joins views, model and losses as Figure 3 and Eq. 11 of the paper do."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bcl_edu.losses import (
    balanced_contrastive_loss,
    class_balanced_focal_loss,
    focal_loss,
    logit_compensated_cross_entropy,
)
from bcl_edu.methods import build_method
from bcl_edu.methods.protocol import Method
from bcl_edu.training import RECIPES, Recipe

RECIPE = replace(RECIPES["digits-lt"][1], head_hidden=16, head_dim=8)
COUNTS = torch.tensor([30, 10, 5])


def alone(rows: torch.Tensor) -> torch.Tensor:
    """The gather of a single process."""
    return rows


def built(recipe: Recipe) -> Method:
    torch.manual_seed(0)
    return build_method(recipe, COUNTS, (1, 8, 8))


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.rand(3, 12, 1, 8, 8, generator=generator), torch.randint(3, (12,), generator=generator)


def test_bcl_is_eq_11_of_eq_10_and_eq_9(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    views, labels = batch
    method = built(RECIPE)
    output = method.model(views)
    parts = method.loss(output, labels, alone)
    classification = logit_compensated_cross_entropy(output.logits, labels, COUNTS)
    contrastive = balanced_contrastive_loss(
        output.embeddings, labels.repeat(2), output.prototypes, temperature=RECIPE.temperature
    )
    assert parts["classification"].item() == pytest.approx(classification.item())
    assert parts["contrastive"].item() == pytest.approx(contrastive.item())
    expected = 2.0 * classification + 0.6 * contrastive  # λ = 2.0, μ = 0.6
    assert parts["loss"].item() == pytest.approx(expected.item())


def test_cross_entropy_knows_nothing_of_the_prior_and_compensation_does(
    batch: tuple[torch.Tensor, torch.Tensor],
) -> None:
    views, labels = batch
    method = built(replace(RECIPE, loss="ce", lambda_=1.0))
    logits = method.model(views[:1])
    plain = method.loss(logits, labels, alone)["loss"]
    assert plain.item() == pytest.approx(torch.nn.functional.cross_entropy(logits, labels).item(), rel=1e-6)
    compensated = built(replace(RECIPE, loss="lc", lambda_=1.0)).loss(logits, labels, alone)["loss"]
    shifted = torch.nn.functional.cross_entropy(logits + COUNTS.log(), labels)
    assert compensated.item() == pytest.approx(shifted.item(), rel=1e-6)


def test_focal_losses_are_those_of_their_files(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    views, labels = batch
    method = built(replace(RECIPE, loss="focal", lambda_=1.0, focal_gamma=1.5))
    logits = method.model(views[:1])
    expected = focal_loss(logits, labels, gamma=1.5)
    assert method.loss(logits, labels, alone)["loss"].item() == pytest.approx(expected.item())
    method = built(replace(RECIPE, loss="cb-focal", lambda_=1.0, class_balanced_beta=0.9))
    expected = class_balanced_focal_loss(logits, labels, COUNTS, gamma=2.0, beta=0.9)
    assert method.loss(logits, labels, alone)["loss"].item() == pytest.approx(expected.item())


def test_prediction_is_without_compensation(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    method = built(RECIPE)
    method.model.eval()
    features = method.features(batch[0][0])
    expected = features @ method.model.classifier.weight.T + method.model.classifier.bias
    torch.testing.assert_close(method.logits(features), expected)


@pytest.mark.parametrize(
    ("loss", "views", "prototypes"), [("ce", 1, False), ("lc", 1, False), ("scl", 3, False), ("bcl", 3, True)]
)
def test_only_what_the_loss_uses_is_made(loss: str, views: int, prototypes: bool) -> None:
    method = built(replace(RECIPE, loss=loss))
    assert len(method.view_policy.views) == views
    names = {name.split(".")[0] for name, _ in method.model.named_parameters()}
    assert ("prototype_head" in names) == prototypes
    assert ("projection" in names) == (views == 3)


@pytest.mark.parametrize("loss", ["lc", "scl", "bcl", "bcl-prototypes"])
def test_every_parameter_gets_a_gradient(loss: str, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    views, labels = batch
    method = built(replace(RECIPE, loss=loss))
    method.loss(method.model(views[: len(method.view_policy.views)]), labels, alone)["loss"].backward()
    without = [name for name, p in method.model.named_parameters() if p.grad is None or not p.grad.any()]
    # a bias before batch normalisation is subtracted again: its gradient is zero up to rounding, so it is not asked for
    assert [name for name in without if not name.endswith("layers.0.bias")] == []


def test_the_same_seed_makes_the_same_weights() -> None:
    first, second = built(RECIPE).model.state_dict(), built(RECIPE).model.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
