"""The simplex explorer: certified optimal class means under an imbalance that you set, live in the browser.

SimplexExplorer(imbalance_factor=100, num_classes=4)       in a notebook
python -m bcl_edu.widgets.explorer PAGE.html               as a page that works from disk
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bcl_edu.widgets.explorer.page import explorer_html, write_page
from bcl_edu.widgets.explorer.settings import LOSSES, Settings

if TYPE_CHECKING:
    from bcl_edu.widgets.explorer.widget import SimplexExplorer

__all__ = ["LOSSES", "Settings", "SimplexExplorer", "explorer_html", "write_page"]


def __getattr__(name: str) -> Any:
    """Load anywidget only for who uses it: the page does not."""
    if name == "SimplexExplorer":
        from bcl_edu.widgets.explorer.widget import SimplexExplorer

        return SimplexExplorer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
