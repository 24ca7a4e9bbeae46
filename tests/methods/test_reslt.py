"""ResLT: losses against values of the authors' function, groups of classes, branches on maps, and its rows."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bcl_edu.data.long_tail import exponential_profile
from bcl_edu.methods import build_method
from bcl_edu.methods.reslt import (
    ResidualBranches,
    branch_loss,
    build_branches,
    fusion_loss,
    learned_classes,
)
from bcl_edu.models import parameter_count
from bcl_edu.models.backbones import _BUILDERS
from bcl_edu.models.experts import Experts
from bcl_edu.rows import ROWS
from bcl_edu.rows.reslt_rows import ResLT
from bcl_edu.training.distributed import Rank
from tests.methods.harness import built, clock_of, digits, stage_batch

LOGITS = torch.tensor(
    [
        [[2, 0.5, -1], [0.1, 0.4, -0.2], [0, 0.2, 0.1]],
        [[0.3, 0.2, 0.1], [-0.5, 0.6, 0.9], [-1, 0.3, 1.1]],
        [[1, 1.5, 0], [0, 0.7, -0.3], [0.4, 0.1, -0.6]],
    ],
    dtype=torch.float64,
)
"""Of three samples, in three branches, for three classes."""
LABELS = torch.tensor([0, 2, 1])
LEARNED = torch.tensor([[True, True, True], [False, True, True], [False, False, True]])


def reslt(**options: float) -> ResidualBranches:
    """The method for three classes of digits."""
    method = built(digits("reslt", **options))
    assert isinstance(method, ResidualBranches)
    return method


def noise(dtype: torch.dtype = torch.float32) -> Tensor:
    """Six images of the digits' shape."""
    return torch.rand(6, 1, 8, 8, dtype=dtype, generator=torch.Generator().manual_seed(0))


def mixed(weight: float, epsilon: float, logits: Tensor = LOGITS) -> Tensor:
    of_branches = branch_loss(logits, LABELS, LEARNED, epsilon=epsilon)
    return weight * of_branches + (1 - weight) * fusion_loss(logits, LABELS)


@pytest.mark.parametrize(("epsilon", "expected"), [(1e-7, 0.6349007725), (0.0, 0.6349009700)])
def test_the_branches_loss_is_that_of_the_authors(epsilon: float, expected: float) -> None:
    assert branch_loss(LOGITS, LABELS, LEARNED, epsilon=epsilon).item() == pytest.approx(expected, abs=1e-10)


def test_the_fusion_loss() -> None:
    assert fusion_loss(LOGITS, LABELS).item() == pytest.approx(0.3507386539, abs=1e-10)


@pytest.mark.parametrize(
    ("weight", "epsilon", "expected"),
    [
        (0.995, 1e-7, 0.6334799619),
        (0.995, 0.0, 0.6334801584),
        (0.72, 1e-7, 0.5553353793),
        (0.5, 1e-7, 0.4928197132),
    ],
)
def test_the_mixture(weight: float, epsilon: float, expected: float) -> None:
    assert mixed(weight, epsilon).item() == pytest.approx(expected, abs=1e-10)


def test_the_loss_is_the_loop_over_samples_and_branches_that_learn_them() -> None:
    def loss_of(logits: list[float], label: int) -> float:
        return -math.log(math.exp(logits[label]) / sum(map(math.exp, logits)))

    labels = LABELS.tolist()
    of_branch = [
        [loss_of(logits, label) for logits, label in zip(branch, labels, strict=True) if label >= number]
        for number, branch in enumerate(LOGITS.transpose(0, 1).tolist())
    ]
    assert [len(losses) for losses in of_branch] == [3, 2, 1]
    found = branch_loss(LOGITS, LABELS, LEARNED, epsilon=0.0).item()
    assert found == pytest.approx(sum(map(sum, of_branch)) / 6, abs=1e-12)
    # a sum of the branches' means would be another loss
    assert sum(sum(losses) / len(losses) for losses in of_branch) == pytest.approx(1.7895782013, abs=1e-10)
    summed = LOGITS.sum(dim=1).tolist()
    of_sum = [loss_of(logits, label) for logits, label in zip(summed, labels, strict=True)]
    assert fusion_loss(LOGITS, LABELS).item() == pytest.approx(sum(of_sum) / 3, abs=1e-12)


