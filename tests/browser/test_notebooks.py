"""Every notebook in JupyterLab, as its reader meets it: it runs in its time and is readable in both themes.

A notebook whose widgets are driven by a test of its own, `test_notebook_NN.py`, is run through there and not again.
"""

import re
from pathlib import Path

import pytest

from bcl_edu.course.outline import number_of
from tests.browser.jupyterlab import MINUTES, Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

HERE = Path(__file__).parent


def own_test(notebook: str) -> Path:
    """Where the widgets of a notebook are driven, if it has any."""
    return HERE / f"test_notebook_{number_of(notebook)}.py"


@pytest.mark.parametrize("notebook", [name for name in MINUTES if not own_test(name).exists()])
def test_it_runs_in_its_time_and_is_readable_in_both_themes(visit: Visit, notebook: str) -> None:
    visit.run_through(notebook)


@pytest.mark.parametrize("notebook", [name for name in MINUTES if own_test(name).exists()])
def test_a_notebook_with_widgets_is_run_through_by_its_own_test(notebook: str) -> None:
    text = own_test(notebook).read_text("utf-8")
    assert f'NOTEBOOK = "{notebook}"' in text
    assert len(re.findall(r"visit\.run_through\(NOTEBOOK\)", text)) == 1
