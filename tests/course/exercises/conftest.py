"""Each test is a reader of its own, who has passed nothing yet."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the kernel runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