def test_without_rarer_classes_it_is_the_first_branchs_cross_entropy() -> None:
    learned = LEARNED & torch.tensor([[True], [False], [False]])
    expected = functional.cross_entropy(LOGITS[:, 0], LABELS)
    torch.testing.assert_close(branch_loss(LOGITS, LABELS, learned, epsilon=0.0), expected)
    method = reslt(second_share=0.0, third_share=0.0, branch_weight=1.0, epsilon=0.0).double()
    (stage,) = method.stages()
    batch = stage_batch(stage, 12, Rank(), torch.float64)
    first = method.classifier(method.backbone(batch.views[0])[:, :64])
    found = method(batch, clock_of(stage))["loss"]
    torch.testing.assert_close(found, functional.cross_entropy(first, batch.labels))


def test_a_batch_without_rarer_classes_is_harmless() -> None:
    logits = LOGITS.clone().requires_grad_()
    branch_loss(logits, torch.zeros(3, dtype=torch.int64), LEARNED).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert not logits.grad[:, 1:].any()


def test_a_hopeless_sample_has_a_bounded_loss_and_no_gradient() -> None:
    logits = torch.tensor([[[0.0, 60.0, 0.0]] * 3], requires_grad=True)
    loss = branch_loss(logits, torch.tensor([0]), LEARNED)
    assert loss.item() == pytest.approx(16.118, abs=1e-3)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-15


@pytest.mark.parametrize("epsilon", [1e-7, 0.0])
def test_the_gradient_is_that_of_the_loss(epsilon: float) -> None:
    logits = LOGITS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: mixed(0.5, epsilon, z), logits)


# ---- the groups of classes


@pytest.mark.parametrize("factor", [100, 50, 10])
@pytest.mark.parametrize(("classes", "head", "second", "third"), [(100, 500, 35, 70), (10, 5000, 2, 4)])
def test_the_rows_groups_are_those_of_the_authors_code(
    classes: int, head: int, second: int, third: int, factor: int
) -> None:
    options = ROWS[f"cifar{classes}-lt-if{factor}-reslt"].recipe.method
    assert isinstance(options, ResLT)
    found = learned_classes(exponential_profile(head, classes, factor), options)
    assert found.tolist() == [[k >= begin for k in range(classes)] for begin in (0, second, third)]


def test_on_photographs_the_authors_shares_are_numbers_of_classes() -> None:
    found = learned_classes(torch.arange(1000, 0, -1), ResLT(second_share=0.825, third_share=0.22))
    assert found.sum(dim=1).tolist() == [1000, 825, 220]


def test_at_imbalance_factor_100_the_groups_are_those_of_the_shots() -> None:
    counts = exponential_profile(500, 100, 100)
    torch.testing.assert_close(
        learned_classes(counts, ResLT(groups="shots")), learned_classes(counts, ResLT())
    )
    counts = exponential_profile(500, 100, 50)
    assert learned_classes(counts, ResLT(groups="shots")).sum(dim=1).tolist() != [100, 65, 30]


def test_the_rarest_classes_need_not_stand_last_and_of_equals_the_last_are_rarer() -> None:
    options = ResLT(second_share=0.75, third_share=0.25)
    found = learned_classes(torch.tensor([5, 30, 9, 5]), options)
    assert found.tolist() == [[True] * 4, [True, False, True, True], [False, False, False, True]]


# ---- the network


@pytest.mark.parametrize(("classes", "expected"), [(10, 464_538), (100, 470_388)])
def test_the_network_has_the_authors_number_of_parameters(classes: int, expected: int) -> None:
    recipe = ROWS[f"cifar{classes}-lt-if100-reslt"].recipe
    method = build_method(recipe, torch.arange(classes, 0, -1), (3, 32, 32))
    assert parameter_count(method) == expected


