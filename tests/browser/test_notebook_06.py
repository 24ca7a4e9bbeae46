"""The notebook on Theorem 3 in JupyterLab: it is readable in both themes, and its classes can be dragged."""

import pytest
from playwright.sync_api import expect

from tests.browser.jupyterlab import Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

NOTEBOOK = "06_theorem_3_class_complement"


def test_a_class_follows_mouse_and_keys(visit: Visit) -> None:
    visit.read_through(NOTEBOOK)
    widget = visit.run_widget(
        visit.page.locator(".bcl-counter-example"), "import torch", "widgets.counter_example()"
    )
    status = widget.get_by_role("status")
    expect(status).to_contain_text("No contradiction here")
    assert visit.cut_off() == []
    assert visit.overlaps() == []
    circle, grip = widget.locator(".outline").bounding_box(), widget.locator(".handle").nth(1).bounding_box()
    assert circle
    assert grip
    visit.page.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2)
    visit.page.mouse.down()
    visit.page.mouse.move(circle["x"], circle["y"] + circle["height"] / 2, steps=6)  # to 180 degrees
    visit.page.mouse.up()
    expect(status).to_contain_text("fails here")

    slider = widget.get_by_label("angle of class 2")
    expect(slider).to_have_attribute("aria-valuetext", "240°")
    slider.focus()
    visit.page.keyboard.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", "239°")
    visit.all_is_well()
