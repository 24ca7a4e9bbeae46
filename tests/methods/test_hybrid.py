"""Hybrid-SC and Hybrid-PSC: both contrastive losses to the digits, the two streams and the weights of the branches."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from bcl_edu.augment import view_policy
from bcl_edu.losses import supervised_contrastive_loss
from bcl_edu.methods import Clock, build_method
from bcl_edu.methods.hybrid import PrototypicalHybrid, SupervisedHybrid, prototypical_losses
from bcl_edu.models import parameter_count
from bcl_edu.rows import ROWS
from bcl_edu.training.distributed import Rank
from tests.methods.harness import built, clock_of, digits, stage_batch

CIRCLE = torch.tensor([[1, 0], [0.8, 0.6], [0, 1], [-0.6, 0.8], [0.6, 0.8]], dtype=torch.float64)
CLASSES = torch.tensor([0, 0, 1, 1, 0])
PROTOTYPES = torch.tensor([[1, 0], [0, 1], [-1, 0]], dtype=torch.float64)
EMBEDDINGS = torch.tensor([[0.8, 0.6], [0, 1]], dtype=torch.float64)
LABELS = torch.tensor([0, 1])


@pytest.mark.parametrize(("temperature", "mean"), [(0.1, 0.9811123080), (1.0, 1.0976514659)])
def test_the_contrast_among_samples_is_the_papers_scl(temperature: float, mean: float) -> None:
    method = built(digits("hybrid-sc", temperature=temperature))
    assert isinstance(method, SupervisedHybrid)
    assert method.contrast(CIRCLE, CLASSES).item() == pytest.approx(mean, abs=1e-9)
    summed = built(digits("hybrid-sc", temperature=temperature, summed_anchors=True))
    assert isinstance(summed, SupervisedHybrid)
    assert summed.contrast(CIRCLE, CLASSES).item() == pytest.approx(5 * mean, abs=1e-8)


def test_each_anchors_loss() -> None:
    expected = [1.1272241741, 1.0064351149, 0.7587807640, 0.0058357971, 2.0072856899]
    for i, loss in enumerate(expected):
        positives = [p for p in range(5) if p != i and CLASSES[p] == CLASSES[i]]
        logits = (CIRCLE @ CIRCLE[i] / 0.1).tolist()
        denominator = math.log(sum(math.exp(logits[k]) for k in range(5) if k != i))
        assert sum(denominator - logits[p] for p in positives) / len(positives) == pytest.approx(
            loss, abs=1e-10
        )


def simplex(classes: int) -> Tensor:
    """Unit vectors with equal angles between them."""
    centred = torch.eye(classes, dtype=torch.float64) - 1 / classes
    return functional.normalize(centred, dim=1)


def test_a_collapsed_simplex_has_the_known_loss() -> None:
    found = supervised_contrastive_loss(simplex(10).repeat(4, 1), torch.arange(10).repeat(4), temperature=0.1)
    assert found.item() == pytest.approx(1.0987916167, abs=1e-9)


@pytest.mark.parametrize(
    ("temperature", "own", "expected"),
    [
        (0.1, False, [-1.9999991685, -9.3068528194]),
        (1.0, False, [0.0204174099, -0.3068528194]),
        (0.1, True, [0.1269281102, 0.0000907957]),
        (1.0, True, [0.7034079934, 0.5514447139]),
    ],
)
def test_the_loss_against_prototypes_and_its_loop(
    temperature: float, own: bool, expected: list[float]
) -> None:
    found = prototypical_losses(
        EMBEDDINGS, PROTOTYPES, LABELS, temperature=temperature, own_in_denominator=own
    )
    assert found.tolist() == pytest.approx(expected, abs=1e-9)
    for z, y, loss in zip(EMBEDDINGS, [0, 1], found.tolist(), strict=True):
        logits = [float(z @ p) / temperature for p in PROTOTYPES]
        others = sum(math.exp(logit) for j, logit in enumerate(logits) if own or j != y)
        assert loss == pytest.approx(math.log(others) - logits[y], abs=1e-12)


@pytest.mark.parametrize(("temperature", "expected"), [(0.1, -5.6534259940), (1.0, -0.1432177048)])
def test_the_mean_against_prototypes(temperature: float, expected: float) -> None:
    found = prototypical_losses(EMBEDDINGS, PROTOTYPES, LABELS, temperature=temperature).mean()
    assert found.item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("classes", "temperature", "expected", "with_own"),
    [
        (10, 1.0, 1.0861134662, 1.3769349205),
        (100, 0.1, -5.5058902509, 0.0040545393),
        (10, 0.1, -8.9138865338, 0.0001344990),
    ],
)
def test_at_its_prototype_on_a_simplex(
    classes: int, temperature: float, expected: float, with_own: float
) -> None:
    at = simplex(classes), simplex(classes), torch.arange(classes)
    assert prototypical_losses(*at, temperature=temperature).mean().item() == pytest.approx(
        expected, abs=1e-9
    )
    own = prototypical_losses(*at, temperature=temperature, own_in_denominator=True)
    assert own.mean().item() == pytest.approx(with_own, abs=1e-9)


def test_the_gradient_is_that_of_the_loss() -> None:
    inputs = EMBEDDINGS.clone().requires_grad_(), PROTOTYPES.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z, p: prototypical_losses(z, p, LABELS, temperature=0.5), inputs)


@pytest.mark.parametrize("name", ["hybrid-sc", "hybrid-psc"])
def test_the_contrast_learns_first_and_the_classifier_last(name: str) -> None:
    for epoch, learning, still in ((0, "projection", "classifier"), (20, "classifier", "projection")):
        method = built(digits(name))
        (stage,) = method.stages()
        batch = stage_batch(stage, 12, Rank(), torch.float32)
        method(batch, Clock(0, stage.name, epoch, 20, 0, 1, 0.1))["loss"].backward()
        moved = {n.split(".")[0] for n, p in method.named_parameters() if p.grad is not None and p.grad.any()}
        assert learning in moved
        assert still not in moved


@pytest.mark.parametrize(("name", "views"), [("hybrid-sc", 2), ("hybrid-psc", 1)])
def test_the_branches_see_other_images_in_the_views_of_their_branch(name: str, views: int) -> None:
    recipe = ROWS["cifar100-lt-if100-hybrid-sc"].recipe.change(method=name, views="cifar")
    (stage,) = build_method(recipe, torch.ones(100, dtype=torch.int64), (3, 32, 32)).stages()
    policy = view_policy("cifar", image_size=32)
    assert stage.views.views == policy.views[1 : 1 + views]
    balanced = stage.streams["balanced"]
    assert (balanced.views.views, balanced.batch_size) == (policy.views[:1], recipe.batch_size)
    labels = torch.arange(3).repeat_interleave(torch.tensor([1000, 100, 10]))
    drawn = labels[balanced.sampler.draw(labels, 30_000, torch.Generator().manual_seed(0))]
    assert (torch.bincount(drawn) / len(drawn)).tolist() == pytest.approx([1 / 3] * 3, abs=0.01)


@pytest.mark.parametrize("name", ["hybrid-sc", "hybrid-psc"])
def test_a_joint_pass_differs_by_batch_statistics_alone(name: str) -> None:
    apart, joint = built(digits(name)), built(digits(name, joint_pass=True))
    (stage,) = apart.stages()
    batch = stage_batch(stage, 12, Rank(), torch.float32)
    losses = [method(batch, clock_of(stage))["loss"].item() for method in (apart, joint)]
    assert losses[0] != losses[1]
    joint.load_state_dict(apart.state_dict())
    losses = [method.eval()(batch, clock_of(stage))["loss"].item() for method in (apart, joint)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize(("hidden", "expected"), [(None, 12_480), (512, 98_944)])
def test_the_heads_number_of_parameters(hidden: int | None, expected: int) -> None:
    recipe = ROWS["cifar100-lt-if100-hybrid-sc"].recipe.change(head_hidden=hidden)
    method = build_method(recipe, torch.ones(100, dtype=torch.int64), (3, 32, 32))
    assert isinstance(method, SupervisedHybrid)
    assert parameter_count(method.projection) == expected


def test_prototypes_add_a_row_a_class() -> None:
    recipe = ROWS["cifar100-lt-if100-hybrid-sc"].recipe
    of = [
        build_method(recipe.change(method=name), torch.ones(100, dtype=torch.int64), (3, 32, 32))
        for name in ("hybrid-sc", "hybrid-psc")
    ]
    assert isinstance(of[1], PrototypicalHybrid)
    assert parameter_count(of[1]) - parameter_count(of[0]) == 12_800


def test_grey_plain_views_are_grey_in_a_fifth_of_all_cases() -> None:
    grey, plain = (view_policy(name, image_size=32) for name in ("plain-grey", "plain"))
    assert [replace(view, grey=0.0) for view in grey.views] == list(plain.views)
    assert {view.grey for view in grey.views} == {0.2}


@pytest.mark.parametrize(
    ("name", "value"), [("contrast_views", 3), ("temperature", 0.0), ("balanced_batch_size", 0)]
)
def test_values_outside_their_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        digits("hybrid-sc", **{name: value})