@pytest.mark.parametrize(
    ("backbone", "expected"),
    [("resnet50", {1000: 38_152_232, 8142: 52_786_190}), ("resnext50", {1000: 37_624_104})],
)
def test_the_network_for_photographs_too(backbone: str, expected: dict[int, int]) -> None:
    with torch.device("meta"):
        network = build_branches(backbone, 3, convolutions=True)
        assert network(torch.empty(2, 3, 32, 32)).shape == (2, 3 * 2048)
    assert parameter_count(network.own) == 12_595_200
    for classes, parameters in expected.items():
        assert parameter_count(network) + 2048 * classes + classes == parameters


def test_branches_normalise_maps_not_their_means_which_in_evaluation_is_the_same() -> None:
    method = reslt().double()
    network = method.backbone
    assert isinstance(network, Experts)
    images = noise(torch.float64)
    first = network.own[0]
    with torch.no_grad():
        for weight in first.parameters():
            weight.uniform_(0.5, 2, generator=torch.Generator().manual_seed(1))

    def difference() -> float:
        maps = network.shared(images)
        branched = first(maps.mean(dim=(2, 3), keepdim=True)).flatten(1)
        return (branched - method.features(images)[:, :64]).abs().max().item()

    assert difference() > 0.1  # statistics over images only
    method.eval()
    assert difference() < 1e-13


def test_an_image_is_classified_by_the_sum_of_the_branches_logits() -> None:
    method = reslt().eval()
    found = method.predict(noise())
    layer = method.classifier
    expected = found.features.unflatten(1, (3, 64)).sum(dim=1) @ layer.weight.T + 3 * layer.bias
    torch.testing.assert_close(found.logits, expected)


def test_a_backbone_without_maps_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def flat(in_channels: int) -> nn.Module:
        network = nn.Flatten()
        network.feature_dim = 64  # type: ignore[assignment]
        return network

    monkeypatch.setitem(_BUILDERS, "flat", flat)
    with pytest.raises(ValueError, match="'flat'"):
        build_branches("flat", 1)


# ---- recipes


def test_the_rows_rate_is_that_of_the_authors() -> None:
    recipe = ROWS["cifar100-lt-if100-reslt"].recipe
    (stage,) = build_method(recipe, torch.arange(100, 0, -1), (3, 32, 32)).stages()
    rates = [stage.schedule.rate(epoch * 84, 84) for epoch in (0, 1, 2, 3, 4, 5, 159, 160, 179, 180)]
    expected = [0.0466667, 0.06, 0.0733333, 0.0866667, 0.1, 0.1, 0.1, 0.01, 0.01, 0.001]
    assert rates == pytest.approx(expected, rel=1e-5)
    assert (stage.batch_size, stage.epochs, stage.drop_last, stage.nesterov) == (128, 200, True, True)
    assert (stage.momentum, stage.weight_decay, len(stage.views.views)) == (0.9, 5e-4, 1)


@pytest.mark.parametrize(
    ("name", "weight", "figure"),
    [
        ("cifar100-lt-if100", 0.995, 48.21),
        ("cifar100-lt-if50", 0.99, 52.71),
        ("cifar100-lt-if10", 0.72, 62.01),
        ("cifar10-lt-if100", 0.998, 82.40),
        ("cifar10-lt-if50", 0.998, 85.17),
        ("cifar10-lt-if10", 0.96, 89.70),
    ],
)
def test_each_row_has_its_weight_and_figure(name: str, weight: float, figure: float) -> None:
    row = ROWS[f"{name}-reslt"]
    assert isinstance(row.recipe.method, ResLT)
    assert row.recipe.method.branch_weight == weight
    assert row.paper is not None
    assert row.paper.top1 == figure


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("branch_weight", 1.5),
        ("second_share", -0.1),
        ("third_share", 0.7),
        ("epsilon", 1.0),
        ("groups", "few"),
    ],
)
def test_values_outside_their_range_are_refused(name: str, value: float | str) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value!r}"):
        digits("reslt", **{name: value})
