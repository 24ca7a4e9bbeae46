import os
import signal
from dataclasses import replace
from pathlib import Path

import plotly.graph_objects as go
import pytest

from bcl_edu.course.figures import style
from bcl_edu.course.widgets import LiveFigure, watch_run, watched_run
from bcl_edu.training import RECIPES, CheckpointError, RunOptions

RECIPE = replace(RECIPES["digits-lt"][1], epochs=2)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What a notebook would display."""
    things: list[object] = []
    monkeypatch.setattr(watched_run, "display", things.append)
    return things


@pytest.fixture
def options(tmp_path: Path) -> RunOptions:
    return RunOptions(output=tmp_path / "run", tensorboard=False)


def curves(box: object) -> go.Figure:
    (live,) = (child for child in box.children if isinstance(child, LiveFigure))  # type: ignore[attr-defined]
    return live.figure


def words(box: object) -> str:
    return " ".join(str(child.value) for child in box.children if hasattr(child, "value"))  # type: ignore[attr-defined]


def test_a_run_is_trained_the_first_time_and_loaded_the_second(
    shown: list[object], options: RunOptions
) -> None:
    first = watch_run(RECIPE, options)
    second = watch_run(RECIPE, options)
    assert first.finished
    assert second.finished
    assert first.metrics == second.metrics
    assert first.record == second.record
    for box in shown:
        assert [trace.name for trace in curves(box).data] == ["all", "many-shot", "medium-shot", "few-shot"]
        assert curves(box).data[0].x == (1, 2)
        assert curves(box).data[0].y[-1] == first.metrics[-1]["top1"]


def test_a_stopped_run_says_so_and_goes_on_where_it_was(shown: list[object], options: RunOptions) -> None:
    real = watched_run.LiveCurves.add

    def add_and_stop(self: watched_run.LiveCurves, report: object) -> None:
        real(self, report)  # type: ignore[arg-type]
        os.kill(os.getpid(), signal.SIGINT)  # what the stop button does

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watched_run.LiveCurves, "add", add_and_stop)
        stopped = watch_run(RECIPE, options)
    assert not stopped.finished
    assert len(stopped.metrics) == 1
    assert "epoch 2 after step 1" in words(shown[0])
    assert "run this cell" in words(shown[0])

    seen: list[list[int]] = []

    def add_and_note(self: watched_run.LiveCurves, report: object) -> None:
        real(self, report)  # type: ignore[arg-type]
        seen.append([row["epoch"] for row in self.rows])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watched_run.LiveCurves, "add", add_and_note)
        whole = watch_run(RECIPE, options)
    assert whole.finished
    assert seen == [[1, 2]]  # the first epoch stands there while the second is trained
    assert [row["epoch"] for row in whole.metrics] == [1, 2]
    assert curves(shown[1]).data[0].x == (1, 2)


def test_a_note_stands_under_the_title(shown: list[object], options: RunOptions) -> None:
    watch_run(replace(RECIPE, epochs=1), options, note="a reduced run: digits")
    assert style.caption(curves(shown[0])) == "a reduced run: digits"


def test_another_recipe_in_the_same_folder_is_refused(shown: list[object], options: RunOptions) -> None:
    watch_run(replace(RECIPE, epochs=1), options)
    with pytest.raises(CheckpointError, match="method: stored 'bcl', asked 'scl'"):
        watch_run(RECIPE.change(epochs=1, method="scl"), options)


def test_a_shot_group_has_its_colour_whichever_groups_there_are() -> None:
    row = {"epoch": 1, "top1": 50.0, "many": None, "medium": 60.0, "few": 40.0}
    drawn = watched_run.accuracy_curves([row], RECIPE)
    colours = {trace.name: trace.line.color for trace in drawn.data}
    assert colours["medium-shot"] == style.GROUP_COLOURS["medium"]
    assert colours["few-shot"] == style.GROUP_COLOURS["few"]
    assert "many-shot" not in colours
