"""Commands whose output goes somewhere inconvenient, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bcl_edu import terminal

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
    assert r"Weight \u03bb of" in out


def test_a_reader_that_has_seen_enough_ends_the_command_without_a_word() -> None:
    process = start("bcl_edu.train", "--list")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()  # before anything is written
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=120) == 1


@pytest.mark.parametrize("missing", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_command_without_its_standard_streams_works_all_the_same(missing: str, tmp_path: Path) -> None:
    """The descriptors of the missing streams are not given to the files that the command opens."""
    script = """
import sys
from bcl_edu import terminal

@terminal.command
def main(arguments=None):
    with open(sys.argv[1], "wb") as file:
        assert file.fileno() > 2
        print("said")
        print("warned", file=sys.stderr)
        file.write(b"written")

main()
"""
    (tmp_path / "script.py").write_text(script)
    shell = f'exec "{sys.executable}" "{tmp_path}/script.py" "{tmp_path}/file" {missing}'
    ended = subprocess.run(["bash", "-c", shell], env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=120)
    assert ended.returncode == 0
    assert (tmp_path / "file").read_bytes() == b"written"


def test_a_warning_that_names_a_strangers_file_sends_no_control_characters(tmp_path: Path) -> None:
    script = r"""
import warnings
from bcl_edu import terminal

@terminal.command
def main(arguments=None):
    warnings.warn("cannot read pictures/\x1b[2J.png")

main()
"""
    (tmp_path / "script.py").write_text(script)
    ended = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert r"pictures/\x1b[2J.png" in ended.stderr.splitlines()[0]
    assert "\x1b" not in ended.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_a_full_standard_output_is_one_message() -> None:
    words = [sys.executable, "-m", "bcl_edu.data", "check", "digits"]
    with open("/dev/full", "w") as full:
        ended = subprocess.run(words, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "standard output: No space left" in line


def test_help_ends_in_a_terminal_of_five_columns() -> None:
    process = start("bcl_edu.data", "check", "--help", COLUMNS="5", PYTHONIOENCODING="ascii")
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "--data-dir" in out


def test_a_command_stays_in_one_piece_and_its_comment_moves_above_it() -> None:
    line = "python -m bcl_edu.train digits-lt      # nothing to download"
    assert terminal.fitted(line, 80) == line
    assert terminal.fitted(line, 40) == "# nothing to download\npython -m bcl_edu.train digits-lt"


def test_a_line_that_is_broken_keeps_its_indent_and_empty_lines_stay() -> None:
    assert terminal.fitted("one\n\n  two three four", 12) == "one\n\n  two three\n  four"
