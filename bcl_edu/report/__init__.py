"""From the runs on disk to the paper's tables: which run fills which row, what came out, and in which format."""

from bcl_edu.report.formats import as_dataframe, as_html, as_html_page, as_markdown, as_text
from bcl_edu.report.row_tables import Report, build_report, records
from bcl_edu.report.runs import find_runs, side_by_side

__all__ = [
    "Report",
    "as_dataframe",
    "as_html",
    "as_html_page",
    "as_markdown",
    "as_text",
    "build_report",
    "find_runs",
    "records",
    "side_by_side",
]
