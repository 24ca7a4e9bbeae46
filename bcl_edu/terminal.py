"""What our commands print reaches any terminal, file or pipe, whatever its encoding and however early it closes."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps

Main = Callable[[Sequence[str] | None], None]


def command(main: Main) -> Callable[..., None]:
    """Make a function the main function of a command.

    A character that the output's encoding lacks, such as λ in many a Windows console, is written as \\u03bb. A reader
    that has seen enough, as `head` has, ends the command with status 1 and without a word.
    """

    @wraps(main)
    def run(arguments: Sequence[str] | None = None) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            try:
                main(arguments)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            # Python flushes once more when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)

    return run
