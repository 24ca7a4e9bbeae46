"""What a run says while it goes, where somebody watches and in a log file."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from bcl_edu.training.display import SECONDS_BETWEEN_LINES, Progress, epoch_line, first_line


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Unflushed(io.StringIO):
    """A file that keeps what is written to itself until it is flushed, as Python's do."""

    seen = ""

    def flush(self) -> None:
        self.seen = self.getvalue()


def test_a_long_epoch_in_a_log_file_says_where_it_is_and_what_is_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    progress = Progress(1000, 100, enabled=True, clock=clock)
    for _ in range(90):  # 90 seconds, a step a second
        clock.now += 1
        progress.update(1, 2, 3.5)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("epoch 2, step 160 of 1,000, loss 3.500 | 60 s ")
    assert line.endswith(" 14 min left")


def test_a_log_file_gets_a_line_a_minute_however_fast_the_steps(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    progress = Progress(10_000, 0, enabled=True, clock=clock)
    for _ in range(6000):
        clock.now += 0.1
        progress.update(1, 1, 1.0)
    assert len(capsys.readouterr().out.splitlines()) == pytest.approx(600 / SECONDS_BETWEEN_LINES, abs=1)


def test_epochs_that_end_more_often_than_every_minute_leave_no_other_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    progress = Progress(100, 0, enabled=True, clock=clock)
    for epoch in range(1, 11):
        for _ in range(10):
            clock.now += 4
            progress.update(1, epoch, 1.0)
        progress.log(f"epoch {epoch} is over")
    assert capsys.readouterr().out.splitlines() == [f"epoch {epoch} is over" for epoch in range(1, 11)]


def test_where_progress_is_not_wanted_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    progress = Progress(100, 0, enabled=False, clock=clock)
    clock.now += 1000
    progress.update(1, 1, 1.0)
    progress.log("an epoch is over")
    assert capsys.readouterr().out == ""


def test_a_line_is_in_the_file_as_soon_as_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    file = Unflushed()
    monkeypatch.setattr(sys, "stdout", file)
    Progress(100, 0, enabled=True).log("it begins")
    assert file.seen == "it begins\n"


def test_the_first_line_says_what_where_and_from_when() -> None:
    recipe = {"name": "cifar100-lt", "method": {"name": "bcl"}, "seed": 1}
    data = {"training_images": 10_847, "class_counts": [1] * 100}
    begun = first_line(
        recipe, data, epochs=200, steps=43, where="cpu", folder=Path("runs/a"), epoch=0, step=0
    )
    for said in (
        "cifar100-lt, method bcl, seed 1: ",
        "200 epochs of 43 steps",
        "10,847 images",
        "on cpu",
        "runs/a",
    ):
        assert said in begun
    resumed = first_line(
        recipe, data, epochs=200, steps=43, where="cpu", folder=Path("runs/a"), epoch=3, step=7
    )
    assert resumed.startswith(begun)
    assert resumed.endswith(" 3 epochs and 7 steps")


@pytest.mark.parametrize("width", [80, 100, 120])
def test_an_epoch_is_one_line_with_many_medium_and_few(width: int) -> None:
    row = {"epoch": 200, "loss": 12.345, "top1": 100.0, "many": 100.0, "medium": 100.0, "few": None}
    line = epoch_line(row | {"simplex_deviation": 0.25, "seconds": 3600.0}, 200, width)
    assert len(line) <= width
    assert "many 100.0, medium 100.0, few n/a" in line
    assert ("left" in line) == (width > 80)
    assert ("deviation 0.250" in line) == (width == 120)
