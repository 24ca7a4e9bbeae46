"""The paper's method joins views, network and losses as Figure 3 and Eq. 11 do."""

from __future__ import annotations

import pytest
import torch

from bcl_edu.losses import balanced_contrastive_loss, contrastive_loss, logit_compensated_cross_entropy
from bcl_edu.methods.bcl import BalancedContrastive
from tests.methods.by_hand import COUNTS, SMALL, batch, built, clock, random_batch


def test_bcl_is_eq_11_of_eq_10_and_eq_9() -> None:
    method, seen = built(), random_batch()
    assert isinstance(method, BalancedContrastive)
    parts = method(seen, clock())
    # the same weights and the same batch statistics, view by view
    features = method.backbone(seen.views.flatten(0, 1))
    classification = logit_compensated_cross_entropy(method.classifier(features[:12]), seen.labels, COUNTS)
    contrastive = balanced_contrastive_loss(
        method.projection(features[12:]), seen.labels.repeat(2), method.prototypes(), temperature=0.1
    )
    assert parts["classification"].item() == pytest.approx(classification.item(), rel=1e-5)
    assert parts["contrastive"].item() == pytest.approx(contrastive.item(), rel=1e-5)
    expected = 2.0 * classification + 0.6 * contrastive  # λ = 2.0, μ = 0.6
    assert parts["loss"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_prediction_is_without_compensation() -> None:
    method = built().eval()
    prediction = method.predict(random_batch().views[0])
    expected = prediction.features @ method.classifier.weight.T + method.classifier.bias
    torch.testing.assert_close(prediction.logits, expected)
    assert prediction.embeddings is not None
    torch.testing.assert_close(prediction.embeddings.norm(dim=1), torch.ones(12))


def test_other_than_three_views_are_refused() -> None:
    with pytest.raises(ValueError, match="2 views"):
        built()(batch(torch.rand(2, 4, 1, 8, 8), torch.zeros(4, dtype=torch.int64)), clock())


@pytest.mark.parametrize(
    ("name", "views", "prototypes"), [("ce", 1, False), ("lc", 1, False), ("scl", 3, False), ("bcl", 3, True)]
)
def test_only_what_the_loss_uses_is_made(name: str, views: int, prototypes: bool) -> None:
    method = built(SMALL.change(method=name))
    assert len(method.stages()[0].views.views) == views
    names = {parameter.split(".")[0] for parameter, _ in method.named_parameters()}
    assert ("prototype_head" in names) == prototypes
    assert ("projection" in names) == (views == 3)


@pytest.mark.parametrize("name", ["lc", "scl", "bcl", "bcl-prototypes"])
def test_every_parameter_gets_a_gradient(name: str) -> None:
    method = built(SMALL.change(method=name))
    seen = random_batch(views=len(method.stages()[0].views.views))
    method(seen, clock())["loss"].backward()
    without = [name for name, p in method.named_parameters() if p.grad is None or not p.grad.any()]
    # a bias before batch normalisation is subtracted again: its gradient is zero up to rounding, so it is not asked for
    assert [name for name in without if not name.endswith("layers.0.bias")] == []


@pytest.mark.parametrize(
    ("name", "inside", "prior"),
    [("bcl-in-log", True, False), ("bcl-prior", False, True), ("bcl-in-log-prior", True, True)],
)
@pytest.mark.parametrize("anchors", [False, True])
def test_the_two_by_two_is_reached_by_name_and_by_its_switches(
    name: str, inside: bool, prior: bool, anchors: bool
) -> None:
    recipe = SMALL.change(method=name, training_balanced_anchors=anchors)
    switched = SMALL.change(
        positives_inside_log=inside, training_prior=prior, training_balanced_anchors=anchors
    )
    assert recipe == switched
    method, seen = built(recipe), random_batch()
    assert isinstance(method, BalancedContrastive)
    found = method(seen, clock())["contrastive"]
    features = method.backbone(seen.views.flatten(0, 1))
    expected = contrastive_loss(
        method.projection(features[12:]),
        seen.labels.repeat(2),
        method.prototypes(),
        averaging="outside",
        complement=True,
        positives_inside_log=inside,
        training_prior=prior,
        training_balanced_anchors=anchors,
        class_counts=COUNTS if prior or anchors else None,
        temperature=0.1,
    )
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_another_method_does_not_inherit_the_switches_that_name_a_variant() -> None:
    assert SMALL.change(method="bcl-in-log-prior").change(method="bcl") == SMALL


@pytest.mark.parametrize(
    ("method", "switch"), [("scl", "training_prior"), ("bcl-class-anchors", "training_balanced_anchors")]
)
def test_a_switch_that_a_loss_cannot_have_is_refused(method: str, switch: str) -> None:
    with pytest.raises(ValueError, match=f"{switch} is True"):
        SMALL.change(method=method, **{switch: True})


def test_the_same_seed_makes_the_same_weights() -> None:
    first, second = built().state_dict(), built().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not any("class_counts" in name for name in first)  # known from the data, so no part of the state
