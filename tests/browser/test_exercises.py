"""Notebooks 02 and 03 in JupyterLab: they run, the data sets can be chosen, and the exercises answer like a tutor."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.jupyterlab import SCREENSHOTS, SLOW_START, Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

SECONDS = 500
"""For all cells of a notebook; half a minute on an idle machine."""

IMPORT = "from bcl_edu.exercises import check\n\n\n"
LINES = {
    "forgot to round": "    return n_max * imbalance_factor ** (-torch.arange(num_classes) / (num_classes - 1))\n",
    "raises": "    return n_max.floor()\n",
    "right": "    k = torch.arange(num_classes, dtype=torch.float64)\n"
    "    return (n_max * imbalance_factor ** (-k / (num_classes - 1))).floor()\n",
}


def written(line: str) -> str:
    """An exercise cell that needs no other cell to have run."""
    head = "import torch\n" + IMPORT + "def class_counts(n_max, num_classes, imbalance_factor):\n"
    return head + LINES[line] + "\n\ncheck('class_counts', class_counts)"


def run_instead(visit: Visit, cell: Locator, source: str) -> Locator:
    """Replace what a cell says, run it, and return its output."""
    cell.locator(".cm-content").click()
    visit.page.keyboard.press("Control+a")
    visit.page.keyboard.insert_text(source)
    visit.page.keyboard.press("Control+Enter")
    return cell.locator(".jp-OutputArea")


@pytest.mark.parametrize("notebook", ["02_long_tails", "03_regular_simplex"])
def test_it_runs_and_is_readable_in_both_themes(visit: Visit, notebook: str) -> None:
    visit.open(notebook)
    visit.run_all()
    visit.wait_until_done(SECONDS)
    assert visit.errors_shown() == []
    assert visit.cut_off() == []
    # every live figure has drawn its title: one that came up empty has only bare axes
    figures = visit.page.locator(".jp-OutputArea .js-plotly-plot")
    expect(figures.locator(".gtitle")).to_have_count(figures.count())
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        visit.set_theme(theme)
        assert visit.photograph(f"{notebook}-{theme.split()[-1].lower()}") > 5
    visit.set_theme("JupyterLab Light")
    assert [error for error in visit.errors if error != SLOW_START] == []
    assert visit.foreign == []


def test_a_data_set_can_be_chosen_and_keeps_the_factor(visit: Visit) -> None:
    visit.open("02_long_tails")
    cell = visit.page.locator(".jp-Notebook .jp-CodeCell").first
    output = run_instead(
        visit,
        cell,
        "from bcl_edu import widgets\nfrom bcl_edu.datasets import open_dataset\n\n"
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
    visit.page.screenshot(path=SCREENSHOTS / "long-tail-explorer.png")
    assert visit.errors_shown() == []


def test_a_figure_is_drawn_and_hears_where_the_browser_is_slow(visit: Visit) -> None:
    # as if the browser were four times slower: anywidget gives up on a widget that needs two seconds to start
    visit.page.add_init_script(
        "const wait = AbortSignal.timeout.bind(AbortSignal); AbortSignal.timeout = (ms) => wait(ms / 4);"
    )
    visit.open("02_long_tails")
    cell = visit.page.locator(".jp-Notebook .jp-CodeCell").first
    output = run_instead(
        visit,
        cell,
        "from bcl_edu import widgets\nfrom bcl_edu.datasets import open_dataset\n\n"
        "widgets.imbalance_slider(open_dataset('digits').train)",
    )
    caption = output.locator(".gtitle").first
    expect(caption).to_contain_text("the largest class has 134, the smallest 13", timeout=120_000)
    handle = output.locator(".noUi-handle")
    handle.focus()
    visit.page.keyboard.press("ArrowRight")
    expect(caption).to_contain_text("the largest class has 134, the smallest 11")
    assert SLOW_START not in visit.errors


def test_an_exercise_hints_explains_an_exception_and_passes_after_a_restart(visit: Visit) -> None:
    visit.open("02_long_tails")
    cell = visit.page.locator(".jp-Notebook .jp-CodeCell").first

    output = run_instead(visit, cell, written("forgot to round"))
    expect(output).to_contain_text("class_counts: not yet", timeout=120_000)
    expect(output).to_contain_text("there are no fractions of an image")

    output = run_instead(visit, cell, written("raises"))
    expect(output).to_contain_text("raised AttributeError")
    expect(output).to_contain_text("in the line return n_max.floor()")
    expect(output).not_to_contain_text("Traceback")
    visit.page.screenshot(path=SCREENSHOTS / "exercise-exception.png")

    visit.menu("Kernel", "Restart Kernel…")
    visit.page.locator(".jp-Dialog").get_by_role("button", name="Confirm Kernel Restart").click()
    expect(visit.page.locator("#jp-main-statusbar")).to_contain_text("Python 3 (ipykernel) | Idle")
    output = run_instead(visit, cell, written("right"))
    expect(output).to_contain_text("class_counts: passed", timeout=120_000)
    assert visit.errors_shown() == []
