"""The first notebook in JupyterLab, run and used as a learner does."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.jupyterlab import SCREENSHOTS, Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

NOTEBOOK = "01_first_look"
SECONDS = 600
"""For all cells; a minute on an idle machine."""


def epochs_seen(visit: Visit, until: int, seconds: int = 240) -> list[int]:
    """The epochs that the live figures show, from now until one of them shows this one."""
    seen: list[int] = []
    line = visit.page.locator(".gtitle", has_text=re.compile(r"epoch \d+ of \d+"))
    for _ in range(seconds * 10):
        for text in line.all_text_contents():
            epoch = int(re.findall(r"epoch (\d+)", text)[0])
            if epoch not in seen:
                seen.append(epoch)
            if epoch >= until:
                return seen
        visit.page.wait_for_timeout(100)
    raise TimeoutError(f"the live figure never came to epoch {until}; it showed {seen}")


def test_all_cells_run_and_the_class_means_move_while_they_do(visit: Visit) -> None:
    visit.open(NOTEBOOK)
    assert visit.page.locator(".Toastify__toast").count() == 0  # no news, no questions: only the notebook
    visit.run_all()
    seen = epochs_seen(visit, until=10)
    assert any(prompt == "[*]:" for prompt in visit.prompts())  # it was live: cells are still running
    assert len(seen) >= 3
    assert seen == sorted(seen)

    visit.wait_until_done(SECONDS)
    assert visit.errors_shown() == []
    assert visit.cut_off() == []
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        visit.set_theme(theme)
        assert visit.photograph(f"{NOTEBOOK}-{theme.split()[-1].lower()}") > 5
    visit.set_theme("JupyterLab Light")

    assert visit.errors == []
    assert visit.foreign == []


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
