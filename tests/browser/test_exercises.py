"""Exercises in JupyterLab answer like a tutor."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.jupyterlab import Visit, keep_picture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

IMPORT = "from bcl_edu.course.exercises import check\n\n\n"
LINES = {
    "forgot to round": "    return n_max * imbalance_factor ** (-torch.arange(num_classes) / (num_classes - 1))\n",
    "raises": "    return n_max.floor()\n",
    "right": "    k = torch.arange(num_classes, dtype=torch.float64)\n"
    "    return (n_max * imbalance_factor ** (-k / (num_classes - 1))).floor()\n",
}


@pytest.fixture
def notebook(visit: Visit) -> Iterator[str]:
    """A notebook of one cell that does nothing until a test says what."""
    with visit.lab.notebook_of("exercise-test", "0") as name:
        yield name


def written(line: str) -> str:
    """An exercise cell that needs no other cell to have run."""
    head = "import torch\n" + IMPORT + "def class_counts(n_max, num_classes, imbalance_factor):\n"
    return head + LINES[line] + "\n\ncheck('class_counts', class_counts)"


def test_an_exercise_hints_explains_an_exception_and_passes_after_a_restart(
    visit: Visit, notebook: str
) -> None:
    visit.open(notebook)
    cell = visit.page.locator(".jp-Notebook .jp-CodeCell").first

    output = visit.run_instead(cell, written("forgot to round"))
    expect(output).to_contain_text("class_counts: not yet", timeout=120_000)
    expect(output).to_contain_text("there are no fractions of an image")

    output = visit.run_instead(cell, written("raises"))
    expect(output).to_contain_text("raised AttributeError")
    expect(output).to_contain_text("in the line return n_max.floor()")
    expect(output).not_to_contain_text("Traceback")
    keep_picture(visit.page, "exercise-exception.png")

    visit.restart_kernel()
    output = visit.run_instead(cell, written("right"))
    expect(output).to_contain_text("class_counts: passed", timeout=120_000)
    assert visit.errors_shown() == []
