"""One run, whole: what it leaves behind, and what it refuses."""

from __future__ import annotations

import json
import math
import os
import signal
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from filelock import FileLock, Timeout

from bcl_edu.data import open_dataset
from bcl_edu.methods.stage import extended
from bcl_edu.recipe import flat
from bcl_edu.rows.bcl_rows import TITLES
from bcl_edu.training import CheckpointError, Interrupted, LossNotFinite, Recipe, RunOptions, RunResult, train
from bcl_edu.training.checkpoint import load_checkpoint, save_checkpoint
from bcl_edu.training.display import Progress, StepDisplay
from bcl_edu.training.evaluation import evaluate_method
from bcl_edu.training.loop import EpochReport
from bcl_edu.training.step import TrainingStep
from bcl_edu.training.weights import export_run, load_trained


def weights(folder: Path) -> dict[str, torch.Tensor]:
    model: dict[str, torch.Tensor] = load_checkpoint(folder / "checkpoint.pt")["model"]
    return model


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def without_times(result: RunResult) -> list[dict[str, object]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in result.metrics]


@pytest.mark.parametrize("loss", ["ce", "lc", "focal", "cb-focal", *TITLES])
def test_every_loss_trains_and_its_parts_add_up(loss: str, tiny: Recipe, options: RunOptions) -> None:
    recipe = tiny.change(method=loss, epochs=1)
    row = train(recipe, options).metrics[-1]
    values = flat(recipe)
    parts = values["lambda_"] * row["loss_classification"]
    parts += values.get("mu", 0.0) * row.get("loss_contrastive", 0.0)
    assert row["loss"] == pytest.approx(parts, rel=1e-5)
    assert ("loss_contrastive" in row) == (loss in TITLES)
    assert math.isfinite(row["simplex_deviation"])


def test_it_learns(tiny: Recipe, options: RunOptions) -> None:
    result = train(replace(tiny, epochs=10), options)
    assert result.metrics[-1]["top1"] > 50  # ten classes: chance is 10
    assert result.metrics[-1]["loss"] < 0.5 * result.metrics[0]["loss"]


def test_the_record_states_what_is_needed_to_compare(tiny: Recipe, options: RunOptions) -> None:
    result = train(replace(tiny, epochs=2), options)
    record = json.loads((result.folder / "run.json").read_text())
    rows = [json.loads(line) for line in (result.folder / "metrics.jsonl").read_text().splitlines()]
    assert rows == result.metrics
    assert record["recipe"]["method"]["name"] == "bcl"
    assert record["data"]["training_images"] == sum(record["data"]["class_counts"])
    assert len(record["data"]["subset_sha256"]) == 64
    assert record["parameters"] == sum(p.numel() for p in result.method.parameters())
    assert record["last"] == rows[-1]
    assert record["best"]["top1"] == max(row["top1"] for row in rows)
    session = record["sessions"][0]
    assert {"torch", "python", "bcl_edu"} <= set(session["versions"])
    assert session["hardware"]["device"] == "cpu"


def test_two_runs_are_one(tiny: Recipe, options: RunOptions, tmp_path: Path) -> None:
    first = train(tiny, options)
    second = train(tiny, replace(options, output=tmp_path / "again"))
    assert same(weights(first.folder), weights(second.folder))
    assert without_times(first) == without_times(second)


def test_another_seed_is_another_run(tiny: Recipe, options: RunOptions, tmp_path: Path) -> None:
    first = train(replace(tiny, epochs=1), options)
    second = train(replace(tiny, epochs=1, seed=1), replace(options, output=tmp_path / "other"))
    assert not same(weights(first.folder), weights(second.folder))


