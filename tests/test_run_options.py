"""Options of a run: where list files are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from bcl_edu.run_options import RunOptions


def test_a_list_may_be_named_as_it_lies_here_or_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, data = tmp_path / "here", tmp_path / "data"
    for folder in (here, data):
        folder.mkdir()
    (data / "train.csv").touch()
    for folder in (here, data):
        (folder / "test.csv").touch()
    monkeypatch.chdir(here)
    options = RunOptions(
        data_dir=data, train_list=Path("train.csv"), test_list=Path("test.csv"), val_list=Path("none.csv")
    )
    assert options.lists == {
        "train": data / "train.csv",
        "test": Path("test.csv"),
        "validation": Path("none.csv"),
    }
