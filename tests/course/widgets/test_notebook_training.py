import os
import signal
from dataclasses import replace

import pytest
import torch

from bcl_edu.course.widgets import LiveClassMeans, notebook_training, train_live, train_quietly
from bcl_edu.training import RECIPES, EpochReport, Interrupted

RECIPE = RECIPES["digits-lt"][1].change(epochs=2, head_dim=3)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What a notebook would display."""
    things: list[object] = []
    monkeypatch.setattr(notebook_training, "display", things.append)
    return things


def test_a_live_run_leaves_its_last_means_on_the_screen_and_all_of_them_in_the_film(
    shown: list[object],
) -> None:
    run = train_live(RECIPE)
    (live,) = shown
    figure = live.figure  # type: ignore[attr-defined]
    assert [report.metrics["epoch"] for report in run.reports] == [1, 2]
    assert run.means_by_epoch.shape == (2, 10, 3)
    drawn = torch.tensor([list(axis) for axis in (figure.data[-1].x, figure.data[-1].y, figure.data[-1].z)]).T
    torch.testing.assert_close(drawn, run.means_by_epoch[-1])
    assert "epoch 2 of 2" in figure.layout.title.text
    assert "left" not in figure.layout.title.text
    assert [frame.name for frame in run.film().frames] == ["1", "2"]
    assert [frame.name for frame in run.film(every=2).frames] == ["2"]


def test_a_quiet_run_computes_what_a_live_run_does(shown: list[object]) -> None:
    live, quiet = train_live(replace(RECIPE, epochs=1)), train_quietly(replace(RECIPE, epochs=1))
    assert len(shown) == 1
    assert live.last.metrics["loss"] == quiet.last.metrics["loss"]
    assert quiet.class_names == tuple("0123456789")


def test_a_stopped_run_returns_what_was_seen_and_goes_on_to_the_same_end(
    shown: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = LiveClassMeans.show

    def show_and_stop(self: LiveClassMeans, report: EpochReport) -> None:
        real(self, report)
        os.kill(os.getpid(), signal.SIGINT)  # what the stop button does

    with monkeypatch.context() as patch:
        patch.setattr(LiveClassMeans, "show", show_and_stop)
        stopped = train_live(RECIPE)
    assert len(stopped.reports) == 1
    title = shown[0].figure.layout.title.text  # type: ignore[attr-defined]
    assert "epoch 1 of 2; run" in title

    whole, undisturbed = train_live(RECIPE), train_quietly(RECIPE)
    assert [report.metrics["epoch"] for report in whole.reports] == [1, 2]
    assert whole.last.metrics["loss"] == undisturbed.last.metrics["loss"]
    torch.testing.assert_close(whole.means_by_epoch, undisturbed.means_by_epoch, rtol=0, atol=0)


def test_stopping_before_the_first_epoch_is_told(
    shown: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise Interrupted("Ctrl-C")

    monkeypatch.setattr(notebook_training, "train", stopped)
    with pytest.raises(Interrupted):
        train_live(RECIPE)


def test_time_left_comes_from_the_last_epoch() -> None:
    run = train_quietly(replace(RECIPE, epochs=1))
    live = LiveClassMeans(replace(RECIPE, epochs=11), run.class_counts, run.class_names)
    report = replace(run.last, metrics={**run.last.metrics, "seconds": 0.5})
    live.show(report)
    assert live.live.figure.layout.title.text.endswith("about 5 s left</span>")
    assert [note.text for note in live.live.figure.layout.annotations] == ["epoch 1"]
    assert live.live.moves  # it is a film, not a still: the page scrolls to it


@pytest.mark.parametrize(
    ("change", "message"),
    [({"head_dim": 32}, "head_dim is 32"), ({"method": "ce"}, "'ce'")],
)
def test_what_cannot_be_drawn_is_refused_before_training(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train_live(RECIPE.change(**change))
