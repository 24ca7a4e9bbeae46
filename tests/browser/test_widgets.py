"""What may happen to any widget: its cell runs again, its kernel goes away, its callback fails, its work is
stopped."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.jupyterlab import SLOW_START, Visit, keep_picture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

SLIDER = """\
import ipywidgets
from bcl_edu.course import widgets
from bcl_edu.data import open_dataset

widgets.imbalance_slider(open_dataset('digits').train)"""
COUNT = "from ipywidgets.widgets.widget import _instances; print(len(_instances))"
FAILING = """\
import ipywidgets
from bcl_edu.course.widgets.reaction import on_change

slider = ipywidgets.IntSlider(1, 0, 3, description='root of')

def redraw():
    if slider.value == 2:
        raise ValueError('two has no root that I know')

ipywidgets.VBox([slider, on_change([slider], redraw)])"""
# long enough that the stop button, which is pressed in the second epoch, never comes too late
TRAIN = """\
from dataclasses import replace
from bcl_edu.course import widgets
from bcl_edu.training import RECIPES

recipe = RECIPES['digits-lt'][1].change(method='scl', head_dim=3, temperature=0.3, epochs=30)
run = widgets.train_live(recipe)
print('epochs seen:', [report.metrics['epoch'] for report in run.reports])"""


WATCH = """() => {
    window.epochsSeen = [];
    new MutationObserver(() => {
        for (const title of document.querySelectorAll(".gtitle")) {
            const epoch = title.textContent.match(/epoch (\\d+) of/);
            if (epoch) epochsSeen.push(Number(epoch[1]));
        }
    }).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""
"""Notes every epoch that a live figure shows, however short."""


IMPORTS = """\
import torch
from bcl_edu.course import figures, widgets
from bcl_edu.course.widgets.explorer import SimplexExplorer

eye, counts = torch.eye(3), torch.tensor([9, 5, 2])
"""

AT_ONCE = """
const wait = AbortSignal.timeout.bind(AbortSignal);
AbortSignal.timeout = (ms) => {
    if (ms !== 2000) return wait(ms);
    const end = new AbortController();
    queueMicrotask(() => end.abort());
    return end.signal;
};
"""
"""As if the two seconds that anywidget gives a widget to start were over at once."""


@pytest.fixture
def notebook(visit: Visit) -> Iterator[str]:
    """A notebook of two cells that do nothing until a test says what."""
    with visit.lab.notebook_of("widgets-test", "0", "0") as name:
        yield name


def cells(visit: Visit) -> Locator:
    return visit.page.locator(".jp-Notebook .jp-CodeCell")


def step(visit: Visit, output: Locator, key: str) -> None:
    output.locator(".noUi-handle").focus()
    visit.page.keyboard.press(key)


def test_a_cell_that_runs_again_shows_one_widget_and_leaks_none(visit: Visit, notebook: str) -> None:
    visit.open(notebook)
    first, second = cells(visit).nth(0), cells(visit).nth(1)
    counts = []
    for _ in range(3):
        output = visit.run_instead(first, SLIDER)
        expect(output.locator(".gtitle").first).to_contain_text("the largest class has 134", timeout=120_000)
        told = visit.run_instead(second, COUNT)
        expect(second.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"))
        counts.append(told.inner_text())
    assert counts[1] == counts[2], counts
    expect(output.locator(".noUi-handle")).to_have_count(1)
    expect(output.locator(".js-plotly-plot")).to_have_count(2)
    step(visit, output, "ArrowRight")
    expect(output.locator(".gtitle").first).to_contain_text("the smallest 11")
    visit.all_is_well()


def test_after_a_restart_a_dead_slider_says_so_and_comes_back_with_its_cell(
    visit: Visit, notebook: str
) -> None:
    visit.open(notebook)
    output = visit.run_instead(cells(visit).first, SLIDER)
    caption = output.locator(".gtitle").first
    expect(caption).to_contain_text("the smallest 13", timeout=120_000)
    visit.restart_kernel()
    dead = output.locator(".jupyter-widgets-disconnected")
    expect(dead.first).to_be_visible()
    icon = dead.first.evaluate("e => getComputedStyle(e, '::before').content")
    assert icon not in ("none", "normal")  # a broken link, drawn beside the slider
    keep_picture(visit.page, "widget-after-restart.png")

    output = visit.run_instead(cells(visit).first, SLIDER)
    step(visit, output, "ArrowRight")
    expect(output.locator(".gtitle").first).to_contain_text("the smallest 11", timeout=120_000)
    expect(output.locator(".jupyter-widgets-disconnected")).to_have_count(0)
    assert visit.errors_shown() == []


def test_an_error_in_a_callback_is_shown_to_the_reader_until_it_is_over(visit: Visit, notebook: str) -> None:
    visit.open(notebook)
    output = visit.run_instead(cells(visit).first, FAILING)
    expect(output.locator(".noUi-handle")).to_be_visible(timeout=120_000)
    step(visit, output, "ArrowRight")
    expect(output.get_by_role("alert")).to_contain_text("ValueError: two has no root that I know")
    keep_picture(visit.page, "widget-error.png")
    step(visit, output, "ArrowRight")
    expect(output.get_by_role("alert")).to_have_count(0)


def test_a_training_is_stopped_by_the_button_and_goes_on_where_it_was(visit: Visit, notebook: str) -> None:
    visit.open(notebook)
    cell = cells(visit).first
    output = visit.run_instead(cell, TRAIN)
    caption = output.locator(".gtitle").first
    expect(caption).to_contain_text(re.compile(r"epoch ([2-9]|\d\d+) of \d+: .* left"), timeout=120_000)
    height = output.bounding_box()["height"]  # type: ignore[index]
    visit.page.locator("[data-command='notebook:interrupt-kernel'], [title^='Interrupt']").first.click()
    expect(caption).to_contain_text(
        re.compile(r"stopped after epoch \d+ of \d+; run the cell again to continue")
    )
    expect(output).to_contain_text("epochs seen: [1, 2")
    told = re.search(r"after epoch (\d+) of (\d+)", caption.text_content() or "")
    assert told
    stopped, whole = int(told.group(1)), int(told.group(2))
    assert stopped < whole
    keep_picture(visit.page, "training-stopped.png")
    assert output.locator(".js-plotly-plot").count() == 1
    assert output.bounding_box()["height"] < height + 60  # type: ignore[index]  # one printed line more, no second figure

    visit.page.evaluate(WATCH)
    visit.run_instead(cell, TRAIN)
    expect(output).to_contain_text(f", {whole}]", timeout=240_000)
    expect(caption).to_contain_text(f"epoch {whole} of {whole}")
    assert min(visit.page.evaluate("epochsSeen")) >= stopped  # it did not begin anew
    seen = re.search(r"epochs seen: \[(.*)\]", output.inner_text())
    assert seen
    assert seen.group(1) == ", ".join(map(str, range(1, whole + 1)))  # and nothing is lost
    visit.all_is_well()


@pytest.mark.parametrize(
    ("show", "change", "where", "before", "after"),
    [
        (
            "live = widgets.LiveFigure(figures.cosine_heatmap(eye, counts, title='before'))\nlive",
            "live.show(figures.cosine_heatmap(eye, counts, title='after'))",
            ".gtitle",
            "before",
            "after",
        ),
        (
            "shown = widgets.counter_example()\nshown",
            "shown.angles = [0, 180, 180]",
            "[role=status]",
            "No contradiction here",
            "fails here",
        ),
        (
            "shown = SimplexExplorer(num_classes=4)\nshown",
            "shown.num_classes = 7",
            ".numClasses output",
            "4",
            "7",
        ),
    ],
    ids=["LiveFigure", "CounterExample", "SimplexExplorer"],
)
def test_a_widget_hears_python_although_anywidget_has_given_it_up(
    visit: Visit, notebook: str, show: str, change: str, where: str, before: str, after: str
) -> None:
    visit.page.add_init_script(AT_ONCE)
    visit.open(notebook)
    output = visit.run_instead(cells(visit).first, IMPORTS + show)
    expect(output.locator(where).first).to_contain_text(before, timeout=120_000)
    visit.run_instead(cells(visit).nth(1), change)
    expect(output.locator(where).first).to_contain_text(after)
    assert SLOW_START in visit.errors  # it was given up
    visit.all_is_well()


def test_an_error_of_a_cell_would_be_noticed(visit: Visit, notebook: str) -> None:
    visit.open(notebook)
    output = visit.run_instead(cells(visit).first, "1 / 0")
    expect(output).to_contain_text("ZeroDivisionError")
    (told,) = visit.errors_shown()
    assert "ZeroDivisionError: division by zero" in told
