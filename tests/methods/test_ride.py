"""RIDE: its losses to the digits of the authors' functions, its network to the parameter, its router by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bcl_edu.losses import class_balanced_weights
from bcl_edu.losses.margins import ldam_margins
from bcl_edu.methods import build_method
from bcl_edu.methods.ride import (
    Router,
    class_temperatures,
    distillation,
    divergences,
    expert_cross_entropies,
    prefix_means,
    router_loss,
    router_targets,
)
from bcl_edu.models import parameter_count
from bcl_edu.models.experts import build_experts
from bcl_edu.rows import RECIPES, ROWS
from bcl_edu.run_options import RunOptions
from bcl_edu.training.data import prepare_data
from bcl_edu.training.loop import train
from tests.methods.harness import digits, options

COUNTS = torch.tensor([100, 10, 1])
LABELS = torch.tensor([0, 2])
LOGITS = torch.tensor(
    [[[2, 1, -1], [1, 1.5, 0]], [[0.5, 0, 1], [-0.5, 0.2, 0.8]]], dtype=torch.float64
)  # (sample, expert, class)
MARGINS = 30 * ldam_margins(COUNTS)
WEIGHTS = class_balanced_weights(COUNTS)
ONES = torch.ones(3, dtype=torch.float64)
RIGHT = torch.tensor([[0, 1, 1], [0, 0, 0], [1, 0, 1], [0, 0, 1]], dtype=torch.bool)
GATES = torch.tensor([[0.3, -1.2], [-0.7, 0.4], [1.1, 0.0], [2.0, -0.5]], dtype=torch.float64)
DIGITS = RECIPES["digits-lt"][1].change(method="ride")


def near(expected: float | list[float]) -> object:
    return pytest.approx(expected, abs=1e-9)


# ---- losses


def test_until_the_classes_are_reweighted() -> None:
    assert expert_cross_entropies(LOGITS, LABELS, MARGINS).tolist() == near([9.4325292869, 10.1261627332])
    assert divergences(LOGITS, ONES).tolist() == near([0.0491473709, 0.0497106711])
    total = expert_cross_entropies(LOGITS, LABELS, MARGINS).sum()
    assert (total - 0.45 * divergences(LOGITS, ONES).sum()).item() == near(19.5142059011)
    assert (total - 0.2 * divergences(LOGITS, ONES).sum()).item() == near(19.5389204116)


def test_once_the_classes_are_reweighted() -> None:
    temperatures = class_temperatures(COUNTS, 0.05)
    assert temperatures.tolist() == near([1, 0.8879202989, 0.8767123288])
    cross_entropies = expert_cross_entropies(LOGITS, LABELS, MARGINS, WEIGHTS)
    assert cross_entropies.tolist() == near([14.8638049918, 14.7101174472])
    bare = divergences(LOGITS, temperatures) / temperatures.mean() ** 2
    assert bare.tolist() == near([0.0521912923, 0.0518845168])
    total = cross_entropies.sum()
    assert (total - 0.45 * divergences(LOGITS, temperatures).sum()).item() == near(29.5341488613)
    mild = class_temperatures(COUNTS, 0.02)
    assert (total - 0.2 * divergences(LOGITS, mild).sum()).item() == near(29.5550385304)


def test_temperatures_of_cifar_100() -> None:
    counts = torch.tensor([int(500 * 100 ** (-k / 99)) for k in range(100)])
    temperatures = class_temperatures(counts, 0.05)
    assert temperatures[[0, -1]].tolist() == near([1, 0.8067108433])
    assert temperatures.mean().item() == near(0.8471141343)


def test_distillation_adds_the_whole_loss_once_an_expert() -> None:
    teacher = torch.tensor([[3, 0, -1], [0, 0, 2]], dtype=torch.float64)
    kd = distillation(LOGITS, teacher)
    assert kd.item() == near(0.3916776781)
    assert (2 * (19.5142059011 + kd)).item() == near(39.8117671585)


def test_equal_experts_do_not_diverge() -> None:
    alike = LOGITS[:, :1].expand(-1, 4, -1)
    assert divergences(alike, class_temperatures(COUNTS, 0.05)).tolist() == near([0.0] * 4)


def test_the_losses_are_those_of_loops_over_samples_and_classes() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(5, 3, 4, dtype=torch.float64), torch.tensor([0, 3, 1, 1, 2])
    counts = torch.tensor([40, 20, 8, 3])
    margins, weights, t = (
        ldam_margins(counts),
        class_balanced_weights(counts),
        class_temperatures(counts, 0.3),
    )
    for expert in range(3):
        top = bottom = kl = 0.0
        for i, y in enumerate(labels.tolist()):
            z = logits[i, expert].clone()
            z[y] -= margins[y]
            top += weights[y] * (z.exp().sum().log() - z[y])
            bottom += weights[y]
            mean = (logits[i].mean(0) / t).softmax(0)
            kl += (mean * (mean / (logits[i, expert] / t).softmax(0)).log()).sum() / 5
        assert expert_cross_entropies(logits, labels, margins, weights)[expert].item() == near(
            float(top / bottom)
        )
        assert divergences(logits, t)[expert].item() == near(float(t.mean() ** 2 * kl))


def test_gradients_are_those_of_differences() -> None:
    logits = LOGITS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: expert_cross_entropies(z, LABELS, MARGINS, WEIGHTS), (logits,))
    # the mean is a constant to the divergence
    fixed = LOGITS.mean(dim=1).softmax(dim=1)

    def with_constant_mean(z: Tensor) -> Tensor:
        return sum(functional.kl_div(e.log_softmax(1), fixed, reduction="batchmean") for e in z.unbind(1))

    ours, theirs = (
        torch.autograd.grad(f(logits), logits)[0]
        for f in (lambda z: divergences(z, ONES).sum(), with_constant_mean)
    )
    torch.testing.assert_close(ours, theirs)


# ---- router


def test_a_further_expert_is_worth_asking_where_it_mends_an_error() -> None:
    assert router_targets(RIGHT).T.tolist() == [[True, False, False, True], [False, False, True, True]]


def test_loss_of_the_router() -> None:
    each = [
        router_loss(GATES[:, [g]], torch.stack([RIGHT[:, g], RIGHT[:, g + 1 :].any(1)], 1)) for g in (0, 1)
    ]
    assert [value.item() for value in each] == near([17.4797117313, 41.9746785484])
    assert router_loss(GATES, RIGHT).item() == near(29.7271951399)


def test_means_of_the_first_experts() -> None:
    assert prefix_means(LOGITS)[0].tolist() == [[2, 1, -1], [1.5, 1.25, -0.5]]


@pytest.mark.parametrize(("experts", "expected"), [(2, 831), (3, 1615)])
def test_size_of_the_router(experts: int, expected: int) -> None:
    assert parameter_count(Router(experts, 48, top=30)) == expected


def test_an_image_gets_the_mean_of_the_experts_that_its_gates_ask() -> None:
    torch.manual_seed(0)
    method = build_method(DIGITS, torch.tensor([9, 5, 3]), (1, 8, 8)).eval()
    method.routing.fill_(True)
    features = torch.rand(3, method.feature_dim)
    means = prefix_means(method._expert_logits(features))
    gates = torch.tensor([[-1.0, 9.0], [1.0, -1.0], [1.0, 1.0]])
    method.router = _Answers(gates)
    assert torch.equal(method.logits(features), means[torch.arange(3), torch.arange(3)])
    method.routing.fill_(False)
    assert torch.equal(method.logits(features), means[:, -1])


class _Answers(nn.Module):
    def __init__(self, gates: Tensor) -> None:
        super().__init__()
        self.answers = gates

    def forward(self, features: Tensor, means: Tensor) -> Tensor:
        return self.answers


def test_a_router_cannot_look_at_more_logits_than_there_are_classes() -> None:
    with pytest.raises(ValueError, match=r"router_top is 30.* 10 classes"):
        build_method(DIGITS.change(router_top=30), torch.full((10,), 5), (1, 8, 8))


# ---- network

SIZES = {
    ("resnet32", 2, True, 100): 530_512,
    ("resnet32", 3, True, 100): 783_856,
    ("resnet32", 6, True, 100): 1_543_888,
    ("resnet32", 2, True, 10): 521_872,
    ("resnet32", 3, True, 10): 770_896,
    ("resnet32", 2, False, 100): 915_984,
    ("resnet32", 3, False, 100): 1_362_064,
    ("resnet50", 2, True, 1000): 29_599_808,
    ("resnet50", 3, True, 1000): 43_677_248,
    ("resnet50", 2, True, 8142): 51_540_032,
    ("resnet50", 3, True, 8142): 76_587_584,
    ("resnext50", 2, True, 1000): 29_063_488,
    ("resnext50", 3, True, 1000): 42_889_024,
}


@pytest.mark.parametrize(("key", "expected"), SIZES.items())
def test_the_network_has_as_many_parameters_as_the_authors(
    key: tuple[str, int, bool, int], expected: int
) -> None:
    name, experts, narrow, classes = key
    with torch.device("meta"):
        backbone = build_experts(name, 3, experts, narrow=narrow)
    assert parameter_count(backbone) + experts * classes * backbone.expert_dim == expected


def test_only_known_backbones_can_be_split() -> None:
    with pytest.raises(ValueError, match="'vgg'"):
        build_experts("vgg", 3, 2)


# ---- stages and rows


def test_the_experts_learn_first_and_the_router_alone_afterwards() -> None:
    method = build_method(DIGITS, torch.full((10,), 5), (1, 8, 8))
    experts, router = method.stages()
    assert experts.learns == ("backbone.", "classifier.")
    assert router.learns == ("router.",)
    assert (router.epochs, router.batch_size, router.nesterov) == (5, 512, True)
    assert [stage.name for stage in method.stages_on("ride")] == ["router"]


def test_classes_are_reweighted_after_160_of_200_epochs() -> None:
    row = ROWS["cifar100-lt-if100-ride"].recipe
    assert (row.epochs * row.method.reweighted_from, row.method.experts) == (160, 3)
    assert ROWS["imagenet-lt-resnet50-ride"].recipe.method.experts == 2


def test_options_out_of_range_are_named() -> None:
    for name, value in (
        ("experts", 1),
        ("diversity_gamma", 1.0),
        ("reweighted_from", 1.5),
        ("router_top", 0),
    ):
        with pytest.raises(ValueError, match=f"{name} is {value}"):
            replace(DIGITS.method, **{name: value})


def test_a_teacher_is_asked_and_stays_the_same_one(tmp_path: Path) -> None:
    train(digits("ce"), options(tmp_path / "teacher"))
    recipe = digits("ride", teacher=str(tmp_path / "teacher"), router=False)
    result = train(recipe, options(tmp_path / "student"))
    assert result.metrics[0]["loss_distillation"] > 0
    assert not any(name.startswith("_teacher") for name in result.method.state_dict())
    stored = result.method.teacher_digest.clone()
    train(digits("ce", seed=1), options(tmp_path / "other"))
    data = prepare_data(recipe, RunOptions())
    other = build_method(
        recipe.change(teacher=str(tmp_path / "other")), data.class_counts, data.train.image_shape
    )
    other.teacher_digest.copy_(stored)
    with pytest.raises(ValueError, match="is not the one that this run began with"):
        other._ask_teacher(torch.zeros(1, 1, 8, 8))


def test_a_finished_run_gets_its_router_in_a_run_of_its_own(tmp_path: Path) -> None:
    first = train(digits("ride", router=False), options(tmp_path / "experts"))
    second = train(digits("ride"), options(tmp_path / "router", init_from=tmp_path / "experts"))
    assert [row["stage"] for row in second.metrics if "stage" in row] in ([], ["router"] * 2)
    experts = first.method.state_dict()
    for name, value in second.method.state_dict().items():
        if name.startswith(("backbone.", "classifier.")):
            assert torch.equal(value, experts[name]), name
