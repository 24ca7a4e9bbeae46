"""Commands whose output goes somewhere inconvenient, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def start(*words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="ascii",
    )


def test_a_character_that_the_encoding_lacks_is_written_otherwise() -> None:
    process = start("bcl_edu.train", "digits-lt", "--help", PYTHONIOENCODING="ascii")
    out, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    assert r"Weight \u03bb of the classification loss" in out


def test_a_reader_that_has_seen_enough_ends_the_command_without_a_word() -> None:
    process = start("bcl_edu.train", "--list")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()  # before anything is written
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=120) == 1
