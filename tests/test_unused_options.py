"""No option is taken for nothing: one that a command would not use is refused by name, with what would use it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bcl_edu import evaluate, train
from bcl_edu.data import open_dataset
from bcl_edu.data.check import check_dataset
from bcl_edu.data.open import prepare_dataset
from bcl_edu.run_options import RunOptions

KEPT = Path(__file__).parents[1] / "results" / "digits-lt" / "bcl"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("folder --milestones 3 4", r"milestones is \[3, 4\], .*--schedule steps"),
        ("folder --decay=0.5", r"decay is 0\.5, .*--schedule steps"),
        ("folder --imbalance-factor 10", r"imbalance_factor is 10\.0, .*--profile exponential"),
        ("folder --head_count 10", r"head_count is 10, .*--profile exponential"),
        ("folder --subset-seed 1", r"subset_seed is 1, .*--val-fraction"),
        ("digits-lt --image-size 32", r"image_size is 32, .*not for digits"),
        ("digits-lt --unreadable-images replace", r"unreadable_images is 'replace', .*not for digits"),
        ("digits-lt --no-blur", r"blur is False, .*--views"),
        ("cifar100-lt --method kcl --drop-last", r"drop_last is True, but the method kcl does not use it"),
    ],
)
def test_a_value_that_a_recipe_does_not_use_is_refused(arguments: str, message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        train.parse(arguments.split())


@pytest.mark.parametrize(
    "arguments",
    [
        "folder --schedule steps --milestones 3 4 --decay 0.5",
        "folder --profile exponential --imbalance-factor 10 --head-count 10 --subset-seed 1",
        "folder --val-fraction 0.1 --subset-seed 1",
        "folder --image-size 32 --no-blur --crop-scale 0.5 1",
        "digits-lt --workers 0 --no-progress --device cpu",  # limits, which any run keeps to
    ],
)
def test_a_value_that_a_recipe_uses_is_taken(arguments: str) -> None:
    train.parse(arguments.split())


@pytest.mark.parametrize("name", ["digits", "folder", "lists"])
def test_what_nobody_publishes_is_not_downloaded(name: str) -> None:
    for get in (open_dataset, prepare_dataset):
        with pytest.raises(ValueError, match=f"download is asked for, but {name}"):
            get(name, download=True)


def test_digits_have_neither_a_folder_nor_lists(tmp_path: Path) -> None:
    for get in (open_dataset, check_dataset):
        with pytest.raises(ValueError, match=r"data_dir is .*but digits come with this package"):
            get("digits", tmp_path)
        with pytest.raises(ValueError, match=r"a train list is named, mine\.txt, but digits has no lists"):
            get("digits", lists={"train": Path("mine.txt")})


def test_a_mode_of_compilation_needs_compilation() -> None:
    with pytest.raises(ValueError, match=r"compile_mode is 'max-autotune'.*--compile"):
        RunOptions(compile_mode="max-autotune")
    assert RunOptions(compile_mode="max-autotune", compile="auto").compile == "auto"


def test_lists_that_an_evaluation_does_not_look_at_are_refused() -> None:
    with pytest.raises(SystemExit, match=r"a validation list is named, mine\.txt, .*--tau-norm"):
        evaluate.main([str(KEPT), "--val-list", "mine.txt"])
