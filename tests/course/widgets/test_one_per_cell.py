import ipywidgets
import pytest

from bcl_edu.course.widgets import one_per_cell as module
from bcl_edu.course.widgets.one_per_cell import one_per_cell


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A kernel that answers the request described here."""
    request = {"cell": "a", "run": "1"}

    class Shell:
        def get_parent(self) -> dict[str, dict[str, str]]:
            return {"metadata": {"cellId": request["cell"]}, "header": {"msg_id": request["run"]}}

    monkeypatch.setattr(module, "get_ipython", Shell)
    monkeypatch.setattr(module, "_shown", {})
    return request


def test_a_cell_that_runs_again_closes_what_it_left(kernel: dict[str, str]) -> None:
    heard: list[object] = []
    inner = ipywidgets.IntSlider()
    inner.observe(heard.append, names="value")
    first, second = one_per_cell(ipywidgets.VBox([inner])), one_per_cell(ipywidgets.VBox())
    assert first.comm is not None
    kernel["run"] = "2"
    third = one_per_cell(ipywidgets.VBox())
    assert (first.comm, inner.comm, second.comm) == (None, None, None)
    assert third.comm is not None
    inner.value = 3
    assert heard == []


def test_cells_leave_each_other_alone(kernel: dict[str, str]) -> None:
    first = one_per_cell(ipywidgets.VBox())
    kernel.update(cell="b", run="2")
    one_per_cell(ipywidgets.VBox())
    assert first.comm is not None


def test_outside_of_a_notebook_nothing_happens() -> None:
    first, second = one_per_cell(ipywidgets.VBox()), one_per_cell(ipywidgets.VBox())
    assert first.comm is not None
    assert second.comm is not None
