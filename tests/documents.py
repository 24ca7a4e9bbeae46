"""Pages of documentation as code: their Python, and their commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

from bcl_edu import evaluate, export, train
from bcl_edu.data.__main__ import main as check
from bcl_edu.report.__main__ import main as report

DOCS = Path(__file__).parents[1] / "docs"

COMMANDS: dict[str, Callable[..., None]] = {
    "bcl_edu.train": train.main,
    "bcl_edu.evaluate": evaluate.main,
    "bcl_edu.export": export.main,
    "bcl_edu.report": report,
    "bcl_edu.data": check,
}

QUICK = ("--device", "cpu", "--workers", "0")
QUICK_TO_TRAIN = (*QUICK, "--no-progress", "--no-tensorboard")


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in a language, in their order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


def python_of(page: str, number: int) -> str:
    """One block of Python, with the empty lines above it that give its lines their numbers in the page."""
    block = blocks(page, "python")[number]
    before = (DOCS / page).read_text(encoding="utf-8").partition(block)[0]
    return "\n" * before.count("\n") + block


def run_commands(page: str, *to_train: str) -> list[str]:
    """Run each `python -m` line of a page's console blocks in this process and the current folder.

    Args:
        page: in docs.
        to_train: further options of training, such as a smaller network.
    """
    done = []
    for line in "".join(blocks(page, "console")).splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        assert words[:2] == ["python", "-m"], line
        extra = {"bcl_edu.train": (*QUICK_TO_TRAIN, *to_train), "bcl_edu.evaluate": QUICK}.get(words[2], ())
        try:
            COMMANDS[words[2]]([*words[3:], *extra])
        except SystemExit as end:
            if end.code:
                raise AssertionError(f"{line}: {end.code}") from end
        done.append(line)
    return done
