"""The first notebook in JupyterLab, run and used as a learner does."""

import pytest
from playwright.sync_api import expect

from tests.browser.jupyterlab import SCREENSHOTS, Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

NOTEBOOK = "01_first_look"
WATCH = """
window.titlesSeen = [];
new MutationObserver(() => {
    for (const title of document.querySelectorAll(".gtitle")) {
        const epoch = title.textContent.match(/epoch (\\d+) of/);
        if (epoch && titlesSeen.at(-1) !== Number(epoch[1])) titlesSeen.push(Number(epoch[1]));
    }
}).observe(document, {subtree: true, childList: true, characterData: true});
"""
"""Notes every epoch that a live figure shows, however short: to look now and then would miss some."""


THREE_EPOCHS_IN_A_ROW = (
    "titlesSeen.some((epoch, i, all) => i >= 2 && all[i - 2] < all[i - 1] && all[i - 1] < epoch)"
)


def test_all_cells_run_and_the_class_means_move_while_they_do(visit: Visit) -> None:
    visit.page.add_init_script(WATCH)
    visit.run_through(NOTEBOOK)
    assert visit.page.locator(".Toastify__toast").count() == 0  # no news, no questions: only the notebook
    assert visit.page.evaluate(THREE_EPOCHS_IN_A_ROW)


def test_the_imbalance_slider_cuts_the_tail_by_mouse_and_by_keyboard(visit: Visit) -> None:
    visit.open(NOTEBOOK)
    cells = visit.page.locator(".jp-Notebook .jp-CodeCell")
    for position in (0, 1):
        cells.nth(position).locator(".cm-content").click()
        visit.page.keyboard.press("Shift+Enter")
    output = cells.nth(1)
    expect(output.locator(".jupyter-widgets .noUi-handle")).to_be_visible(timeout=120_000)
    caption = output.locator(".gtitle").first
    expect(caption).to_contain_text("(10.3 : 1)")
    visit.scroll_to(caption)
    visit.page.screenshot(path=SCREENSHOTS / f"{NOTEBOOK}-slider.png")

    handle, base = output.locator(".noUi-handle"), output.locator(".noUi-base")
    visit.scroll_to(handle)
    grip, bar = handle.bounding_box(), base.bounding_box()
    assert grip
    assert bar
    visit.page.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2)
    visit.page.mouse.down()
    visit.page.mouse.move(
        bar["x"] + 2, bar["y"] + bar["height"] / 2, steps=8
    )  # all the way to the left: IF = 1
    visit.page.mouse.up()
    expect(caption).to_contain_text("(1 : 1)")

    handle.focus()
    visit.page.keyboard.press("ArrowRight")
    expect(caption).not_to_contain_text("(1 : 1)")
    assert visit.errors_shown() == []
    assert visit.foreign == []
