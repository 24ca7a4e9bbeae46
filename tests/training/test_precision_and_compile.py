"""What "auto" becomes: the precision of a run, and whether it is compiled; both are kept when it is resumed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bcl_edu.augment import view_policy
from bcl_edu.methods.stage import main_stage
from bcl_edu.recipe import Recipe, recipe_differences
from bcl_edu.report.matching import differences
from bcl_edu.rows import RECIPES
from bcl_edu.run_options import RunOptions
from bcl_edu.train import parse
from bcl_edu.training import compile_choice, precision, train
from bcl_edu.training.compile_choice import Seconds, decide_compile, pays
from bcl_edu.training.data import prepare_data
from bcl_edu.training.distributed import Rank
from bcl_edu.training.loop import is_evaluated
from bcl_edu.training.precision import computes_bfloat16, slow_precision, with_precision
from bcl_edu.training.record import read_record

CPU = torch.device("cpu")


@pytest.mark.parametrize(("units", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_bfloat16_only_where_the_processor_has_units_for_it(
    units: bool, precision: str, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: units)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert with_precision(replace(tiny, precision="auto"), CPU).precision == precision
    assert with_precision(replace(tiny, precision="float16"), CPU).precision == "float16"


def test_rows_that_state_no_precision_leave_it_to_the_machine() -> None:
    assert RECIPES["table1-l1"][1].precision == "auto"
    assert RECIPES["digits-lt"][1].precision == "float32"


def test_a_resumed_run_keeps_its_precision_on_another_machine(
    tiny: Recipe, options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(tiny, precision="auto", epochs=1)
    monkeypatch.setattr(precision, "computes_bfloat16", lambda device: False)
    begun = train(recipe, options)
    monkeypatch.setattr(precision, "computes_bfloat16", lambda device: True)
    assert with_precision(recipe, CPU).precision == "bfloat16"
    assert with_precision(recipe, CPU, resumed=begun.folder).precision == "float32"
    again = train(recipe, replace(options, resume=True))
    assert again.record["recipe"]["precision"] == "float32"


def test_auto_differs_from_no_precision_of_a_run(tiny: Recipe) -> None:
    asked = replace(tiny, precision="auto")
    for known in ("float32", "bfloat16"):
        assert recipe_differences(replace(tiny, precision=known), asked) == []
        assert differences(replace(tiny, precision=known), asked) == []
    assert differences(tiny, replace(tiny, precision="bfloat16")) == [("precision", "float32", "bfloat16")]


def test_a_precision_that_is_emulated_is_named_with_its_factor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "computes_bfloat16", lambda device: False)
    seconds = {"bfloat16": 3.0, "float32": 1.0}
    monkeypatch.setattr(precision, "_seconds_of_a_convolution", seconds.__getitem__)
    assert "3.0 times" in str(slow_precision("bfloat16", CPU))
    assert slow_precision("float32", CPU) is None
    monkeypatch.setattr(precision, "computes_bfloat16", lambda device: True)
    assert slow_precision("bfloat16", CPU) is None


def test_the_factor_is_measured_on_this_machine() -> None:
    said = slow_precision("bfloat16", CPU)
    assert said is None or ("times" in said and not computes_bfloat16(CPU))


def test_compiling_pays_if_it_saves_twice_what_it_takes() -> None:
    assert pays(Seconds(plain=3.0, compiled=2.0, compiling=100.0), steps=201)
    assert not pays(Seconds(plain=3.0, compiled=2.0, compiling=100.0), steps=200)
    assert not pays(Seconds(plain=2.0, compiled=2.1, compiling=1.0), steps=10**6)


@pytest.mark.parametrize(
    ("compiled_seconds", "long", "chosen"), [(1.0, 0.0, "on"), (3.0, 0.0, "off"), (1.0, 1e9, "off")]
)
def test_auto_compiles_long_runs_where_that_pays(
    compiled_seconds: float,
    long: float,
    chosen: str,
    tiny: Recipe,
    options: RunOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def measured(*_: object, compiled: bool) -> tuple[int, float, float]:
        return 1000, compiled_seconds if compiled else 2.0, 10.0

    monkeypatch.setattr(compile_choice, "_steps_and_seconds", measured)
    monkeypatch.setattr(compile_choice, "LONG", long)
    data = prepare_data(tiny, options)
    decided, seconds = decide_compile(tiny, replace(options, compile="auto"), data, CPU, Rank(), None)
    assert decided.compile == chosen
    assert seconds == (None if long else Seconds(2.0, compiled_seconds, 10.0))


def test_the_measurement_changes_nothing_of_the_run(
    tiny: Recipe, options: RunOptions, tmp_path: Path
) -> None:
    recipe = replace(tiny, epochs=1)
    plain = train(recipe, options)
    auto = train(recipe, replace(options, compile="auto", output=tmp_path / "auto"))
    assert read_record(auto.folder)["sessions"][0]["compile"] is None  # seconds of training are not worth it
    other = auto.method.state_dict()
    assert all(torch.equal(value, other[name]) for name, value in plain.method.state_dict().items())
    again = train(recipe, replace(options, compile="auto", output=tmp_path / "auto", resume=True))
    assert again.record["epochs_finished"] == 1


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ([], "off"),
        (["--compile"], "on"),
        (["--compile", "--epochs", "3"], "on"),
        (["--compile", "auto"], "auto"),
        (["--compile=auto"], "auto"),
        (["--no-compile"], "off"),
    ],
)
def test_compile_may_be_typed_with_and_without_a_value(typed: list[str], meant: str) -> None:
    assert parse(["digits-lt", *typed]).run.compile == meant


def test_several_processes_cannot_decide_by_measuring(tiny: Recipe, options: RunOptions) -> None:
    data = prepare_data(tiny, options)
    with pytest.raises(ValueError, match="auto"):
        decide_compile(tiny, replace(options, compile="auto"), data, CPU, Rank(0, 2, 0), None)


def test_every_nth_epoch_the_last_ten_and_the_last_before_a_milestone_are_evaluated(tiny: Recipe) -> None:
    recipe = replace(tiny, epochs=30, schedule_epochs=30, milestones=(3, 9), warmup_epochs=0)
    stage = main_stage(recipe, view_policy("grey", image_size=28))
    assert [epoch for epoch in range(1, 31) if is_evaluated(stage, epoch, 8)] == [3, 8, 9, 16, *range(21, 31)]
    assert all(is_evaluated(stage, epoch, 1) for epoch in range(1, 31))
    assert not any(is_evaluated(replace(stage, evaluated=False), epoch, 1) for epoch in range(1, 31))


def test_the_best_epoch_is_the_best_of_those_evaluated(tiny: Recipe, options: RunOptions) -> None:
    recipe = replace(tiny, epochs=12, head_count=20, milestones=(1,), schedule_epochs=12)
    seen: list[int] = []
    result = train(
        recipe,
        replace(options, evaluate_every=100),
        on_epoch=lambda report: seen.append(report.metrics["epoch"]),
    )
    evaluated = [row for row in result.metrics if "top1" in row]
    assert [row["epoch"] for row in evaluated] == seen == [1, *range(3, 13)]
    assert result.record["best"] == max(evaluated, key=lambda row: row["top1"])
