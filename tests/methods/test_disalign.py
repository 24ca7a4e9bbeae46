"""DisAlign's calibration and weights, against the paper and the values of the authors' code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from bcl_edu.methods import build_method
from bcl_edu.methods.disalign import DistributionAlignment, calibrated, reweighted_mean, reweighting
from bcl_edu.training.checkpoint import load_checkpoint
from bcl_edu.training.distributed import Rank
from bcl_edu.training.loop import train
from bcl_edu.training.step import TrainingStep
from tests.methods.by_hand import Given, batch, clock
from tests.methods.harness import CPU, NORMALISATION, built, clock_of, digits, options, stage_batch

LOGITS = torch.tensor([[2, 0.5, -1], [0.3, 1.2, 0.1], [1, 0.9, 0.7], [-0.4, 0.2, 1.5]], dtype=torch.float64)
LABELS = torch.tensor([0, 0, 1, 2])
COUNTS = torch.tensor([100, 10, 1])
SCORES = torch.tensor([[1.0, 0.9, 0.7]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("rho", "expected"),
    [
        (0.0, [1 / 3, 1 / 3, 1 / 3]),
        (1.0, [0.0090090090, 0.0900900901, 0.9009009009]),
        (1.2, [0.0037308202, 0.0591295154, 0.9371396644]),
        (1.5, [0.0009684078, 0.0306237450, 0.9684078471]),
    ],
)
def test_weights_are_powers_of_the_inverse_frequencies(rho: float, expected: list[float]) -> None:
    assert reweighting(COUNTS, rho).tolist() == pytest.approx(expected, abs=1e-10)


def test_the_codes_mean_divides_by_weights_and_the_papers_by_samples() -> None:
    losses = functional.cross_entropy(LOGITS, LABELS, reduction="none")
    weights = reweighting(COUNTS, 1.2)
    by_weights = reweighted_mean(losses, LABELS, weights, weighted=True)
    by_samples = reweighted_mean(losses, LABELS, weights, weighted=False)
    assert float(by_weights) == pytest.approx(0.3982781665, abs=1e-10)
    assert float(by_samples) == pytest.approx(0.0999410177, abs=1e-10)
    loop = sum(float(weights[y]) * float(loss) for y, loss in zip(LABELS, losses, strict=True))
    assert float(by_samples) == pytest.approx(loop / 4, abs=1e-12)


def test_the_losses_of_both_stages() -> None:
    method = build_method(digits("disalign"), COUNTS, (1, 8, 8))
    method.classifier = Given(LOGITS)
    seen = batch(torch.rand(1, 4, 1, 8, 8), LABELS)
    assert method(seen, clock())["loss"].item() == pytest.approx(0.7799822005, abs=1e-10)
    nn.init.zeros_(method.magnitude)  # the scores of the first stage
    second = method(seen, replace(clock(), stage="second"))["loss"].item()
    assert second == pytest.approx(0.3982781665, abs=1e-9)


def test_scores_at_the_start_and_in_both_forms() -> None:
    confidence = torch.tensor([[1.0, 3.0]], dtype=torch.float64).sum(dim=1, keepdim=True).mul(0.1).sigmoid()
    assert confidence.item() == pytest.approx(0.5986876601, abs=1e-10)
    ones, zeros = torch.ones(3), torch.zeros(3)
    start = calibrated(SCORES, confidence, ones, zeros, identity=False)
    assert start[0].tolist() == pytest.approx([1.5986876601, 1.4388188941, 1.1190813621], abs=1e-9)
    assert torch.equal(calibrated(SCORES, confidence, ones, zeros, identity=True), SCORES)
    alpha = torch.tensor([0.9, 1.1, 1.6], dtype=torch.float64)
    beta = torch.tensor([-0.5, 0.0, 0.8], dtype=torch.float64)
    fifth = calibrated(SCORES, confidence, alpha, beta, identity=True)
    assert fifth[0].tolist() == pytest.approx([0.6407874039, 0.9538818894, 1.4303989453], abs=1e-9)
    torch.testing.assert_close(calibrated(SCORES, confidence, alpha - 1, beta, identity=False), fifth)
    assert torch.equal(calibrated(SCORES, confidence, zeros, zeros, identity=False), SCORES)


@pytest.mark.parametrize("identity", [False, True])
def test_scores_are_the_loop_over_images_and_classes_and_their_gradient_is_that_of_differences(
    identity: bool,
) -> None:
    generator = torch.Generator().manual_seed(0)
    confidence, alpha, beta = (
        torch.rand(*shape, generator=generator, dtype=torch.float64) for shape in ((4, 1), (3,), (3,))
    )
    found = calibrated(LOGITS, confidence, alpha, beta, identity=identity)
    for i in range(4):
        for k in range(3):
            z, sigma, a, b = (float(v) for v in (LOGITS[i, k], confidence[i, 0], alpha[k], beta[k]))
            fifth, sixth = sigma * (a * z + b) + (1 - sigma) * z, (1 + sigma * a) * z + sigma * b
            assert found[i, k].item() == pytest.approx(fifth if identity else sixth, abs=1e-12)
    inputs = [value.clone().requires_grad_() for value in (LOGITS, confidence, alpha, beta)]
    assert torch.autograd.gradcheck(lambda *values: calibrated(*values, identity=identity), inputs)


def test_only_magnitude_margin_and_confidence_learn_in_the_second_stage() -> None:
    method = built(digits("disalign"))
    stage = method.stages()[1]
    step = TrainingStep(method, stage, NORMALISATION, CPU)
    step.loss(stage_batch(stage, 12, Rank(), torch.float32), clock_of(stage))["loss"].backward()
    learning = {name: p.numel() for name, p in method.named_parameters() if p.grad is not None}
    assert learning == {
        "magnitude": 3,
        "margin": 3,
        "confidence.weight": method.feature_dim,
        "confidence.bias": 1,
    }


def test_the_scale_of_the_cosine_classifier_learns_from_20_on() -> None:
    method = built(digits("disalign", classifier="cosine"))
    assert method.get_parameter("classifier.scale").item() == 20.0
    stage = method.stages()[0]
    TrainingStep(method, stage, NORMALISATION, CPU)
    method(stage_batch(stage, 12, Rank(), torch.float32), clock_of(stage))["loss"].backward()
    assert method.get_parameter("classifier.scale").grad is not None


def test_on_a_finished_run_backbone_and_classifier_stay(tmp_path: Path) -> None:
    train(digits("ce"), options(tmp_path / "ce"))
    run = train(digits("disalign"), options(tmp_path / "disalign", init_from=tmp_path / "ce"))
    assert isinstance(run.method, DistributionAlignment)
    assert len(run.metrics) == 10
    start = load_checkpoint(tmp_path / "ce" / "checkpoint.pt")["model"]
    for name, parameter in run.method.named_parameters():
        if name.startswith(("backbone.", "classifier.")):
            assert torch.equal(parameter, start[name]), name
    assert not torch.equal(run.method.margin, torch.zeros(10))
