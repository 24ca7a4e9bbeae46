"""What a learner typed is kept: a stored notebook is one file, whichever of it and its text twin is newer."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_server.services.contents.largefilemanager import LargeFileManager
from jupytext.sync_contentsmanager import build_sync_jupytext_contents_manager_class
from traitlets.config import Config

from tools.notebooks import NOTEBOOKS, notebook_of, twin_of, twins

NAME = "01_first_look.ipynb"
ANSWER = "# my answer, an hour of work\n"
PAIRING_MANAGER: Any = build_sync_jupytext_contents_manager_class(LargeFileManager)
"""What serves the files of a JupyterLab in which jupytext is installed: it heeds what a notebook says of a pairing."""


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """A learner's copy of a notebook, with an answer in its first code cell and nowhere else."""
    path = Path(shutil.copy(NOTEBOOKS / NAME, tmp_path))
    twin_of(path).parent.mkdir()
    shutil.copy(twin_of(NOTEBOOKS / NAME), twin_of(path))
    content = nbformat.read(path, as_version=4)
    cell = next(cell for cell in content.cells if cell.cell_type == "code")
    cell.source = ANSWER + cell.source
    nbformat.write(content, path)
    return path


@pytest.mark.parametrize("twin_is_beside", [False, True], ids=["in its folder", "beside the notebook"])
@pytest.mark.parametrize("newer", ["twin", "notebook"])
def test_an_answer_is_shown_and_saved_whichever_file_is_newer(
    notebook: Path, newer: str, twin_is_beside: bool
) -> None:
    twin = twin_of(notebook)
    if twin_is_beside:  # as the files lay before
        twin = twin.rename(notebook.with_suffix(".py"))
    now, text = time.time(), twin.read_text("utf-8")
    os.utime(notebook, (now - 100, now - 100 if newer == "twin" else now - 10))
    os.utime(twin, (now - 100, now - 10 if newer == "twin" else now - 100))

    manager = PAIRING_MANAGER()
    manager.root_dir = str(notebook.parent)
    opened = manager.get(NAME, type="notebook", content=True)
    assert any(cell["source"].startswith(ANSWER) for cell in opened["content"]["cells"])
    manager.save(opened, NAME)
    assert any(cell.source.startswith(ANSWER) for cell in nbformat.read(notebook, as_version=4).cells)
    assert twin.read_text("utf-8") == text


def test_a_notebook_that_names_its_twin_would_lose_the_answer(notebook: Path) -> None:
    content = nbformat.read(notebook, as_version=4)
    content.metadata["jupytext"] = {"formats": "ipynb,py:percent"}
    nbformat.write(content, notebook)
    twin = twin_of(notebook).rename(notebook.with_suffix(".py"))
    os.utime(notebook, (time.time() - 100,) * 2)
    os.utime(twin, (time.time() - 10,) * 2)
    manager = PAIRING_MANAGER()
    manager.root_dir = str(notebook.parent)
    opened = manager.get(NAME, type="notebook", content=True)
    assert not any(cell["source"].startswith(ANSWER) for cell in opened["content"]["cells"])


@pytest.mark.parametrize("twin", twins(), ids=lambda twin: twin.stem)
def test_no_file_of_ours_says_that_it_is_paired(twin: Path) -> None:
    assert "jupytext" not in nbformat.read(notebook_of(twin), as_version=4).metadata
    assert "formats:" not in twin.read_text("utf-8").partition("# %%")[0]


def configuration_of_make_lab() -> Config:
    config = Config()
    source = (NOTEBOOKS.parent / "tools" / "jupyter_lab_config.py").read_text("utf-8")
    exec(source, {"get_config": lambda: config, "__file__": "tools/jupyter_lab_config.py", "__name__": "c"})
    return config


def test_make_lab_lists_notebooks_and_opens_each_as_one_file() -> None:
    assert list(NOTEBOOKS.glob("*.py")) == []
    loaded = configuration_of_make_lab().ServerApp.jpserver_extensions
    assert (loaded["jupytext"], loaded["jupyterlab_jupytext"]) == (False, False)


def test_make_lab_asks_for_a_token_whatever_the_readers_configuration_says() -> None:
    provider = configuration_of_make_lab().ServerApp.identity_provider_class
    empty = provider(config=Config({"IdentityProvider": {"token": ""}}))
    assert len(empty.token) == 48
    assert (empty.auth_enabled, empty.token_generated) == (True, True)
    assert len(provider().token) == 48
    assert provider(config=Config({"IdentityProvider": {"token": "of my own"}})).token == "of my own"
