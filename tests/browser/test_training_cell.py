"""The training cell of a benchmark notebook in JupyterLab: watched, stopped, continued, loaded.

What is checked is what the browser drew, noted every few milliseconds while the cell runs.
"""

from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.jupyterlab import SLOW_START, Visit, keep_picture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

NOTEBOOK = "10_cifar_lt"
EPOCHS = 30
"""Twice the plan's, so that the stop button is not faster or slower than the whole run by chance."""

LONGER = f"""
from dataclasses import replace
first_plan, plan = plan, replace(plan, recipe=replace(plan.recipe, epochs={EPOCHS}))"""

NOTE_WHAT_IS_SEEN = """
cell => {
    // the epoch at which the ink of the first curve ends; a curve of one point is no line
    const reach = figure => {
        const line = figure?.querySelector(".scatterlayer .js-line")?.getBBox();
        return line?.width ? Math.round(figure._fullLayout.xaxis.p2l(line.x + line.width)) : null;
    };
    clearInterval(window.noting);
    window.seen = [];
    window.noting = setInterval(() => {
        const figures = [...cell.querySelectorAll(".js-plotly-plot")].filter(figure => figure.calcdata);
        const labels = [...cell.querySelectorAll(".widget-label")];
        const now = {
            epochs: figures[0]?.calcdata[0].length ?? 0,
            reach: reach(figures[0]),
            figures: figures.length,
            outputs: cell.querySelectorAll(".jp-OutputArea-child").length,
            height: cell.querySelector(".jp-OutputArea")?.clientHeight ?? 0,
            bar: parseFloat(cell.querySelector(".progress-bar")?.style.width ?? "0"),
            cut: labels.filter(label => label.scrollWidth > label.clientWidth).length,
            text: labels.map(label => label.textContent).join("; "),
        };
        if (JSON.stringify(now) !== JSON.stringify(seen.at(-1))) seen.push(now);
    }, 20);
}
"""


def cell_with(visit: Visit, code: str) -> Locator:
    """The code cell that has this in it."""
    return visit.page.locator(".jp-Notebook .jp-CodeCell").filter(has_text=code)


def run(visit: Visit, cell: Locator) -> None:
    """Run one cell, and note what is seen in its place from now on."""
    cell.locator(".cm-content").click()
    cell.evaluate(NOTE_WHAT_IS_SEEN)
    visit.page.keyboard.press("Control+Enter")
    expect(cell.locator(".jp-InputPrompt")).to_have_text("[*]:")


def seen(visit: Visit, cell: Locator, epochs: int = 0) -> list[dict[str, Any]]:
    """What was seen since the cell was started, once it has ended; its curves then have this many epochs, if any."""
    expect(cell.locator(".jp-InputPrompt")).not_to_have_text("[*]:", timeout=240_000)
    if epochs:  # the last picture may come after the kernel's answer
        visit.page.wait_for_function(f"seen.at(-1)?.epochs === {epochs}")
    visit.page.wait_for_timeout(500)
    return visit.page.evaluate("seen")


def test_a_run_is_watched_stopped_continued_and_loaded(visit: Visit) -> None:
    visit.open(NOTEBOOK)
    for code in ("import figures, widgets", "provenance(row)", "exponential_profile(", "plan = plan_run("):
        cell = cell_with(visit, code).first
        cell.locator(".cm-content").click()
        if code == "plan = plan_run(":
            visit.page.keyboard.press("Control+End")
            visit.page.keyboard.insert_text(LONGER)
        visit.page.keyboard.press("Control+Enter")
    expect(cell.locator(".jp-OutputArea")).to_contain_text("Not cifar100: digits")

    training = cell_with(visit, "widgets.watch_run(")
    run(visit, training)
    visit.page.wait_for_function("seen.at(-1)?.epochs >= 2")
    visit.page.locator(".jp-NotebookPanel-toolbar [data-command='notebook:interrupt-kernel']").click()
    first = seen(visit, training)
    stopped = first[-1]
    assert visit.errors_shown() == []
    assert "stopped in epoch" in stopped["text"]
    assert "saved" in stopped["text"]
    assert "run this cell again" in stopped["text"]
    assert 2 <= stopped["epochs"] == stopped["reach"] < EPOCHS
    assert 0 < stopped["bar"] < 100
    assert any("left" in now["text"] for now in first)
    keep_picture(training.locator(".jp-OutputArea"), f"{NOTEBOOK}-stopped.png")

    run(visit, training)
    second = seen(visit, training, EPOCHS)
    finished = second[-1]
    assert f"epoch {EPOCHS} of {EPOCHS}" in finished["text"]
    assert (finished["epochs"], finished["reach"], finished["bar"]) == (EPOCHS, EPOCHS, 100)
    continued = [
        now for now in second if "stopped" not in now["text"]
    ]  # the first looks may be of the earlier run
    grown = [now["epochs"] for now in continued if now["epochs"]]
    assert grown == sorted(grown)
    assert grown[0] >= stopped["epochs"]  # what was trained before stands there while it goes on
    bars = [now["bar"] for now in continued if now["bar"]]
    assert bars == sorted(bars)
    assert bars[0] >= stopped["bar"] - 1

    for now in [*first, *second]:
        assert now["figures"] <= 1
        assert now["cut"] == 0, now
        assert now["reach"] in (None, now["epochs"])
    heights = {now["height"] for now in [*first, *second] if now["epochs"]}
    assert len(heights) == 1, heights  # curves grow in their place: nothing below them moves
    assert finished["outputs"] == stopped["outputs"]

    run(visit, training)
    loaded = seen(visit, training, EPOCHS)
    assert [now["epochs"] for now in loaded if "stopped" not in now["text"]][-1] == EPOCHS
    assert {now["epochs"] for now in loaded if now["epochs"]} == {EPOCHS}  # at once, not epoch by epoch
    assert f"epoch {EPOCHS} of {EPOCHS}" in loaded[-1]["text"]
    assert "under way" not in loaded[-1]["text"]
    assert loaded[-1]["cut"] == 0
    assert loaded[-1]["outputs"] == finished["outputs"]
    keep_picture(training.locator(".jp-OutputArea"), f"{NOTEBOOK}-loaded.png")

    assert [error for error in visit.errors if error != SLOW_START] == []
    assert visit.foreign == []
