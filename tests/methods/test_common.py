"""Rules that hold for every method: see `harness`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bcl_edu.recipe import recipe_as_dict
from bcl_edu.rows.registry import METHODS
from bcl_edu.stored_forms import recipe_from_dict
from bcl_edu.training.distributed import Rank
from bcl_edu.training.loop import train
from bcl_edu.training.step import TrainingStep
from tests.methods.harness import (
    CPU,
    FALLS_FROM,
    NORMALISATION,
    assert_same_run,
    assert_two_ranks_do_what_one_does,
    built,
    clock_of,
    digits,
    gradients_in,
    loaded_batch,
    options,
    stage_batch,
    stops_inside_stages,
    with_stops,
)

every_method = pytest.mark.parametrize("method", METHODS)
# methods with the same options differ in the loss alone, which is no matter of resuming; the first of each kind
one_of_each_kind = pytest.mark.parametrize(
    "method", {type(options): name for name, options in reversed(METHODS.items())}.values()
)


@one_of_each_kind
def test_the_loss_falls_and_a_run_stopped_inside_each_stage_ends_with_the_same_bits(
    method: str, tmp_path: Path
) -> None:
    recipe = digits(method)
    expected = train(recipe, options(tmp_path / "undisturbed"))
    first = FALLS_FROM.get(method, 0)
    assert expected.metrics[first + 1]["loss"] < expected.metrics[first]["loss"]
    found = with_stops(recipe, tmp_path / "stopped", stops_inside_stages(recipe))
    assert_same_run(found, expected)


@every_method
def test_two_ranks_compute_what_one_computes(method: str) -> None:
    assert_two_ranks_do_what_one_does(method)


@every_method
def test_only_a_method_that_can_computes_a_batch_in_micro_batches(method: str, tmp_path: Path) -> None:
    recipe = digits(method, accumulate=2)
    stages = built(recipe).stages()
    for number, stage in enumerate(stages):
        if built(recipe).forward_changes_state or built(recipe).owns_gradients or stage.streams:
            with pytest.raises(ValueError, match=f"method {method} .*micro-batches"):
                train(recipe, options(tmp_path))
            return
        whole, parts = gradients_in([10], recipe, number), gradients_in([6, 4], recipe, number)
        torch.testing.assert_close(parts, whole, atol=1e-10, rtol=1e-8)


@every_method
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_the_loss_is_finite_in_half_precision(method: str, precision: str) -> None:
    recipe = digits(method)
    model = built(recipe)
    for stage in model.stages():
        step = TrainingStep(model, stage, NORMALISATION, CPU, precision=precision)
        model.begin(stage)
        step.train_mode()
        if model.owns_gradients:
            losses = step(loaded_batch(stage, 12), clock_of(stage))
        else:
            losses = step.loss(stage_batch(stage, 12, Rank(), torch.float32), clock_of(stage))
        assert all(bool(value.isfinite()) for value in losses.values()), losses


@every_method
def test_a_recipe_survives_its_record(method: str) -> None:
    recipe = digits(method)
    assert recipe_from_dict(recipe_as_dict(recipe)) == recipe


@every_method
def test_what_does_not_learn_in_a_stage_keeps_its_bits(method: str) -> None:
    recipe = digits(method)
    model = built(recipe)
    for stage in model.stages():
        step = TrainingStep(model, stage, NORMALISATION, CPU)
        model.begin(stage)
        still = {name: p.detach().clone() for name, p in model.named_parameters() if not p.requires_grad}
        step.train_mode()
        batch = stage_batch(stage, 12, Rank(), torch.float32)
        if model.owns_gradients:
            model.own_gradients(batch, clock_of(stage), torch.Tensor.backward)
        else:
            step.loss(batch, clock_of(stage))["loss"].backward()
        step.optimizer.step()
        assert all(torch.equal(model.get_parameter(name), value) for name, value in still.items())


@pytest.mark.parametrize(
    ("method", "number"),
    [
        ("bbn", 0),
        ("hybrid-psc", 0),
        ("hybrid-sc", 0),
        ("ldam-drw", 0),
        ("metasaug", 0),
        ("ride", 0),
        ("ssp", 1),
    ],
)
def test_what_a_method_does_late_in_a_stage_is_part_of_these_tests(method: str, number: int) -> None:
    recipe = digits(method)
    stage = built(recipe).stages()[number]
    losses = []
    for clock in (replace(clock_of(stage), epoch=0), clock_of(stage)):
        model = built(recipe)
        step = TrainingStep(model, stage, NORMALISATION, CPU)
        model.begin(stage)
        step.train_mode()
        batch = stage_batch(stage, 12, Rank(), torch.float32)
        of_batch = (
            model.own_gradients(batch, clock, torch.Tensor.backward)
            if model.owns_gradients
            else step.loss(batch, clock)
        )
        losses.append(of_batch["loss"].item())
    assert losses[0] != losses[1]
