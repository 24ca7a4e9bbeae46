"""DRO-LT: the robust loss to the digits, its radii, its stages."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from bcl_edu.methods import build_method
from bcl_edu.methods.drolt import robust_loss
from bcl_edu.models import parameter_count
from bcl_edu.rows import ROWS
from bcl_edu.training.distributed import Rank
from tests.methods.harness import built, clock_of, digits, noise, share_of

Z = torch.tensor([[0, 0], [1, 0], [0, 2], [1, 1]], dtype=torch.float64)
MU = torch.tensor([[0, 0], [2, 0], [0, 1]], dtype=torch.float64)
LABELS = torch.tensor([0, 0, 1, 2])


def loss(*radii: float, labels: Tensor = LABELS) -> float:
    return robust_loss(Z, labels, MU, torch.tensor(radii, dtype=torch.float64)).item()


def test_the_loss_of_four_points() -> None:
    assert loss(1, 1, 1) == pytest.approx(2.3489216189, abs=1e-9)
    assert loss(1, 0.5, 0.2) == pytest.approx(1.9679104633, abs=1e-9)
    assert loss(0, 0, 0) == pytest.approx(1.6557574682, abs=1e-9)
    assert loss(2, 2, 2) == pytest.approx(3.1671020444, abs=1e-9)


def test_radii_go_with_their_classes_in_any_order() -> None:
    unsorted = torch.tensor([2, 0, 1, 0])
    assert loss(1, 0.5, 0.2, labels=unsorted) == pytest.approx(2.3481145251, abs=1e-9)
    assert loss(1, 1, 1, labels=unsorted) == pytest.approx(2.7291256807, abs=1e-9)


def test_the_published_code_gives_samples_the_radii_of_other_classes() -> None:
    unsorted, radii = torch.tensor([2, 0, 1, 0]), [1, 0.5, 0.2]
    own = unsorted == torch.arange(3)[:, None]
    scores = -torch.cdist(MU, Z)
    # radii in the order of the batch, own samples in the order of the classes
    scores[own] -= torch.tensor(radii, dtype=torch.float64)[unsorted]
    of_class = (scores.log_softmax(dim=1) * own).sum(dim=1) / own.sum(dim=1)
    assert -of_class.mean().item() == pytest.approx(2.4735465072, abs=1e-9)
    assert loss(*radii, labels=unsorted) < 2.4735465072 - 0.1


def test_equal_distances() -> None:
    z = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]], dtype=torch.float64)
    found = robust_loss(
        z, torch.tensor([0, 0, 1, 1]), torch.zeros(2, 2).double(), torch.full((2,), 0.7, dtype=torch.float64)
    )
    assert found.item() == pytest.approx(0.7 + math.log(2 * math.exp(-0.7) + 2), abs=1e-12)
    assert found.item() == pytest.approx(1.7963332294, abs=1e-10)


def test_a_larger_radius_always_costs() -> None:
    radii = torch.ones(3, dtype=torch.float64, requires_grad=True)
    robust_loss(Z, LABELS, MU, radii).backward()
    assert radii.grad is not None
    assert radii.grad.tolist() == pytest.approx([0.1430820360, 0.3238968495, 0.2928457012], abs=1e-9)


def test_the_loss_is_that_of_loops() -> None:
    torch.manual_seed(0)
    z, mu, eps = torch.randn(7, 3).double(), torch.randn(4, 3).double(), torch.rand(4).double()
    labels = torch.tensor([0, 3, 3, 1, 0, 0, 1])
    classes, total = [0, 1, 3], 0.0
    for c in classes:
        s = [-float((mu[c] - z[i]).norm()) - float(eps[c]) * int(labels[i] == c) for i in range(7)]
        bottom = math.log(sum(math.exp(value / 0.5) for value in s))
        own = [i for i in range(7) if labels[i] == c]
        total -= sum(float(s[i]) / 0.5 - bottom for i in own) / len(own) / len(classes)
    assert robust_loss(z, labels, mu, eps, temperature=0.5).item() == pytest.approx(total, abs=1e-12)


def test_gradients_are_those_of_differences_and_finite_at_a_centroid() -> None:
    torch.manual_seed(0)
    z, eps = torch.randn(5, 3).double().requires_grad_(), torch.rand(3).double().requires_grad_()
    mu, labels = torch.randn(3, 3).double(), torch.tensor([0, 1, 1, 2, 0])
    assert torch.autograd.gradcheck(lambda z, eps: robust_loss(z, labels, mu, eps), (z, eps))
    there = mu[:2].clone().requires_grad_()
    robust_loss(there, labels[:2], mu, eps.detach()).backward()
    assert there.grad is not None
    assert bool(there.grad.isfinite().all())


def test_centroids_are_the_class_means_of_a_pass_before_each_epoch() -> None:
    method = built(digits("dro-lt")).eval()
    _, stage, _ = method.stages()
    batch = share_of(noise(1, 9), Rank(), torch.float32)
    with torch.no_grad():
        method.before_epoch(clock_of(stage), lambda stream: iter([batch]))
        features = method.features(batch.views[0])
        for label in range(3):
            torch.testing.assert_close(method.centroids[label], features[batch.labels == label].mean(dim=0))
        # and of no pass in another stage
        method.before_epoch(
            replace(clock_of(stage), stage="classifier"), lambda stream: pytest.fail("a pass")
        )


def test_the_cross_entropy_of_the_features_stage_is_weighted_by_class_counts_in_full_precision() -> None:
    method = built(digits("dro-lt")).double()
    _, stage, _ = method.stages()
    batch = share_of(noise(1, 9), Rank(), torch.float64)
    found = method(batch, clock_of(stage))["classification"].item()
    logits = method.logits(method.features(batch.views[0]))
    weights = torch.tensor(
        [1, 1 / 3, 1 / 6], dtype=torch.float64
    )  # of 30, 10 and 5 images; in float32 1e-8 away
    expected = functional.cross_entropy(logits, batch.labels, weight=weights).item()
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_radius_a_class_is_all_that_it_adds_to_a_classifier() -> None:
    recipe = ROWS["cifar100-lt-if100-dro-lt"].recipe
    plain, robust = (
        build_method(recipe.change(method=name), torch.full((100,), 5), (3, 32, 32))
        for name in ("ce", "dro-lt")
    )
    assert parameter_count(robust) - parameter_count(plain) == 100


def test_stages_of_the_papers_row() -> None:
    recipe = ROWS["cifar100-lt-if100-dro-lt"].recipe
    assert (recipe.epochs, recipe.batch_size, recipe.decay) == (200, 128, 0.01)
    method = built(digits("dro-lt"))
    first, features, classifier = method.stages()
    assert first.learns == ("backbone.", "classifier.")
    assert features.learns == ("backbone.", "radii")
    assert classifier.learns == ("classifier.",)
    assert features.images == classifier.images == 30 * 3  # as many of each class as the largest has
    assert [stage.name for stage in method.stages_on("ce")] == ["features", "classifier"]
