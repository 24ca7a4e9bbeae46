"""One step: what it returns, what it changes, and that it can be continued."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from bcl_edu.augment import Normalisation
from bcl_edu.methods import build_method
from bcl_edu.run_options import CompileMode, RunOptions
from bcl_edu.training import Recipe
from bcl_edu.training.step import TrainingStep
from tests.waiting import waiting_is_an_error

COUNTS = torch.tensor([30, 10, 5])
CPU = torch.device("cpu")


def new_step(recipe: Recipe, device: torch.device = CPU, compile: CompileMode | None = None) -> TrainingStep:
    torch.manual_seed(0)
    method = build_method(recipe, COUNTS, (1, 8, 8))
    return TrainingStep(method, recipe, Normalisation((0.5,), (0.25,)), device, compile=compile)


def batch(number: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(256, (3, number, 1, 8, 8), generator=generator, dtype=torch.uint8)
    return images, torch.randint(3, (number,), generator=generator)


def weights(step: TrainingStep) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in step.method.model.state_dict().items()}


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_steps_on_one_batch_lower_its_loss(precision: str, tiny: Recipe) -> None:
    step = new_step(replace(tiny, precision=precision))
    losses = [step.take(*batch(), rate=0.02)["loss"].item() for _ in range(10)]
    assert losses[-1] < losses[0] - 0.5


def test_a_step_returns_the_loss_before_the_change_without_its_graph(tiny: Recipe) -> None:
    step = new_step(tiny)
    expected = step.loss(*batch())["loss"].item()
    parts = step.take(*batch(), rate=0.1)
    assert parts["loss"].item() == pytest.approx(expected, rel=1e-6)
    assert not any(part.requires_grad for part in parts.values())


def test_a_step_at_rate_zero_changes_no_weight(tiny: Recipe) -> None:
    step = new_step(tiny)
    before = [parameter.detach().clone() for parameter in step.method.model.parameters()]
    step.take(*batch(), rate=0.0)
    assert all(map(torch.equal, before, step.method.model.parameters()))


def test_one_step_is_sgd_with_momentum_by_hand(tiny: Recipe) -> None:
    step = new_step(tiny)
    weight = step.method.model.classifier.weight
    velocity = torch.zeros_like(weight)
    for _ in range(3):
        before = weight.detach().clone()
        step.take(*batch(), rate=0.1)
        gradient = weight.grad + tiny.weight_decay * before
        velocity = tiny.momentum * velocity + gradient
        torch.testing.assert_close(weight.detach(), before - 0.1 * velocity, rtol=1e-5, atol=1e-7)


def test_a_restored_step_goes_on_to_the_same_bits(tiny: Recipe) -> None:
    first, second = new_step(tiny), new_step(tiny)
    first.take(*batch(), rate=0.1)
    second.restore(deepcopy(first.state()))  # as from a file: no memory is shared
    for step in (first, second):
        step.take(*batch(), rate=0.1)
    after, expected = weights(second), weights(first)
    assert all(torch.equal(after[name], expected[name]) for name in expected)


def test_the_mode_of_compilation_reaches_the_compiler(tiny: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def compile_nothing(model: torch.nn.Module, *, mode: str) -> torch.nn.Module:
        asked.append(mode)
        return model

    monkeypatch.setattr(torch, "compile", compile_nothing)
    for options in (
        RunOptions(),
        RunOptions(compile=True),
        RunOptions(compile=True, compile_mode="reduce-overhead"),
    ):
        new_step(tiny, compile=options.compiled_as).take(*batch(), rate=0.1)
    assert asked == ["default", "reduce-overhead"]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
def test_a_compiled_step_learns_and_restores_like_an_eager_one(mode: CompileMode, tiny: Recipe) -> None:
    cuda = torch.device("cuda")
    images, labels = (tensor.to(cuda) for tensor in batch())
    eager, compiled = new_step(tiny, cuda), new_step(tiny, cuda, compile=mode)
    for _ in range(5):  # the first ones record the graphs
        expected = eager.take(images, labels, rate=0.01)["loss"].item()
        assert compiled.take(images, labels, rate=0.01)["loss"].item() == pytest.approx(expected, rel=2e-2)
    for _ in range(3):  # what is restored is not what the other one has
        eager.take(images, labels, rate=0.05)
    compiled.restore(deepcopy(eager.state()))
    expected = eager.take(images, labels, rate=0.01)["loss"].item()
    assert compiled.take(images, labels, rate=0.01)["loss"].item() == pytest.approx(expected, rel=1e-3)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_step_never_makes_the_host_wait(precision: str, tiny: Recipe) -> None:
    cuda = torch.device("cuda")
    step = new_step(replace(tiny, precision=precision), cuda)
    images, labels = (tensor.to(cuda) for tensor in batch())
    step.take(images, labels, rate=0.1)  # allocates momentum and chooses kernels
    with waiting_is_an_error():
        step.take(images, labels, rate=0.1)
