"""Every notebook in JupyterLab, as its reader first sees it: all figures drawn, readable in both themes.

A notebook whose films or widgets are used by a test of its own, `test_notebook_NN.py`, is read through there and not
again. That all cells of every notebook run, in the minutes that it states, is what `make test-notebooks` tests.
"""

import re

import pytest

from tests.browser.jupyterlab import NOTEBOOKS, Visit, own_test

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.mark.parametrize("notebook", [name for name in NOTEBOOKS if not own_test(name).exists()])
def test_it_is_readable_in_both_themes(visit: Visit, notebook: str) -> None:
    visit.read_through(notebook)


@pytest.mark.parametrize("notebook", [name for name in NOTEBOOKS if own_test(name).exists()])
def test_a_notebook_with_a_test_of_its_own_is_read_through_there(notebook: str) -> None:
    text = own_test(notebook).read_text("utf-8")
    assert f'NOTEBOOK = "{notebook}"' in text
    assert len(re.findall(r"visit\.(?:read|run)_through\(NOTEBOOK\)", text)) == 1