def test_an_interrupt_saves_inside_the_epoch_and_the_rest_is_bit_identical(
    tiny: Recipe, options: RunOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(tiny, replace(options, output=tmp_path / "whole"))

    steps = 0
    step = TrainingStep.__call__

    def interrupted_step(self: TrainingStep, *arguments: object) -> object:
        nonlocal steps
        steps += 1
        if steps == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(TrainingStep, "__call__", interrupted_step)
    with pytest.raises(Interrupted, match="continue with --resume"):
        train(tiny, options)
    stopped = load_checkpoint(options.output / "checkpoint.pt")
    assert stopped["epoch"] * 4 + stopped["step"] == 6  # 4 steps an epoch: not at its end
    assert stopped["step"] > 0

    resumed = train(tiny, replace(options, resume=True))
    assert same(weights(whole.folder), weights(resumed.folder))
    assert without_times(whole) == without_times(resumed)
    assert [session["from_epoch"] for session in resumed.record["sessions"]] == [0, 1]


def test_an_interrupt_in_an_evaluation_is_heard_and_the_rest_is_the_same(
    tiny: Recipe, options: RunOptions, tmp_path: Path
) -> None:
    recipe = replace(tiny, epochs=2, val_fraction=0.3)
    whole = train(recipe, replace(options, output=tmp_path / "whole"))

    def interrupted_evaluation(*arguments: object, **named: object) -> object:
        os.kill(os.getpid(), signal.SIGTERM)
        return evaluate_method(*arguments, **named)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bcl_edu.training.loop.evaluate_method", interrupted_evaluation)
        with pytest.raises(Interrupted, match=r"epoch 1 after step (\d+) of \1; .*--resume"):
            train(recipe, options)
    resumed = train(recipe, replace(options, resume=True))
    assert same(weights(whole.folder), weights(resumed.folder))
    assert without_times(whole) == without_times(resumed)


def test_a_folder_that_holds_a_run_is_not_overwritten(tiny: Recipe, options: RunOptions) -> None:
    short = replace(tiny, epochs=1)
    before = weights(train(short, options).folder)
    with pytest.raises(ValueError, match=r"already holds .*finished"):
        train(short, options)
    assert same(before, weights(options.output))  # type: ignore[arg-type]


def test_a_folder_that_another_process_trains_into_is_refused_until_it_ends(
    tiny: Recipe, options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bcl_edu.training.run.SECONDS_TO_WAIT_FOR_A_FOLDER", 0.1)
    short = replace(tiny, epochs=1)
    assert options.output is not None

    def start_at_its_beginning(total: int, done: int) -> StepDisplay:
        with pytest.raises(ValueError, match="another process"):
            train(short, options)
        return Progress(total, done, enabled=False)

    def start_after_its_epoch(report: EpochReport) -> None:
        with pytest.raises(ValueError, match="already holds a run"):
            train(short, options)
        with pytest.raises(ValueError, match="another process"):
            train(short, replace(options, resume=True))

    first = train(short, options, start_after_its_epoch, start_at_its_beginning)
    assert train(short, replace(options, resume=True)).record == first.record


def test_what_another_process_did_while_the_folder_was_waited_for_is_seen(
    tiny: Recipe, options: RunOptions
) -> None:
    short = replace(tiny, epochs=1)
    assert options.output is not None
    finished = train(short, options).folder / "checkpoint.pt"
    kept = finished.rename(finished.with_name(".kept"))
    for path in (options.output / "run.json", options.output / "metrics.jsonl"):
        path.unlink()

    class Ends(FileLock):
        """A lock that another process has until it has finished its run."""

        def acquire(self, timeout: float | None = None, **rest: object) -> object:  # type: ignore[override]
            if timeout == 0:
                raise Timeout("")
            kept.rename(finished)
            return super().acquire()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bcl_edu.training.run.FileLock", Ends)
        with pytest.raises(ValueError, match="already holds a run"):
            train(short, options)
    assert train(short, replace(options, resume=True)).record["epochs_finished"] == 1


def test_another_recipe_is_refused_with_the_difference(tiny: Recipe, options: RunOptions) -> None:
    short = replace(tiny, epochs=1)
    train(short, options)
    with pytest.raises(CheckpointError, match=r"mu: stored 0\.6, asked 0\.5"):
        train(short.change(mu=0.5), replace(options, resume=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state["model"].popitem(), r"\['model'\] lacks"),
        (
            lambda state: state["model"].update({"classifier.bias": torch.zeros(3)}),
            r"bias'\].*\(3,\).*\(10,\)",
        ),
        (lambda state: state["optimizer"].popitem(), r"\['optimizer'\] lacks"),
        (
            lambda state: state["optimizer"]["state"][0].update(momentum_buffer=torch.zeros(3)),
            r"shape \(3,\)",
        ),
        (
            lambda state: state["optimizer"]["state"][0].update(momentum_buffer="much"),
            "momentum_buffer'] is str",
        ),
        (lambda state: state["random"].clear(), r"\['random'\] lacks"),
        (lambda state: state.update(history=[]), "no usable history"),
        (lambda state: state.update(step=1000), "its step is 1000"),
        (lambda state: state.update(stage=7), "its stage is 7"),
        (lambda state: state.update(epoch="one"), "no usable epoch"),
        (lambda state: state["data"].clear(), "data lacks 'class_counts'"),
    ],
)
def test_a_changed_checkpoint_is_not_continued(
    change, message: str, tiny: Recipe, options: RunOptions
) -> None:
    short = replace(tiny, epochs=1)
    path = train(short, options).folder / "checkpoint.pt"
    state = load_checkpoint(path)
    change(state)
    save_checkpoint(path, state)
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=message):
        train(short, replace(options, resume=True))
    assert path.read_bytes() == before


