"""No option is taken for nothing: one that a command would not use is refused by name, with what would use it."""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

from bcl_edu import evaluate, train
from bcl_edu.data import open_dataset
from bcl_edu.data.check import check_dataset
from bcl_edu.data.open import prepare_dataset
from bcl_edu.methods import Method
from bcl_edu.methods.stage import Stage
from bcl_edu.recipe import MethodOptions
from bcl_edu.rows import METHODS
from bcl_edu.run_options import RunOptions
from tests.methods.harness import built, digits

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
        ("cifar100-lt --method kcl --drop-last", r"drop_last is True, .*kcl"),
        ("digits-lt --warmup-epochs 0 --warmup-from 0.1", r"warmup_from is 0\.1, .*--warmup-epochs"),
        ("digits-lt --method crt --init-from RUN --epochs 3", r"epochs is 3, .*init-from.*--second-epochs"),
        ("digits-lt --method kcl --init-from RUN --temperature 1", r"temperature is 1\.0, .*--init-from"),
        ("digits-lt --method ssp --init-from RUN --pretext-epochs 1", r"pretext_epochs is 1, .*--init-from"),
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
        "digits-lt --method crt --epochs 3 --second-epochs 2",
        "digits-lt --method crt --init-from RUN --second-epochs 2 --batch-size 32 --momentum 0.8",
        "digits-lt --init-from RUN --epochs 3",
        "digits-lt --workers 0 --no-progress --device cpu",  # limits, which any run keeps to
    ],
)
def test_a_value_that_a_recipe_uses_is_taken(arguments: str) -> None:
    train.parse(arguments.split())


OF_A_STAGE = {
    "epochs": 7,
    "learning_rate": 0.07,
    "schedule": "cosine",
    "warmup_epochs": 0,
    "warmup_from": 0.5,
    "milestones": (3,),
    "decay": 0.3,
    "rate_per_epoch": True,
    "batch_size": 32,
    "drop_last": True,
    "momentum": 0.7,
    "nesterov": True,
    "weight_decay": 0.1,
}


def trains_later_stages_alone(options: MethodOptions) -> bool:
    """Whether the method has stages of its own on a finished run."""
    module, _, name = options.implementation.partition(":")
    return getattr(import_module(module), name).stages_on is not Method.stages_on


@pytest.mark.parametrize(
    "name", [name for name, options in METHODS.items() if trains_later_stages_alone(options)]
)
def test_what_no_later_stage_uses_is_known(name: str) -> None:
    recipe = digits(name)

    def later_stages(**changed: object) -> list[Stage]:
        return built(recipe.change(**changed)).stages_on("ce")

    own = (one.name for one in fields(recipe.method) if one.name.endswith(("epochs", "batch_size", "_rate")))
    values = OF_A_STAGE | dict.fromkeys(own, 32)
    as_it_is = later_stages()
    without_effect = {
        option for option, value in values.items() if later_stages(**{option: value}) == as_it_is
    }
    known = recipe.method.unused() | recipe.method.unused_after_start()
    assert without_effect == known & values.keys()


@pytest.mark.parametrize("name", ["digits", "folder", "lists"])
def test_what_nobody_publishes_is_not_downloaded(name: str) -> None:
    for get in (open_dataset, prepare_dataset):
        with pytest.raises(ValueError, match=f"download is .*{name}"):
            get(name, download=True)


def test_digits_have_neither_a_folder_nor_lists(tmp_path: Path) -> None:
    for get in (open_dataset, check_dataset):
        with pytest.raises(ValueError, match=r"data_dir is .*digits"):
            get("digits", tmp_path)
        with pytest.raises(ValueError, match=r"train list .*mine\.txt, .*digits"):
            get("digits", lists={"train": Path("mine.txt")})


def test_a_mode_of_compilation_needs_compilation() -> None:
    with pytest.raises(ValueError, match=r"compile_mode is 'max-autotune'.*--compile"):
        RunOptions(compile_mode="max-autotune")
    assert RunOptions(compile_mode="max-autotune", compile="auto").compile == "auto"


def test_lists_that_an_evaluation_does_not_look_at_are_refused() -> None:
    with pytest.raises(SystemExit, match=r"validation list .*mine\.txt, .*--tau-norm"):
        evaluate.main([str(KEPT), "--val-list", "mine.txt"])
