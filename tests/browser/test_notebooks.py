"""Every notebook in JupyterLab, as its reader meets it: it runs in its time and is readable in both themes.

A notebook whose widgets are driven by a test of its own, `test_notebook_NN.py`, is run through there and not again;
those on the paper's data sets are in `test_notebooks_on_data_sets.py`.
"""

import re

import pytest

from tests.browser.jupyterlab import MINUTES, WITHOUT_OWN_TEST, Visit, on_data_sets, own_test

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


@pytest.mark.parametrize("notebook", [name for name in WITHOUT_OWN_TEST if not on_data_sets(name)])
def test_it_runs_in_its_time_and_is_readable_in_both_themes(visit: Visit, notebook: str) -> None:
    visit.run_through(notebook)


@pytest.mark.parametrize("notebook", [name for name in MINUTES if own_test(name).exists()])
def test_a_notebook_with_widgets_is_run_through_by_its_own_test(notebook: str) -> None:
    text = own_test(notebook).read_text("utf-8")
    assert f'NOTEBOOK = "{notebook}"' in text
    assert len(re.findall(r"visit\.run_through\(NOTEBOOK\)", text)) == 1