def test_other_images_are_refused(tiny: Recipe, options: RunOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    short = replace(tiny, epochs=1)
    train(short, options)

    from bcl_edu.training import loop

    prepare = loop.prepare_data

    def prepare_altered(recipe: Recipe, options: RunOptions) -> object:
        data = prepare(recipe, options)
        data.facts["training_images_sha256"] = "0" * 64
        return data

    monkeypatch.setattr(loop, "prepare_data", prepare_altered)
    with pytest.raises(CheckpointError, match="training_images_sha256: stored"):
        train(short, replace(options, resume=True))


def test_predictions_are_those_that_the_accuracy_counts(tiny: Recipe, options: RunOptions) -> None:
    evaluation = train(replace(tiny, epochs=1), options).evaluation
    labels = open_dataset("digits").test.labels
    assert evaluation.accuracy.top1 == pytest.approx(
        100 * (evaluation.predictions == labels).double().mean().item()
    )


def test_a_finished_run_is_loaded_and_its_record_stays_as_it_was(tiny: Recipe, options: RunOptions) -> None:
    short = replace(tiny, epochs=2)
    result = train(short, options)
    before = (result.folder / "run.json").read_bytes()
    (result.folder / "run.json").write_text("{}")  # as if killed between the last checkpoint and the record
    loaded = train(short, replace(options, resume=True))
    assert (result.folder / "run.json").read_bytes() == before
    assert loaded.evaluation.accuracy == result.evaluation.accuracy
    assert torch.equal(loaded.evaluation.predictions, result.evaluation.predictions)
    assert loaded.metrics == result.metrics


def test_resuming_nothing_is_refused(tiny: Recipe, options: RunOptions) -> None:
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        train(tiny, replace(options, resume=True))


def test_resuming_a_finished_run_changes_nothing(tiny: Recipe, options: RunOptions) -> None:
    short = replace(tiny, epochs=1)
    first = train(short, options)
    second = train(short, replace(options, resume=True))
    assert without_times(first) == without_times(second)
    assert second.evaluation.accuracy == first.evaluation.accuracy


def test_a_loss_that_is_not_finite_stops_with_the_batch_and_keeps_the_last_good_checkpoint(
    tiny: Recipe, options: RunOptions
) -> None:
    good: dict[str, torch.Tensor] = {}

    def spoil(report: EpochReport) -> None:
        good.update({name: value.clone() for name, value in weights(options.output).items()})  # type: ignore[arg-type]
        spoiled["method"].classifier.weight.data.fill_(float("nan"))

    from bcl_edu.training import stage_run

    spoiled: dict[str, object] = {}
    build = stage_run.build_method

    def remember(*arguments: object) -> object:
        spoiled["method"] = build(*arguments)  # type: ignore[arg-type]
        return spoiled["method"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage_run, "build_method", remember)
        with pytest.raises(LossNotFinite, match=r"loss nan.*epoch 2, step 1 of 4.*samples \(first indices"):
            train(tiny, options, on_epoch=spoil)
    assert same(good, weights(options.output))  # type: ignore[arg-type]


def test_the_callback_sees_every_epoch_with_class_means_on_the_sphere(
    tiny: Recipe, options: RunOptions
) -> None:
    reports: list[EpochReport] = []
    result = train(replace(tiny, epochs=2), options, on_epoch=reports.append)
    assert [report.metrics["epoch"] for report in reports] == [1, 2]
    assert all(report.method is result.method for report in reports)
    means = reports[-1].evaluation.class_means
    assert means is not None
    assert means.shape == (10, flat(tiny)["head_dim"])
    assert means.norm(dim=1).sub(1).abs().max() < 1e-5


def test_without_a_contrastive_branch_the_features_are_measured(tiny: Recipe, options: RunOptions) -> None:
    evaluation = train(tiny.change(method="ce", epochs=1), options).evaluation
    assert evaluation.space == "features"
    assert evaluation.simplex_deviation == evaluation.feature_simplex_deviation


def test_tensorboard_events_are_written(tiny: Recipe, options: RunOptions) -> None:
    result = train(replace(tiny, epochs=1), replace(options, tensorboard=True))
    assert list((result.folder / "tensorboard").glob("events*"))


@pytest.mark.parametrize("loss_interval", [3, 20])
def test_looking_at_several_losses_at_once_as_on_a_gpu_changes_nothing(
    loss_interval: int, tiny: Recipe, options: RunOptions, tmp_path: Path
) -> None:
    from bcl_edu.training.distributed import Rank
    from bcl_edu.training.loop import _Run

    short = replace(tiny, epochs=2)
    each = train(short, replace(options, output=tmp_path / "each"))
    with ExitStack() as at_end:
        run = _Run(short, options, torch.device("cpu"), Rank(), at_end)
        run.loss_interval = loss_interval
        grouped = run.train(None, None)
    assert without_times(each) == without_times(grouped)
    assert same(weights(each.folder), weights(grouped.folder))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_it_learns_on_cuda(precision: str, tiny: Recipe, options: RunOptions) -> None:
    recipe = replace(tiny, epochs=10, precision=precision)
    assert train(recipe, replace(options, device="cuda")).metrics[-1]["top1"] > 50


def test_steps_are_told_to_whoever_asks(tiny: Recipe, options: RunOptions) -> None:
    told: list[object] = []

    class Display:
        def __init__(self, total: int, done: int) -> None:
            told.append((total, done))

        def update(self, steps: int, epoch: int, loss: float) -> None:
            told.append((steps, epoch, loss > 0))

        def log(self, line: str) -> None:
            told.append(line.split(" |")[0].split(":")[0])

        def close(self) -> None:
            told.append("closed")

    train(replace(tiny, epochs=2), options, on_steps=Display)
    steps = (len(told) - 5) // 2
    assert told[:2] == [(2 * steps, 0), "digits-lt, method bcl, seed 0"]
    assert told[2:] == [*[(1, 1, True)] * steps, "epoch 1/2", *[(1, 2, True)] * steps, "epoch 2/2", "closed"]


# ---- longer than planned, and the best of a validation split


def test_an_extended_run_ends_as_if_it_had_been_planned_so(
    tiny: Recipe, options: RunOptions, tmp_path: Path
) -> None:
    recipe = replace(tiny, epochs=2, milestones=(1,), schedule_epochs=2, schedule="steps")
    train(recipe, options)
    train(recipe, replace(options, resume=True, extend_to=3))
    again = train(recipe, replace(options, resume=True, extend_to=4))
    planned = train(extended(recipe, 4), replace(options, output=tmp_path / "planned"))
    assert again.record["recipe"] == planned.record["recipe"]
    for name, value in again.method.state_dict().items():
        assert torch.equal(value, planned.method.state_dict()[name]), name


def test_what_cannot_be_extended_is_refused_by_name(tiny: Recipe, options: RunOptions) -> None:
    with pytest.raises(ValueError, match="add --resume"):
        replace(options, extend_to=9)
    longer = replace(options, resume=True, extend_to=9)
    with pytest.raises(ValueError, match=r"a cosine schedule .*--init-from"):
        train(replace(tiny, schedule="cosine"), longer)
    with pytest.raises(ValueError, match=r"extend_to is 9, .*ldam-drw"):
        train(tiny.change(method="ldam-drw"), longer)
    with pytest.raises(ValueError, match="extend_to is 1, "):
        train(replace(tiny, epochs=2), replace(longer, extend_to=1))


def test_the_best_weights_are_those_of_the_best_epoch_on_the_validation_split(
    tiny: Recipe, options: RunOptions, tmp_path: Path
) -> None:
    recipe = replace(tiny, epochs=3, val_fraction=0.3)
    result = train(recipe, replace(options, keep_best=True))
    rows = result.metrics
    best = max(rows, key=lambda row: row["val_class_average"])
    assert result.record["chosen"] == best
    kept = load_trained(result.folder / "best.pt")
    assert kept.epoch == best["epoch"]
    exported = export_run(result.folder, tmp_path / "kept", best=True).parent
    assert load_trained(exported).epoch == best["epoch"]
    with pytest.raises(ValueError, match="keep_best needs a validation split"):
        train(replace(recipe, val_fraction=0.0), replace(options, output=tmp_path / "x", keep_best=True))
