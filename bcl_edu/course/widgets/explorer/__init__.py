"""The simplex explorer: certified optimal class means under an imbalance that you set, live in the browser.

SimplexExplorer(imbalance_factor=100, num_classes=4)       in a notebook
python -m bcl_edu.course.widgets.explorer PAGE.html               as a page that works from disk
"""

from bcl_edu.course.widgets.explorer.page import explorer_html, write_page
from bcl_edu.course.widgets.explorer.settings import LOSSES, Settings
from bcl_edu.course.widgets.explorer.widget import SimplexExplorer

__all__ = ["LOSSES", "Settings", "SimplexExplorer", "explorer_html", "write_page"]
