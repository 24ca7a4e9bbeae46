"""Make commands work with any terminal, file or pipe: whatever its encoding or width, closed early, full or missing."""

from __future__ import annotations

import errno
import io
import os
import shutil
import sys
import textwrap
import warnings
from collections.abc import Callable, Sequence
from functools import wraps

from bcl_edu.escape import for_terminal

Main = Callable[[Sequence[str] | None], None]

NARROWEST = 40
"""Columns of the narrowest terminal for which help is laid out; below a handful, tyro's layout never ends."""

LEAST_COLUMNS = 80
"""Columns that text of our own takes at least."""
IN_A_FILE = 120
"""Columns of what is written to a file or a pipe."""

INDENT = "  "

OUTPUT_FAILS = (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF)
"""Error numbers with which the system refuses to write to a stream; a file's error also names the file."""


def columns() -> int:
    """Columns of the terminal, 80 at least; of a file or a pipe, 120."""
    return max(LEAST_COLUMNS, shutil.get_terminal_size(fallback=(IN_A_FILE, 24)).columns)


def fitted(text: str, width: int | None = None) -> str:
    """Text with its lines broken to fit the terminal.

    A line that is indented goes on with the same indent. A command with a comment, `python -m x    # does this`, keeps
    its command in one piece: where both do not fit, the comment stands in a line above it.

    Args:
        text: lines; empty ones stay.
        width: columns; by default those of the terminal.
    """
    width = columns() if width is None else width
    lines: list[str] = []
    for line in text.splitlines():
        command, hash_sign, comment = line.partition("  # ")
        if len(line) > width and hash_sign:
            lines += [f"# {comment.strip()}", command.rstrip()]
        else:
            indent = line[: len(line) - len(line.lstrip())]
            lines += textwrap.wrap(line, width, subsequent_indent=indent, break_on_hyphens=False) or [""]
    return "\n".join(lines)


def description(text: str) -> str:
    """A command's description, indented: tyro breaks no line, and joins those that begin with a letter."""
    return textwrap.indent(fitted(text, columns() - len(INDENT)), INDENT)


def command(main: Main) -> Callable[..., None]:
    """Make a function the main function of a command.

    - Characters that the output's encoding lacks, such as λ in many a Windows console, are written as \\u03bb.
    - If the pipe closes early (as with `head`), the command exits silently with status 1.
    - A stream that is missing (`>&-`) becomes the null device, and its descriptor is not given to another file.
    - An output that cannot be written to, such as a file on a full disk, is one message and status 1.
    - Warnings, which may name files and classes of strangers, are shown without control characters.
    """

    @wraps(main)
    def run(arguments: Sequence[str] | None = None) -> None:
        _replace_missing_streams()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        if shutil.get_terminal_size().columns < NARROWEST:
            os.environ["COLUMNS"] = str(NARROWEST)
        as_before = warnings.formatwarning
        warnings.formatwarning = lambda *said, **named: for_terminal(as_before(*said, **named), keep="\n")
        try:
            try:
                main(arguments)
            finally:
                warnings.formatwarning = as_before
                sys.stdout.flush()
        except BrokenPipeError:
            _discard_output()
            sys.exit(1)
        except KeyboardInterrupt:
            print("stopped by Ctrl-C", file=sys.stderr)
            sys.exit(130)
        except OSError as error:
            if not is_of_the_output(error):  # nobody has answered it
                raise
            _discard_output()
            sys.exit(f"cannot write to the standard output: {os.strerror(error.errno or 0)}")

    return run


def is_of_the_output(error: Exception) -> bool:
    """True if an error is of the standard output or error stream, which `command` handles for every command."""
    return isinstance(error, OSError) and error.filename is None and error.errno in OUTPUT_FAILS


def _replace_missing_streams() -> None:
    """Put the null device in place of each standard stream that is missing, and of its descriptor."""
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _discard_output() -> None:
    """Let what is still buffered go to the null device: Python flushes once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
