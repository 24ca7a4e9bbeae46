"""cRT, LWS and tau-normalisation, against the paper and the values of the authors' code."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from bcl_edu.methods import build_method
from bcl_edu.methods.decoupling import ClassifierRetraining, LearnableWeightScaling
from bcl_edu.methods.samplers import ClassAware
from bcl_edu.methods.tau_norm import TauNormalisation, tau_normalised
from bcl_edu.rows import RECIPES
from bcl_edu.training.checkpoint import CheckpointError, load_checkpoint
from bcl_edu.training.distributed import Rank
from bcl_edu.training.loop import train
from bcl_edu.training.step import TrainingStep
from tests.methods.harness import (
    CPU,
    NORMALISATION,
    assert_same_run,
    built,
    clock_of,
    digits,
    options,
    stage_batch,
    stops_inside_stages,
    with_stops,
)

WEIGHT = torch.tensor([[3.0, 4.0], [1.0, 2.0], [-0.6, 0.8]], dtype=torch.float64)
BIAS = torch.tensor([2.0, 0.0, -1.0], dtype=torch.float64)
FEATURES = torch.tensor([[0.2, 1.0]], dtype=torch.float64)


# ---- tau-normalisation


@pytest.mark.parametrize(
    ("tau", "expected"),
    [
        (0.0, [4.6, 2.2, 0.68]),
        (0.5, [2.0571825393, 1.4712286709, 0.68]),
        (0.7, [1.4910040690, 1.2525157027, 0.68]),
        (1.0, [0.92, 0.9838699101, 0.68]),
    ],
)
def test_logits_of_normalised_rows(tau: float, expected: list[float]) -> None:
    found = functional.linear(FEATURES, tau_normalised(WEIGHT, tau))[0]
    assert found.tolist() == pytest.approx(expected, abs=1e-10)


def test_a_row_that_is_c_times_as_long_has_a_logit_c_to_the_1_minus_tau_times_as_large() -> None:
    longer = WEIGHT * torch.tensor([[1.0], [8.0], [1.0]])
    for tau in (0.0, 0.5, 1.0):
        ratio = tau_normalised(longer, tau)[1] / tau_normalised(WEIGHT, tau)[1]
        assert ratio.tolist() == pytest.approx([8 ** (1 - tau)] * 2)


def test_tau_norm_trains_as_cross_entropy_and_predicts_without_the_bias() -> None:
    first, second = built(digits("tau-norm", tau=0.0)), built(digits("tau-norm", tau=1.0))
    batch = stage_batch(first.stages()[0], 12, Rank(), torch.float32)
    clock = clock_of(first.stages()[0])
    assert torch.equal(first(batch, clock)["loss"], second(batch, clock)["loss"])
    assert isinstance(second, TauNormalisation)
    features = torch.rand(5, second.feature_dim)
    before = second.logits(features)
    torch.nn.init.constant_(second.classifier.bias, 7.0)
    assert torch.equal(second.logits(features), before)


# ---- cRT


def test_one_step_of_a_new_classifier_on_a_balanced_batch() -> None:
    features = torch.tensor([[1.0, 2.0], [0.5, -1.0], [-1.0, 0.0]], dtype=torch.float64)
    labels = torch.tensor([0, 1, 2])
    weight = torch.zeros(3, 2, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    loss = functional.cross_entropy(functional.linear(features, weight, bias), labels)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(3), abs=1e-12)
    assert weight.grad is not None
    assert bias.grad is not None
    assert bias.grad.tolist() == pytest.approx([0.0] * 3, abs=1e-15)
    expected = [[-5 / 18, -5 / 9], [-1 / 9, 4 / 9], [7 / 18, 1 / 9]]
    torch.testing.assert_close(weight.grad, torch.tensor(expected, dtype=torch.float64))
    moved = weight.detach() - 0.2 * weight.grad
    after = functional.cross_entropy(functional.linear(features, moved, bias.detach()), labels)
    assert after.item() == pytest.approx(0.9549832715, abs=1e-10)


def test_the_sampler_gives_groups_of_one_class_and_each_class_once_in_turn() -> None:
    labels = torch.tensor([0] * 5 + [1] * 3 + [2])
    drawn = labels[ClassAware(4).draw(labels, 60, torch.Generator().manual_seed(0))]
    groups = drawn.view(-1, 4)
    assert bool((groups == groups[:, :1]).all())
    rounds = groups[:, 0].view(-1, 3)
    assert all(sorted(turn) == [0, 1, 2] for turn in rounds.tolist())


def test_the_second_stages_rate_is_that_of_the_authors() -> None:
    method = build_method(
        RECIPES["imagenet-lt-resnet50-crt"][1].change(backbone="digits_net"),
        torch.ones(3, dtype=torch.int64),
        (1, 8, 8),
    )
    first, second = method.stages()
    expected = [0.2, 0.1951056516, 0.1809016994, 0.1587785252, 0.1309016994, 0.1]
    found = [second.schedule.rate(7 * epoch + 3, 7) for epoch in range(6)]
    assert found == pytest.approx(expected, abs=1e-10)
    assert (first.epochs, first.batch_size, first.schedule.rate(0, 7)) == (90, 512, 0.2)


@pytest.mark.parametrize(
    ("row", "classes", "features", "expected"),
    [
        ("imagenet-lt-resnet50-crt", 1000, 2048, 2_049_000),
        ("inaturalist2018-resnet50-crt", 8142, 2048, 16_682_958),
        ("imagenet-lt-resnet50-lws", 1000, 2048, 1000),
    ],
)
def test_only_the_classifier_or_its_scales_learn(
    row: str, classes: int, features: int, expected: int
) -> None:
    recipe = RECIPES[row][1].change(backbone="digits_net")
    method = build_method(recipe, torch.ones(classes, dtype=torch.int64), (1, 8, 8))
    stage = method.stages()[1]
    TrainingStep(method, stage, NORMALISATION, CPU)
    learning = {name: p for name, p in method.named_parameters() if p.requires_grad}
    of_digits_net = sum(p.numel() for p in learning.values())
    per_class = 0 if row.endswith("lws") else classes * (features - method.feature_dim)
    assert of_digits_net + per_class == expected


@pytest.mark.parametrize("mode", ["batch", "running"])
def test_a_frozen_backbone_keeps_its_weights_and_only_in_batch_mode_moves_its_statistics(mode: str) -> None:
    method = built(digits("crt", frozen_batch_norm=mode))
    stage = method.stages()[1]
    step = TrainingStep(method, stage, NORMALISATION, CPU)
    step.train_mode()
    before = {name: value.clone() for name, value in method.backbone.state_dict().items()}
    step.loss(stage_batch(stage, 12, Rank(), torch.float32), clock_of(stage))["loss"].backward()
    step.optimizer.step()
    after = method.backbone.state_dict()
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert all(("running" in name or "num_batches" in name) for name in moved)
    assert bool(moved) == (mode == "batch")


def test_the_second_stage_begins_with_a_new_classifier_of_the_runs_seed() -> None:
    method, other = built(digits("crt")), built(digits("crt"))
    assert isinstance(method, ClassifierRetraining)
    old = method.classifier.weight.clone()
    state = torch.get_rng_state()
    method.begin(method.stages()[1])
    other.begin(other.stages()[1])
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(method.classifier.weight, other.classifier.weight)
    assert not torch.equal(method.classifier.weight, old)


# ---- LWS


def scaled(scale_bias: bool, scales: list[float]) -> LearnableWeightScaling:
    method = built(digits("lws", scale_bias=scale_bias)).double()
    assert isinstance(method, LearnableWeightScaling)
    method.classifier.weight = torch.nn.Parameter(WEIGHT.clone())
    method.classifier.bias = torch.nn.Parameter(BIAS.clone())
    method.scales.data = torch.tensor(scales, dtype=torch.float64)
    return method


def test_scaled_logits_their_loss_and_the_gradient_of_the_scales() -> None:
    method = scaled(True, [0.5, 1.5, 2.0])
    logits = method.logits(FEATURES)
    assert logits[0].tolist() == pytest.approx([3.3, 3.3, -0.64])
    loss = functional.cross_entropy(logits, torch.tensor([1]))
    loss.backward()
    assert loss.item() == pytest.approx(0.7028243131, abs=1e-10)
    assert method.scales.grad is not None
    expected = [3.2682194828, -1.1105935057, -0.0030817471]
    assert method.scales.grad.tolist() == pytest.approx(expected, abs=1e-10)


def test_scales_of_one_leave_the_first_stage_and_inverse_lengths_are_tau_normalisation() -> None:
    expected = functional.linear(FEATURES, WEIGHT, BIAS)
    for scale_bias in (True, False):
        torch.testing.assert_close(scaled(scale_bias, [1.0] * 3).logits(FEATURES), expected)
    lengths: Tensor = WEIGHT.norm(dim=1) ** -0.7
    method = scaled(True, lengths.tolist())
    torch.nn.init.zeros_(method.classifier.bias)
    torch.testing.assert_close(
        method.logits(FEATURES), functional.linear(FEATURES, tau_normalised(WEIGHT, 0.7))
    )


def test_the_papers_form_leaves_the_bias_unscaled() -> None:
    found = scaled(False, [0.5, 1.5, 2.0]).logits(FEATURES)[0]
    assert found.tolist() == pytest.approx([0.5 * 4.6 + 2, 1.5 * 2.2, 2 * 0.68 - 1])


# ---- on a finished run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("start") / "bcl"
    train(digits("bcl", head_hidden=16, head_dim=8), options(folder))
    return folder


@pytest.mark.parametrize("method", ["crt", "lws"])
def test_on_a_finished_run_of_any_method_only_the_second_stage_is_trained(
    method: str, finished: Path, tmp_path: Path
) -> None:
    recipe = digits(method, second_epochs=2)
    run = train(recipe, options(tmp_path / "whole", init_from=finished))
    assert [row.get("epoch") for row in run.metrics] == [1, 2]
    start = load_checkpoint(finished / "checkpoint.pt")["model"]
    learned = run.method.state_dict()
    for name, parameter in run.method.named_parameters():
        if name.startswith("backbone."):
            assert torch.equal(parameter, start[name]), name
    assert torch.equal(learned["classifier.weight"], start["classifier.weight"]) == (method == "lws")
    assert run.record["start"]["method"] == "bcl"
    assert run.record["parameters"] == sum(parameter.numel() for parameter in run.method.parameters())
    stops = stops_inside_stages(recipe, "bcl")
    assert_same_run(with_stops(recipe, tmp_path / "stopped", stops, init_from=finished), run)


def test_scales_cannot_start_from_a_cosine_classifier(tmp_path: Path) -> None:
    train(digits("ldam", epochs=1), options(tmp_path / "ldam"))
    with pytest.raises(CheckpointError, match="ldam"):
        train(digits("lws"), options(tmp_path / "lws", init_from=tmp_path / "ldam"))


def test_a_second_stage_without_a_batch_is_refused_before_the_first_begins(tmp_path: Path) -> None:
    recipe = digits("crt", second_batch_size=4096)
    with pytest.raises(ValueError, match=r"stage second: \d+ .*4096"):
        train(recipe, options(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


class Died(Exception):
    """The process is gone, without a word."""


class DiesAt:
    """Told of every step, dies when so many are taken."""

    def __init__(self, step: int) -> None:
        self.left = step

    def update(self, steps: int, epoch: int, loss: float) -> None:
        self.left -= steps
        if self.left == 0:
            raise Died

    def log(self, line: str) -> None: ...

    def close(self) -> None: ...


def test_a_run_that_dies_inside_its_second_stage_goes_on_from_its_last_checkpoint_to_the_same_bits(
    tmp_path: Path,
) -> None:
    recipe = digits("crt", epochs=1, second_epochs=2)
    expected = train(recipe, options(tmp_path / "undisturbed"))
    _, inside = stops_inside_stages(recipe)
    with pytest.raises(Died):
        train(recipe, options(tmp_path / "died"), on_steps=lambda total, done: DiesAt(inside))
    stored = load_checkpoint(tmp_path / "died" / "checkpoint.pt")
    assert (stored["stage"], stored["step"]) == (1, 0)  # nothing of the epoch in which it died was saved
    assert_same_run(train(recipe, options(tmp_path / "died", resume=True)), expected)
