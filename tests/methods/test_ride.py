"""RIDE: its losses to the digits of the authors' functions, its network to the parameter, its router by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bcl_edu.losses import class_balanced_weights
from bcl_edu.losses.margins import ldam_margins
from bcl_edu.methods import build_method
from bcl_edu.methods.ride import (
    Ride,
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
from tests.methods.by_hand import Given, batch, clock
from tests.methods.harness import digits, options

COUNTS = torch.tensor([100, 10, 1])
LABELS = torch.tensor([0, 2])
LOGITS = torch.tensor(
    [[[2, 1, -1], [1, 1.5, 0]], [[0.5, 0, 1], [-0.5, 0.2, 0.8]]], dtype=torch.float64
)  # (sample, expert, class)
MARGINS = 30 * ldam_margins(COUNTS)
WEIGHTS = class_balanced_weights(COUNTS)
TEACHER = torch.tensor([[3, 0, -1], [0, 0, 2]], dtype=torch.float64)
ONES = torch.ones(3, dtype=torch.float64)
RIGHT = torch.tensor([[0, 1, 1], [0, 0, 0], [1, 0, 1], [0, 0, 1]], dtype=torch.bool)
GATES = torch.tensor([[0.3, -1.2], [-0.7, 0.4], [1.1, 0.0], [2.0, -0.5]], dtype=torch.float64)
DIGITS = RECIPES["digits-lt"][1].change(method="ride")


def near(expected: float | list[float] | tuple[float, ...]) -> object:
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


def test_distillation() -> None:
    assert distillation(LOGITS, TEACHER).item() == near(0.3916776781)


# ---- the method's sums of them


def ride(logits: Tensor, **options: Any) -> Ride:
    """The method for three classes, whose experts answer with these logits in float64."""
    recipe = DIGITS.change(experts=logits.shape[1], **{"router": False} | options)
    method = build_method(recipe, COUNTS, (1, 8, 8))
    assert isinstance(method, Ride)
    exact = {
        "margins": MARGINS,
        "weights": WEIGHTS,
        "temperatures": class_temperatures(COUNTS, method.options.diversity_gamma),
    }
    for name, values in exact.items():
        torch.testing.assert_close(method.get_buffer(name), values.float())
        setattr(method, name, values)
    method.classifier = nn.ModuleList(Given(expert) for expert in logits.unbind(1))
    return method


IMAGES = torch.rand(1, 2, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def whole_losses(*epochs: int, **options: Any) -> tuple[float, ...]:
    """Of the two samples in these epochs of 200."""
    method, seen = ride(LOGITS, **options), batch(IMAGES, LABELS)
    return tuple(method(seen, clock(epoch=epoch, epochs=200))["loss"].item() for epoch in epochs)


def test_the_whole_loss_before_and_after_the_classes_are_reweighted() -> None:
    expected = (19.5142059011, 19.5142059011, 29.5341488613, 29.5341488613)
    assert whole_losses(0, 159, 160, 199) == near(expected)
    mild = {"diversity": -0.2, "diversity_gamma": 0.02}
    assert whole_losses(159, 160, **mild) == near((19.5389204116, 29.5550385304))


def test_with_a_teacher_the_whole_loss_counts_once_an_expert() -> None:
    method = ride(LOGITS, teacher="six experts")
    method._ask_teacher = lambda images: TEACHER
    losses = method(batch(IMAGES, LABELS), clock(epoch=9, epochs=200))
    assert losses["distillation"].item() == near(0.3916776781)
    assert losses["loss"].item() == near(39.8117671585)


def test_collaborating_experts_each_pay_for_their_mean() -> None:
    mean = LOGITS.mean(dim=1) - functional.one_hot(LABELS, 3) * MARGINS
    expected = 2 * functional.cross_entropy(mean, LABELS).item()
    assert whole_losses(0, collaborative=True, diversity=0.0) == near((expected,))


def test_the_router_learns_from_the_means_of_the_first_experts() -> None:
    means = torch.zeros(4, 3, 3, dtype=torch.float64)  # class 0, the label, is on top where the mean is right
    means[:, :, 0], means[:, :, 1] = RIGHT.double(), (~RIGHT).double()
    sums = means * torch.tensor([1, 2, 3])[:, None]
    method = ride(sums.diff(dim=1, prepend=torch.zeros(4, 1, 3).double()), router=True)
    method.router = Given(GATES)
    seen = batch(IMAGES.expand(1, 2, 1, 8, 8).repeat(1, 2, 1, 1, 1), torch.zeros(4, dtype=torch.int64))
    assert method(seen, replace(clock(), stage="router"))["loss"].item() == near(29.7271951399)


# ---- the same by loops, and by differences


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
    assert torch.autograd.gradcheck(lambda z: distillation(z, TEACHER), (logits,))
    assert torch.autograd.gradcheck(lambda gates: router_loss(gates, RIGHT), GATES.clone().requires_grad_())


@pytest.mark.parametrize("temperatures", [ONES, torch.tensor([1, 0.6, 0.3], dtype=torch.float64)])
def test_the_mean_is_a_constant_to_the_divergence(temperatures: Tensor) -> None:
    logits = LOGITS.clone().requires_grad_()
    fixed = (LOGITS.mean(dim=1) / temperatures).softmax(dim=1)

    def with_constant_mean(z: Tensor) -> Tensor:
        experts = (z / temperatures).log_softmax(dim=2).unbind(1)
        kl = sum(functional.kl_div(e, fixed, reduction="batchmean") for e in experts)
        return temperatures.mean() ** 2 * kl

    ours, theirs = (
        torch.autograd.grad(f(logits), logits)[0]
        for f in (lambda z: divergences(z, temperatures).sum(), with_constant_mean)
    )
    torch.testing.assert_close(ours, theirs)
    # two experts that move against each other leave their mean where it is
    apart = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda d: divergences(LOGITS + torch.stack([d, -d], dim=1), temperatures), apart
    )


def test_distillation_is_the_loop_over_samples_and_classes() -> None:
    expected = 0.0
    for experts, teacher in zip(LOGITS.tolist(), TEACHER.tolist(), strict=True):
        student = [sum(expert[k] for expert in experts) / 2 / 1.5 for k in range(3)]
        target = [logit / 1.5 for logit in teacher]
        tops = [math.log(sum(math.exp(logit) for logit in logits)) for logits in (student, target)]
        for k in range(3):
            log_p, log_q = student[k] - tops[0], target[k] - tops[1]
            expected += 1.5**2 * math.exp(log_q) * (log_q - log_p) / 2
    assert distillation(LOGITS, TEACHER).item() == pytest.approx(expected, abs=1e-12)


# ---- router


def test_the_routers_loss_is_the_loop_over_images_and_gates() -> None:
    expected = 0.0
    for gates, right in zip(GATES.tolist(), RIGHT.tolist(), strict=True):
        for i, gate in enumerate(gates):
            asked = 1 / (1 + math.exp(-gate))
            worth_it = not right[i] and any(right[i + 1 :])
            expected -= (100 * math.log(asked) if worth_it else math.log(1 - asked)) / 8
    assert router_loss(GATES, RIGHT).item() == pytest.approx(expected, abs=1e-12)


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
    method.router = Given(gates)
    assert torch.equal(method.logits(features), means[torch.arange(3), torch.arange(3)])
    method.routing.fill_(False)
    assert torch.equal(method.logits(features), means[:, -1])


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
    with pytest.raises(ValueError, match="not the one"):
        other._ask_teacher(torch.zeros(1, 1, 8, 8))


def test_a_finished_run_gets_its_router_in_a_run_of_its_own(tmp_path: Path) -> None:
    first = train(digits("ride", router=False), options(tmp_path / "experts"))
    second = train(digits("ride"), options(tmp_path / "router", init_from=tmp_path / "experts"))
    assert [row["stage"] for row in second.metrics if "stage" in row] in ([], ["router"] * 2)
    experts = first.method.state_dict()
    for name, value in second.method.state_dict().items():
        if name.startswith(("backbone.", "classifier.")):
            assert torch.equal(value, experts[name]), name
