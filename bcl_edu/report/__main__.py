"""Rebuild the paper's tables from runs: the paper's figure, ours, the difference, and what tells whether to compare.

python -m bcl_edu.report results                                   # every run.json below results, in the terminal
python -m bcl_edu.report results runs --format markdown            # from several folders, as Markdown
python -m bcl_edu.report results --format html --output report.html
python -m bcl_edu.report results --all                             # also the tables that no run is in
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from bcl_edu import terminal
from bcl_edu.escape import for_terminal
from bcl_edu.files import explain_error, write_atomically
from bcl_edu.option_values import parse_options
from bcl_edu.plugins import load_plugins
from bcl_edu.report import as_html_page, as_markdown, as_text, build_report
from bcl_edu.training.record import RECORD_NAME

DESCRIPTION = (
    "Rebuild the paper's tables from runs. Unfinished runs, and those whose images, epochs, backbone or any other "
    "value that the paper states differ from the row's, are listed apart with the reason."
)
_FORMATS = {"text": as_text, "markdown": as_markdown, "html": as_html_page}


@dataclass(frozen=True)
class Command:
    """Options of the command: the runs, and the form of the report."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders that are searched for run.json."""
    format: Literal["text", "markdown", "html"] = "text"
    """Form of the report; for a DataFrame use bcl_edu.report.as_dataframe."""
    output: Path | None = None
    """A file to write to; by default the report is printed."""
    plugin: tyro.conf.UseAppendAction[tuple[Path, ...]] = ()
    """A file of your own that registers methods of the runs; may be repeated."""
    all: bool = False
    """Also show the tables that no run is in."""


@terminal.command
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a problem the user can mend is one message on stderr and exit status 1."""
    command: Command = parse_options(Command, "python -m bcl_edu.report", DESCRIPTION, arguments)
    if not command.runs:
        sys.exit("bcl_edu.report: name one or more folders that hold runs, such as results or runs")
    try:
        if command.output is not None and command.output.is_dir():
            raise ValueError(f"{command.output} is a folder; name the file to write the report to")
        load_plugins(command.plugin)
        report = build_report(command.runs, all_tables=command.all)
        if not (command.all or report.tables or report.apart):
            raise ValueError(
                f"there is no {RECORD_NAME} below {' or '.join(map(str, command.runs))}; name folders that hold runs, "
                "such as results or runs"
            )
        written = _FORMATS[command.format](report)
        if command.output is not None:
            write_atomically(command.output, written.encode())
    except (ValueError, OSError) as error:
        sys.exit(f"bcl_edu.report: {explain_error(error)}")
    print(for_terminal(command.output) if command.output is not None else written.rstrip("\n"))


if __name__ == "__main__":
    main()
