"""What a mistyped value of an option is answered with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest
import tyro

from bcl_edu import evaluate, train
from bcl_edu.data import __main__ as check
from bcl_edu.option_values import VALUE_RULES, missing_value, near_names

Colour = Literal["red", "green"] | Literal["blue"]


@dataclass(frozen=True)
class Options:
    """Every kind of value that our command lines have."""

    number: int = 64
    weight: float = 0.5
    colour: Colour = "red"
    size: int | None = None


def parse(*words: str) -> Options:
    with VALUE_RULES:
        return tyro.cli(Options, args=words)


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What is printed instead of a result, on one line and without the box around it."""
    with pytest.raises(SystemExit) as end:
        parse(*words)
    assert end.value.code == 2
    return " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_right_values_are_read() -> None:
    assert parse() == Options()
    assert parse("--number", "3", "--weight", "5e-4", "--colour", "blue", "--size", "7") == Options(
        3, 5e-4, "blue", 7
    )
    assert parse("--size", "7", "--size", "None") == Options()


@pytest.mark.parametrize(("option", "value"), [("--number", "abc"), ("--number", "1.5"), ("--size", "x")])
def test_what_is_no_whole_number_is_named(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = answer(capsys, option, value)
    assert f"{option}: {value!r} " in said
    assert "whole number, such as 64" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--size"], "--size needs a whole number, such as 64"),
        (["--weight", "--number", "3"], "--weight needs a number, such as 0.5 or 5e-4"),
        (["--colour"], "--colour needs one of red, green, blue"),
        (["--number", "-3"], None),
        (["--number", "--help"], None),
        ([], None),
    ],
)
def test_an_option_without_its_value_is_answered_with_an_example(words: list[str], said: str | None) -> None:
    assert missing_value(Options, words) == said


def test_every_command_says_what_an_option_needs() -> None:
    for main, words, said in (
        (evaluate.main, ["run", "--knn"], "bcl_edu.evaluate: --knn needs a whole number, such as 64"),
        (train.main, ["digits-lt", "--lambda"], "bcl_edu.train: --lambda needs a number"),
        (train.main, ["digits-lt", "--output"], "bcl_edu.train: --output needs a path"),
        (check.main, ["check", "folder", "--data-dir"], "bcl_edu.data: --data-dir needs a path"),
    ):
        with pytest.raises(SystemExit, match=said):
            main(words)


def test_what_is_no_number_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    said = answer(capsys, "--weight", "half")
    assert "--weight: 'half' " in said
    assert "number, such as 0.5" in said


def test_a_misspelt_choice_is_answered_with_the_near_ones(capsys: pytest.CaptureFixture[str]) -> None:
    said = answer(capsys, "--colour", "gren")
    assert "--colour: 'gren'" in said
    assert "did you mean green" in said


def test_a_choice_that_is_near_to_none_gets_all_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    said = answer(capsys, "--colour", "xxxx")
    assert "one of red, green, blue" in said
    assert "did you mean" not in said


def test_near_names_come_nearest_first() -> None:
    assert near_names("bce", ["lc", "bcl", "focal", "ce"], cutoff=0.5) == "ce or bcl"
    assert near_names("zzz", ["lc", "bcl"], cutoff=0.5) == ""
