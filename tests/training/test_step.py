"""One step: what it returns, what it changes, and that it can be continued."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bcl_edu.augment import Normalisation
from bcl_edu.methods import ParameterGroup, build_method
from bcl_edu.run_options import CompileMode, RunOptions
from bcl_edu.training import Recipe
from bcl_edu.training.batches import Loaded
from bcl_edu.training.distributed import Rank
from bcl_edu.training.step import TrainingStep, build_optimizer
from tests.methods.by_hand import clock
from tests.waiting import waiting_is_an_error

COUNTS = torch.tensor([30, 10, 5])
CPU = torch.device("cpu")


def new_step(recipe: Recipe, device: torch.device = CPU, compile: CompileMode | None = None) -> TrainingStep:
    torch.manual_seed(0)
    method = build_method(recipe, COUNTS, (1, 8, 8))
    step = TrainingStep(
        method,
        method.stages()[0],
        Normalisation((0.5,), (0.25,)),
        device,
        precision=recipe.precision,
        compile=compile,
    )
    step.train_mode()
    return step


def batch(number: int = 12, device: torch.device = CPU) -> Loaded:
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(256, (3, number, 1, 8, 8), generator=generator, dtype=torch.uint8)
    labels = torch.randint(3, (number,), generator=generator)
    return Loaded(images.to(device), labels.to(device), torch.arange(number))


def weights(step: TrainingStep) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in step.method.state_dict().items()}


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_steps_on_one_batch_lower_its_loss(precision: str, tiny: Recipe) -> None:
    step = new_step(replace(tiny, precision=precision))
    losses = [step(batch(), clock(0.02))["loss"].item() for _ in range(10)]
    assert losses[-1] < losses[0] - 0.5


def test_a_step_returns_the_loss_before_the_change_without_its_graph(tiny: Recipe) -> None:
    step = new_step(tiny)
    expected = step.loss(step.whole_batch(batch()), clock())["loss"].item()
    parts = step(batch(), clock(0.1))
    assert parts["loss"].item() == pytest.approx(expected, rel=1e-6)
    assert not any(part.requires_grad for part in parts.values())


def test_every_rank_has_the_whole_of_a_batch_that_takes_no_step(tiny: Recipe) -> None:
    step, loaded = new_step(tiny), batch()
    step.rank = Rank(rank=1, world_size=2)
    whole = step.whole_batch(loaded)
    assert torch.equal(whole.labels, loaded.labels)
    assert whole.gather(whole.labels) is whole.labels


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("change", "value"),
    [
        (lambda views: views.float(), "torch.float32"),
        (lambda views: views.expand(-1, -1, 3, -1, -1), "3, 8, 8"),
    ],
    ids=["normalised before", "colour"],
)
def test_views_that_the_normalisation_does_not_fit_are_refused(
    change: Callable[[Tensor], Tensor], value: str, tiny: Recipe
) -> None:
    step, loaded = new_step(tiny), batch()
    with pytest.raises(ValueError, match=value):
        step(replace(loaded, views=change(loaded.views)), clock())


def test_a_step_at_rate_zero_changes_no_weight(tiny: Recipe) -> None:
    step = new_step(tiny)
    before = [parameter.detach().clone() for parameter in step.method.parameters()]
    step(batch(), clock(0.0))
    assert all(map(torch.equal, before, step.method.parameters()))


def test_one_step_is_sgd_with_momentum_by_hand(tiny: Recipe) -> None:
    step = new_step(tiny)
    weight = step.method.classifier.weight
    velocity = torch.zeros_like(weight)
    for _ in range(3):
        before = weight.detach().clone()
        step(batch(), clock(0.1))
        gradient = weight.grad + tiny.weight_decay * before
        velocity = tiny.momentum * velocity + gradient
        torch.testing.assert_close(weight.detach(), before - 0.1 * velocity, rtol=1e-5, atol=1e-7)


def test_a_restored_step_goes_on_to_the_same_bits(tiny: Recipe) -> None:
    first, second = new_step(tiny), new_step(tiny)
    first(batch(), clock(0.1))
    second.restore(deepcopy(first.state()))  # as from a file: no memory is shared
    for step in (first, second):
        step(batch(), clock(0.1))
    after, expected = weights(second), weights(first)
    assert all(torch.equal(after[name], expected[name]) for name in expected)


@pytest.mark.usefixtures("shapes_unchecked")  # the compiler cannot look through their checks
def test_a_compiled_network_learns_and_the_mode_reaches_the_compiler(
    tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    torch_compile = torch.compile

    def compile_for_nothing(network: torch.nn.Module, *, mode: str) -> object:
        asked.append(mode)
        return torch_compile(network, backend="eager")  # what torch returns, without its minute of compiling

    monkeypatch.setattr(torch, "compile", compile_for_nothing)
    as_it_is = new_step(tiny)(batch(), clock(0.1))["loss"]
    for options in (RunOptions(compile="on"), RunOptions(compile="on", compile_mode="reduce-overhead")):
        compiled = new_step(tiny, compile=options.compiled_as)(batch(), clock(0.1))["loss"]
        torch.testing.assert_close(compiled, as_it_is)
    assert asked == ["default", "reduce-overhead"]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
@pytest.mark.usefixtures("shapes_unchecked")
def test_a_compiled_step_learns_and_restores_like_an_eager_one(mode: CompileMode, tiny: Recipe) -> None:
    cuda = torch.device("cuda")
    seen = batch(device=cuda)
    eager, compiled = new_step(tiny, cuda), new_step(tiny, cuda, compile=mode)
    for _ in range(5):  # the first ones record the graphs
        expected = eager(seen, clock(0.01))["loss"].item()
        assert compiled(seen, clock(0.01))["loss"].item() == pytest.approx(expected, rel=2e-2)
    for _ in range(3):  # what is restored is not what the other one has
        eager(seen, clock(0.05))
    compiled.restore(deepcopy(eager.state()))
    expected = eager(seen, clock(0.01))["loss"].item()
    assert compiled(seen, clock(0.01))["loss"].item() == pytest.approx(expected, rel=1e-3)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_step_never_makes_the_host_wait(precision: str, tiny: Recipe) -> None:
    cuda = torch.device("cuda")
    step = new_step(replace(tiny, precision=precision), cuda)
    seen = batch(device=cuda)
    step(seen, clock(0.1))  # allocates momentum and chooses kernels
    with waiting_is_an_error():
        step(seen, clock(0.1))


def test_a_stage_trains_the_parameters_that_it_names_and_leaves_the_rest_to_the_bit(tiny: Recipe) -> None:
    torch.manual_seed(0)
    method = build_method(tiny, COUNTS, (1, 8, 8))
    for mode in ("running", "batch"):
        stage = replace(method.stages()[0], learns=("classifier.",), frozen_batch_norm=mode)
        step = TrainingStep(method, stage, Normalisation((0.5,), (0.25,)), CPU)
        step.train_mode()
        before = weights(step)
        step(batch(), clock(0.1))
        changed = {
            name.split(".")[0]
            for name, value in weights(step).items()
            if not torch.equal(value, before[name])
        }
        # with batch statistics the running ones of frozen modules go on moving
        assert ("classifier" in changed, "backbone" in changed) == (True, mode == "batch")
        own = [name for name, parameter in method.named_parameters() if parameter.requires_grad]
        assert own == ["classifier.weight", "classifier.bias"]


def test_a_stage_that_names_no_parameter_is_refused(tiny: Recipe) -> None:
    method = build_method(tiny, COUNTS, (1, 8, 8))
    stage = replace(method.stages()[0], learns=("no_such_part.",))
    with pytest.raises(ValueError, match=r"'no_such_part\.'"):
        TrainingStep(method, stage, Normalisation((0.5,), (0.25,)), CPU)


def test_a_group_has_its_own_decay_and_rate(tiny: Recipe) -> None:
    method = build_method(tiny, COUNTS, (1, 8, 8))
    group = ParameterGroup(names=("classifier.bias",), weight_decay=0.0, rate=10.0)
    rest, own = build_optimizer(method, replace(method.stages()[0], groups=(group,))).param_groups
    assert (own["weight_decay"], own["rate"], len(own["params"])) == (0.0, 10.0, 1)
    assert (rest["weight_decay"], rest["rate"]) == (tiny.weight_decay, 1.0)
    assert len(rest["params"]) + 1 == len(list(method.parameters()))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_first_step_that_the_scaler_skips_leaves_a_momentum_of_zero(tiny: Recipe) -> None:
    cuda = torch.device("cuda")
    step = new_step(replace(tiny, precision="float16"), cuda)
    next(step.method.parameters()).data.fill_(float("inf"))
    step(batch(device=cuda), clock(0.1))
    assert not any(kept["momentum_buffer"].any() for kept in step.optimizer.state.values())
