"""A data set can be chosen, and the exercises answer like a tutor."""

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


def test_a_data_set_can_be_chosen_and_keeps_the_factor(visit: Visit, notebook: str) -> None:
    visit.open(notebook)
    cell = visit.page.locator(".jp-Notebook .jp-CodeCell").first
    output = visit.run_instead(
        cell,
        "from bcl_edu.course import widgets\nfrom bcl_edu.data import open_dataset\n\n"
        "digits = open_dataset('digits')\n"
        "widgets.long_tail_explorer({'training': digits.train, 'test': digits.test}, imbalance_factor=10)",
    )
    caption = output.locator(".gtitle").first
    expect(caption).to_contain_text("the largest class has 134, the smallest 13", timeout=120_000)
    output.get_by_role("button", name="test", exact=True).click()
    expect(output.locator(".gtitle").first).to_contain_text(
        "the largest class has 40, the smallest 4 (10 : 1)"
    )
    expect(output.locator(".js-plotly-plot")).to_have_count(2)  # the figures before are gone
    visit.scroll_to(output.locator(".js-plotly-plot").first)
    keep_picture(visit.page, "long-tail-explorer.png")
    assert visit.errors_shown() == []


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
