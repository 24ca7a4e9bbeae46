"""SSP: quarter turns, MoCo's loss, and what a stage takes over from the one before it or from another run."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from bcl_edu.methods import Batch, Clock, Method, build_method
from bcl_edu.methods.ssp import (
    ROTATION,
    MomentumContrastThenRetraining,
    RotationThenMargins,
    equal_turns,
    momentum_contrast_losses,
    turned,
)
from bcl_edu.models import parameter_count
from bcl_edu.rows import ROWS
from bcl_edu.run_options import RunOptions
from bcl_edu.training.data import prepare_data
from bcl_edu.training.distributed import Rank
from bcl_edu.training.loop import train
from bcl_edu.training.start import read_start, take_over
from tests.methods.harness import built, clock_of, digits, options, stage_batch

SQUARE = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])


@pytest.mark.parametrize(
    ("turns", "expected"), [(0, [[1, 2], [3, 4]]), (1, [[2, 4], [1, 3]]), (3, [[3, 1], [4, 2]])]
)
def test_an_image_is_turned_counter_clockwise(turns: int, expected: list[list[int]]) -> None:
    assert turned(SQUARE, torch.tensor([turns]))[0, 0].tolist() == expected


def test_four_turns_are_none_and_each_image_is_turned_by_its_own() -> None:
    images = torch.rand(4, 3, 8, 8)
    once = torch.ones(4, dtype=torch.int64)
    again = images
    for _ in range(4):
        again = turned(again, once)
    assert torch.equal(again, images)
    for image, k, result in zip(images, range(4), turned(images, torch.arange(4)), strict=True):
        assert torch.equal(result, torch.rot90(image, k, dims=(1, 2)))


def test_an_epoch_has_as_many_images_of_each_turn() -> None:
    turns = equal_turns(130, torch.Generator().manual_seed(0))
    assert torch.bincount(turns).tolist() == [33, 33, 32, 32]
    assert not torch.equal(turns, equal_turns(130, torch.Generator().manual_seed(1)))


def test_uniform_predictions_cost_the_logarithm_of_four() -> None:
    method = built(digits("ssp"))
    assert isinstance(method, RotationThenMargins)
    torch.nn.init.zeros_(method.rotation.weight)
    torch.nn.init.zeros_(method.rotation.bias)
    stage = method.stages()[0]
    losses = method(stage_batch(stage, 12, Rank(), torch.float32), clock_of(stage))
    assert losses["loss"].item() == pytest.approx(1.3862943611)
    assert 0 <= losses["mistaken"].item() <= 1


def test_an_image_is_turned_alike_wherever_it_stands_in_a_batch_and_otherwise_in_the_next_epoch() -> None:
    method = built(digits("ssp")).eval()
    stage = method.stages()[0]
    batch = stage_batch(stage, 12, Rank(), torch.float32)
    clock = clock_of(stage)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(5))
    other = type(batch)(batch.views[:, order], batch.labels[order], batch.indices[order])
    first, again = method(batch, clock)["loss"].item(), method(other, clock_of(stage, step=2))["loss"].item()
    assert first == pytest.approx(again, rel=1e-5)
    later = type(clock)(0, stage.name, clock.epoch + 1, stage.epochs + 1, 0, 4, 0.1)
    assert method(batch, later)["loss"].item() != pytest.approx(first, rel=1e-5)


def test_mocos_loss_and_its_loop() -> None:
    query = torch.tensor([[0.6, 0.8]], dtype=torch.float64)
    key = torch.tensor([[0.8, 0.6]], dtype=torch.float64)
    queue = torch.tensor([[1, 0], [0, 1], [-0.6, 0.8]], dtype=torch.float64)
    found = momentum_contrast_losses(query, key, queue, temperature=0.2)
    assert found.tolist() == pytest.approx([0.4995631125], abs=1e-10)
    logits = [float(query[0] @ other) / 0.2 for other in (key[0], *queue)]
    assert found.item() == pytest.approx(math.log(sum(map(math.exp, logits))) - logits[0], abs=1e-12)
    query.requires_grad_()
    assert torch.autograd.gradcheck(lambda q: momentum_contrast_losses(q, key, queue, temperature=0.2), query)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_mocos_loss_is_finite_in_half_precision(dtype: torch.dtype) -> None:
    vectors = functional.normalize(torch.randn(6, 4), dim=1).to(dtype)
    assert momentum_contrast_losses(vectors, vectors, vectors, temperature=0.2).isfinite().all()


def test_on_a_finished_run_its_whole_backbone_is_taken_over_and_the_pretext_task_left_out(
    tmp_path: Path,
) -> None:
    start = train(digits("ssp", epochs=1), options(tmp_path / "start"))
    recipe = digits("ssp", epochs=1, learning_rate=1e-30, weight_decay=0.0, seed=1)
    later = train(recipe, options(tmp_path / "later", init_from=tmp_path / "start"))
    assert later.record["epochs"] == 1
    theirs, found = start.method.state_dict(), later.method.state_dict()
    weights = [name for name, _ in later.method.named_parameters() if name.startswith("backbone.")]
    assert all(torch.equal(found[name], theirs[name]) for name in weights)
    assert not torch.equal(found["classifier.weight"], theirs["classifier.weight"])
    # before the first step running means and variances, too
    data = prepare_data(recipe, RunOptions())
    method = build_method(recipe, data.class_counts, data.train.image_shape)
    take_over(method, read_start(tmp_path / "start", recipe, data))
    assert_same_tensors(of_backbone(method), of_backbone(start.method))


def of_backbone(method: Method) -> dict[str, Tensor]:
    """A copy of its parameters and running statistics."""
    state = {n: v.clone() for n, v in method.state_dict().items() if n.startswith("backbone.")}
    assert any(name.endswith("running_mean") for name in state)
    return state


def assert_same_tensors(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert torch.equal(value, expected[name]), name


def test_the_main_stage_begins_with_the_backbone_that_the_pretext_task_ends_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: dict[str, Tensor] = {}
    began: list[dict[str, Tensor]] = []
    forward = RotationThenMargins.forward

    def after_step(self: RotationThenMargins, clock: Clock) -> None:
        if clock.stage == ROTATION:
            ended.update(of_backbone(self))

    def watched(self: RotationThenMargins, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        if clock.stage != ROTATION and self.training and not began:
            began.append(of_backbone(self))
        return forward(self, batch, clock)

    monkeypatch.setattr(RotationThenMargins, "after_step", after_step)
    monkeypatch.setattr(RotationThenMargins, "forward", watched)
    train(digits("ssp", epochs=1, pretext_epochs=1), options(tmp_path))
    assert_same_tensors(began[0], ended)


def test_the_stages_of_photographs_and_what_follows_a_start_run() -> None:
    recipe = ROWS["imagenet-lt-resnet50-ssp-crt"].recipe
    with torch.device("meta"):
        method = build_method(
            recipe.change(backbone="resnet32"), torch.ones(10, dtype=torch.int64), (3, 32, 32)
        )
    assert isinstance(method, MomentumContrastThenRetraining)
    contrast, main, second = method.stages()
    facts = [
        (s.epochs, s.batch_size, s.schedule.learning_rate, s.evaluated) for s in (contrast, main, second)
    ]
    assert facts == [(200, 128, 0.015, False), (90, 128, 0.2, True), (10, 512, 0.2, True)]
    assert contrast.views.views[0].crop_scale == (0.2, 1.0)
    assert second.frozen_batch_norm == "batch"
    assert [stage.name for stage in method.stages_on("moco")] == [main.name, second.name]


def test_the_head_of_photographs_has_the_number_of_parameters_of_mocos() -> None:
    recipe = ROWS["imagenet-lt-resnet50-ssp-crt"].recipe
    with torch.device("meta"):
        method = build_method(recipe, torch.ones(1000, dtype=torch.int64), (3, 224, 224))
    assert isinstance(method, MomentumContrastThenRetraining)
    assert parameter_count(method.projection) == 4_458_624  # 2048 -> 2048 -> 128, each with a bias
    assert not any(p.requires_grad for p in method.key_projection.parameters())
    assert method.queue.keys.shape == (65_536, 128)


def test_the_pretext_tasks_number_of_parameters() -> None:
    recipe = ROWS["cifar100-lt-if100-ssp"].recipe
    method = build_method(recipe, torch.ones(100, dtype=torch.int64), (3, 32, 32))
    assert isinstance(method, RotationThenMargins)
    assert parameter_count(method.rotation) == 260
    assert [stage.epochs for stage in method.stages()] == [200, 200]
    assert method.weights_from(200) == 160


def test_a_queue_that_takes_no_whole_batches_is_refused() -> None:
    with pytest.raises(ValueError, match=r"queue_size is 65, .*batch size 64"):
        built(digits("ssp-crt", queue_size=65))


@pytest.mark.parametrize(
    ("method", "name", "value"),
    [
        ("ssp", "pretext_epochs", 0),
        ("ssp-crt", "pretext_learning_rate", 0.0),
        ("ssp-crt", "key_momentum", 1.5),
    ],
)
def test_values_outside_their_range_are_refused(method: str, name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        digits(method, **{name: value})
