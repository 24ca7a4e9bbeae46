"""For pytest's nbval: what of a stored notebook must come out the same when it is run again.

    pytest -p tools.strict_outputs --nbval notebooks/03_regular_simplex.ipynb

What a notebook prints is compared to the letter. A figure is stored with a picture and its description beside it (see
`tools.notebooks`), which a fresh run does not have, and its arrays may differ in the last digit: its cell has to run,
and its numbers are asserted in the notebook.
"""

import pytest
from nbval.plugin import IPyNbCell

NOT_COMPARED = ("application/vnd.plotly.v1+json", "image/png", "text/plain", "text/html")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave what figures are made of out of the comparison."""
    for notebook in {item.parent for item in items if isinstance(item, IPyNbCell)}:
        notebook.skip_compare = (*notebook.skip_compare, *NOT_COMPARED)
