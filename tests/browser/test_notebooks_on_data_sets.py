"""The notebooks on the paper's data sets in JupyterLab: each runs in its time and is readable in both themes."""

import pytest

from tests.browser.jupyterlab import WITHOUT_OWN_TEST, Visit, on_data_sets

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


@pytest.mark.parametrize("notebook", [name for name in WITHOUT_OWN_TEST if on_data_sets(name)])
def test_it_runs_in_its_time_and_is_readable_in_both_themes(visit: Visit, notebook: str) -> None:
    visit.run_through(notebook)
