"""`python -m bcl_edu.train`, `bcl_edu.evaluate` and `bcl_edu.export`, as a user types them."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bcl_edu import evaluate, export, train
from bcl_edu.rows import METHODS
from bcl_edu.training import RECIPES, RunOptions
from bcl_edu.training.checkpoint import load_checkpoint, save_checkpoint
from bcl_edu.training.run import claim_folder, next_folder

SHORT = ["--epochs", "1", "--head-count", "60", "--workers", "0", "--device", "cpu", "--no-tensorboard"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "digits"
    train.main(["digits-lt", *SHORT, "--output", str(folder)])
    return folder


def test_training_prints_its_table_and_where_things_lie(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train.main(["digits-lt", *SHORT, "--output", str(tmp_path / "run"), "--lambda", "1.5"])
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].startswith(
        "digits-lt, method bcl, seed 0: 1 epoch of 3 steps on 163 images"
    )
    assert "last epoch (1)" in printed
    assert "best epoch (1)" in printed
    assert str(tmp_path / "run") in printed
    assert json.loads((tmp_path / "run" / "run.json").read_text())["recipe"]["method"]["lambda_"] == 1.5


def test_a_dry_run_prints_an_estimate_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train.main(["digits-lt", *SHORT, "--output", str(tmp_path / "run"), "--dry-run"])
    printed = capsys.readouterr().out
    assert "estimated, nothing was written" in printed
    assert "checkpoint.pt" in printed
    assert not (tmp_path / "run").exists()


def test_a_dry_run_may_be_of_the_folder_one_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    train.main(["digits-lt", *SHORT, "--output", ".", "--dry-run"])
    assert "estimated, nothing was written" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_list_names_every_recipe_and_every_loss(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        train.main(["--list"])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in [*RECIPES, *METHODS])


@pytest.mark.parametrize("columns", [80, 160])
@pytest.mark.parametrize("arguments", [["--list"], ["--help"], ["table2-bcl", "--help"]])
def test_what_is_listed_keeps_to_the_terminal(
    arguments: list[str], columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit):
        train.main(arguments)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= columns
    assert "--list" not in arguments or max(map(len, lines)) > columns - 10  # and uses it


@pytest.mark.parametrize("recipe", ["digits-lt", "table2-bcl"])
def test_help_explains_every_option(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        train.main([recipe, "--help"])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    assert all(option in printed for option in ("--data-dir", "--lambda", "--imbalance-factor", "--resume"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cifar1000-lt"], "there is no recipe 'cifar1000-lt'"),
        (["--loss", "ce"], "no recipe '--loss'"),
        (["cifar100-lt", "--data-dir", "nowhere", "--workers", "0"], "folder nowhere"),
        (["digits-lt", "--resume", "--output", "nowhere"], "checkpoint nowhere"),
        (["digits-lt", "--head-count", "5000"], "5000"),
    ],
)
def test_a_mistake_is_one_message_without_a_traceback(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        train.main(arguments)
    assert message in str(end.value.code)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--views", "cifr"], "unknown view policy 'cifr'"),
        (["--backbone", "resnet33"], "unknown backbone 'resnet33'"),
        (["--head-count", "5000"], "5000"),
        (["--data-dir", "typo"], "typo"),
        (["--image-size", "64"], "image_size is 64"),
        (["--accumulate", "100"], "100 micro-batches"),
    ],
)
def test_a_wrong_value_is_told_before_that_the_folder_is_taken(
    wrong: list[str], message: str, run: Path
) -> None:
    with pytest.raises(SystemExit) as end:
        train.main(["digits-lt", *SHORT, "--output", str(run), *wrong])
    assert message in str(end.value.code)
    assert "already holds a run" not in str(end.value.code)


@pytest.mark.parametrize("resume", [[], ["--resume"]])
def test_an_exported_run_is_not_overwritten_by_another_run(
    resume: list[str], run: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    export.main([str(run), str(kept)])
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    with pytest.raises(SystemExit, match=r"no checkpoint\.pt"):
        train.main(["digits-lt", *SHORT, "--output", str(kept), *resume])
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before


@pytest.mark.parametrize("below", ["", "run"])
def test_a_run_cannot_lie_where_a_file_is(below: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SystemExit, match=r"file.*: .*; a file stands"):
        train.main(["digits-lt", *SHORT, "--output", str(tmp_path / "file" / below)])
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 6 TiB"),
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 25600 bytes"),
    ],
)
def test_too_little_memory_is_one_message_with_what_needs_less(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object) -> None:
        raise error

    monkeypatch.setattr("bcl_edu.training.stage_run.build_method", fails)
    with pytest.raises(SystemExit, match=r"not enough memory .*(allocate.*|MemoryError)\); "):
        train.main(["digits-lt", *SHORT, "--output", str(tmp_path / "run")])


def test_a_full_standard_output_is_not_taken_for_a_full_disk_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prints(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # without a file's name

    monkeypatch.setattr("bcl_edu.training.loop.train", prints)
    with pytest.raises(SystemExit, match="standard output: No space left"):
        train.main(["digits-lt", *SHORT, "--output", str(tmp_path / "run")])


def test_another_error_of_the_program_is_not_taken_for_too_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object) -> None:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr("bcl_edu.training.stage_run.build_method", fails)
    with pytest.raises(RuntimeError, match="shapes differ"):
        train.main(["digits-lt", *SHORT, "--output", str(tmp_path / "run")])


def test_a_misspelt_method_is_answered_with_the_near_ones() -> None:
    for option in ("--loss", "--method"):
        with pytest.raises(SystemExit, match=r"'bce'; did you mean ce or bcl\?"):
            train.main(["digits-lt", option, "bce"])


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--method", "ce", "--temperature", "0.2"], r"method ce .*--temperature; .*\bbcl\b"),
        (["--metod", "ce"], "--metod; did you mean --method"),
        (["--no-drop-lst"], "--no-drop-lst"),
    ],
)
def test_an_option_that_there_is_not_is_answered_with_what_has_it(typed: list[str], said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        train.main(["digits-lt", *typed])


def test_evaluating_what_is_not_there_says_what_is_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    with pytest.raises(SystemExit, match=r"no checkpoint runs/nothing; expected .*folder"):
        evaluate.main(["runs/nothing"])
    with pytest.raises(SystemExit, match=r"folder empty .*checkpoint\.pt, .* nor model\.safetensors"):
        evaluate.main(["empty"])


def test_a_checkpoint_alone_is_enough_and_gives_the_figures_of_the_record(run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.pt"
    shutil.copy(run / "checkpoint.pt", moved)
    result = evaluate.evaluate_checkpoint(moved, device="cpu")
    last = json.loads((run / "run.json").read_text())["last"]
    for name in ("top1", "many", "medium", "few", "simplex_deviation"):
        assert result[name] == last[name]


def test_evaluation_prints_each_class_from_head_to_tail(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate.main([str(run), "--per-class", "--device", "cpu"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("digits-lt, method bcl, after 1 epoch, on 400 test images")
    assert [line.split()[0] for line in lines[-10:]] == list("0123456789")


def test_evaluating_an_unfinished_run_says_how_much_of_it_was_trained(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = load_checkpoint(run / "checkpoint.pt")
    state["recipe"]["epochs"] = 3
    save_checkpoint(tmp_path / "unfinished.pt", state)
    result = evaluate.evaluate_checkpoint(tmp_path / "unfinished.pt", device="cpu")
    assert (result["epochs_trained"], result["epochs_planned"]) == (1, 3)
    assert "after 1 of 3 epochs, on 400" in evaluate.report(result, per_class=False)


def test_fewer_than_no_workers_are_refused(run: Path) -> None:
    with pytest.raises(SystemExit, match=r"workers is -1, .*at least 0"):
        evaluate.main([str(run), "--workers", "-1"])


@pytest.mark.parametrize("minutes", ["0", "nan"])
def test_checkpoints_are_some_minutes_apart(minutes: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        train.main(["digits-lt", "--checkpoint-minutes", minutes])
    assert "but must be above 0" in capsys.readouterr().err


def test_evaluation_as_json(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate.main([str(run), "--json", "--device", "cpu"])
    assert len(json.loads(capsys.readouterr().out)["per_class"]) == 10


def test_evaluating_something_else_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"something else")
    with pytest.raises(SystemExit) as end:
        evaluate.main([str(tmp_path)])
    assert "cannot be read" in str(end.value.code)


def test_an_exported_run_is_evaluated_like_the_run(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept"
    export.main([str(run), str(kept)])
    assert "run.json, metrics.jsonl, model.safetensors (0.28 MB)" in capsys.readouterr().out
    for folder in (run, kept):
        evaluate.main([str(folder), "--json", "--device", "cpu"])
    first, second = capsys.readouterr().out.split("}\n{")
    assert json.loads(first + "}") == json.loads("{" + second)


def test_exporting_twice_to_one_place_is_one_message(run: Path, tmp_path: Path) -> None:
    export.main([str(run), str(tmp_path / "kept")])
    with pytest.raises(SystemExit) as end:
        export.main([str(run), str(tmp_path / "kept")])
    assert "already holds something" in str(end.value.code)


def test_a_command_can_be_repeated_and_overwrites_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        train.main(["digits-lt", *SHORT])
    assert "into runs/digits-lt-bcl-seed0-2" in capsys.readouterr().out
    assert sorted(path.name for path in Path("runs").iterdir()) == [
        "digits-lt-bcl-seed0",
        "digits-lt-bcl-seed0-2",
    ]
    train.main(["digits-lt", *SHORT, "--resume"])  # the last one, which is finished and only loaded
    assert capsys.readouterr().out.endswith("runs/digits-lt-bcl-seed0-2\n")


def test_an_unfinished_run_is_not_passed_over(run: Path, tmp_path: Path) -> None:
    unfinished = tmp_path / "run"
    shutil.copytree(run, unfinished)
    record = json.loads((run / "run.json").read_text()) | {"epochs": 2}
    (unfinished / "run.json").write_text(json.dumps(record))
    named = replace(RECIPES["digits-lt"][1], epochs=1, head_count=60)
    folder = tmp_path / "runs" / "digits-lt-bcl-seed0"
    shutil.copytree(unfinished, folder)
    assert next_folder(named, RunOptions(output=unfinished)) == unfinished
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert next_folder(named, RunOptions()) == Path("runs/digits-lt-bcl-seed0")
    with pytest.raises(SystemExit, match=r"not finished; .*--resume"):
        train.main(["digits-lt", *SHORT, "--output", str(unfinished)])


def test_a_folder_of_other_things_is_no_place_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    for resume in ([], ["--resume"]):
        with pytest.raises(SystemExit, match=r"such as thesis\.tex"):
            train.main(["digits-lt", *SHORT, "--output", str(tmp_path), *resume])
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_home_folder_is_meant_by_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert RunOptions(output=Path("~/x")).output == tmp_path / "x"
    assert train.parse(["digits-lt", "--output=~/x"]).run.output == tmp_path / "x"
    with pytest.raises(SystemExit, match=str(tmp_path / "x")):
        evaluate.main(["~/x"])


def test_a_finished_run_says_what_can_be_done_with_it(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train.main(["digits-lt", *SHORT, "--output", str(run), "--resume"])
    printed = capsys.readouterr().out
    for words in ("finished already", "--extend-to EPOCHS", "--init-from", "bcl_edu.evaluate"):
        assert words in printed


@pytest.mark.parametrize(
    ("interrupted", "said"),
    [
        ("training.loop.claim_folder", "before the run began"),
        ("training.loop._Run._tensorboard", "nothing was saved"),
        ("training.loop._Run._tell", "checkpoint.pt .*--resume"),
    ],
)
def test_an_interrupt_at_any_moment_says_what_is_kept_and_how_to_go_on(
    interrupted: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def ctrl_c(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    command = ["digits-lt", *SHORT, "--output", str(tmp_path / "run")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"bcl_edu.{interrupted}", ctrl_c)
        with pytest.raises(SystemExit) as end:
            train.main(command)
    assert end.value.code == 130
    assert re.search(said, capsys.readouterr().err)
    train.main([*command, *(["--resume"] if "--resume" in said else [])])  # as it was said
    assert "last epoch (1)" in capsys.readouterr().out


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF])
def test_a_file_system_without_locks_is_named_and_trained_on(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_lock(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", no_lock)
    recipe = replace(RECIPES["digits-lt"][1], epochs=1)
    with ExitStack() as at_end:
        assert claim_folder(tmp_path / "run", recipe, resume=False, at_end=at_end) is None
    assert "has no locks" in capsys.readouterr().err


def test_an_output_folder_whose_name_is_not_utf8_is_one_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/l\xe4uft")
    arguments = ["digits-lt", *SHORT, "--output", name]
    monkeypatch.setattr("sys.argv", ["train.py", *arguments[:-1], "l\udce4uft"])
    train.main([argument for argument in arguments if argument != "--no-tensorboard"])
    export.main([name, name + "-kept"])
    evaluate.main([name + "-kept", "--device", "cpu"])
    assert "top-1" in capsys.readouterr().out
