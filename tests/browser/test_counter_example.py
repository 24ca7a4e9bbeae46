"""The draggable counter-example in a page of its own: mouse, keyboard, and the same numbers as Python."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from bcl_edu.course.figures.counter_example_figure import ThreeClasses
from bcl_edu.course.widgets import CounterExample, counter_example
from tests.browser.jupyterlab import keep_picture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

# What anywidget passes to `render`: enough of a model for one page, and how often it told the kernel.
START = """async ([source, state]) => {
    const widget = await import(URL.createObjectURL(new Blob([source], {type: 'text/javascript'})));
    const listeners = {};
    window.state = state;
    window.saved = 0;
    window.readings = widget.readings;
    const model = {
        get: (name) => state[name],
        set: (name, value) => { state[name] = value; (listeners[`change:${name}`] ?? []).forEach((f) => f()); },
        save_changes: () => { window.saved += 1; },
        on: (event, listener) => { (listeners[event] ??= []).push(listener); },
        off: (event, listener) => { listeners[event] = listeners[event].filter((f) => f !== listener); },
    };
    window.remove = widget.default.render({model, el: document.querySelector('main')});
    window.listening = () => Object.values(listeners).flat().length;
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 900, "height": 640})
    page = context.new_page()
    widget = counter_example()
    state = {name: getattr(widget, name) for name in CounterExample.class_own_traits() if name[0] != "_"}
    page.set_content(f"<style>{CounterExample._css}</style><main></main>")
    page.evaluate(START, [str(CounterExample._esm), state])
    yield page
    context.close()


def handle(page: Page, number: int) -> Locator:
    return page.locator(".handle").nth(number)


def drag(page: Page, number: int, degrees: float) -> None:
    """Take a class and move it around the circle, a little off it, as a hand does."""
    circle = page.locator(".outline").bounding_box()
    grip = handle(page, number).bounding_box()
    assert circle
    assert grip
    centre = circle["x"] + circle["width"] / 2, circle["y"] + circle["height"] / 2
    page.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2)
    page.mouse.down()
    reach = 1.2 * circle["width"] / 2
    angle = math.radians(degrees)
    page.mouse.move(centre[0] + reach * math.cos(angle), centre[1] - reach * math.sin(angle), steps=5)
    page.mouse.up()


def losses_shown(page: Page) -> list[float]:
    return [
        float(value) for value in page.locator(".bar").evaluate_all("bars => bars.map(b => b.dataset.loss)")
    ]


def losses_of(state: dict[str, Any]) -> list[float]:
    shown = ThreeClasses(state["angles"], state["class_counts"])
    return [shown.over_samples, shown.over_classes]


def test_dragging_the_tail_classes_together_refutes_the_claim(page: Page) -> None:
    expect(page.get_by_role("status")).to_contain_text("No contradiction here")
    drag(page, 1, 180)
    drag(page, 2, 180)
    state = page.evaluate("state")
    assert state["angles"] == [0, 180, 180]
    assert losses_shown(page) == pytest.approx(losses_of(state))
    expect(page.get_by_role("status")).to_contain_text("fails here: 0.2497 is below the claimed 0.3690")
    expect(page.locator(".bar").first).to_contain_text("0.119 below the bound")
    expect(page.locator(".refutes")).to_have_count(1)
    assert page.evaluate("saved") == 2  # the kernel hears of it once a drag, not once a pixel
    keep_picture(page, "counter-example.png")


def test_a_class_follows_the_pointer_while_it_is_held_and_no_longer(page: Page) -> None:
    drag(page, 0, 300)
    assert page.evaluate("state.angles") == [300, 120, 240]
    page.mouse.move(10, 10)
    assert page.evaluate("state.angles") == [300, 120, 240]


def test_every_slider_answers_the_arrow_keys(page: Page) -> None:
    for number in range(3):
        page.get_by_label(f"angle of class {number}").focus()
        page.keyboard.press("ArrowRight")
    assert page.evaluate("state.angles") == [1, 121, 241]

    samples = page.get_by_label("samples of class 0")
    samples.focus()
    page.keyboard.press("Home")
    assert page.evaluate("state.class_counts") == [2, 2, 2]
    counts = []
    for _ in range(5):
        page.keyboard.press("ArrowRight")
        counts.append(page.evaluate("state.class_counts[0]"))
    assert counts == [3, 4, 5, 6, 7]  # no key is lost to rounding
    page.keyboard.press("End")
    assert page.evaluate("state.class_counts") == [1000, 2, 2]
    assert losses_shown(page) == pytest.approx(losses_of(page.evaluate("state")))


def test_buttons_go_to_the_two_configurations_of_the_argument(page: Page) -> None:
    page.get_by_role("button", name="tail classes together").click()
    assert page.evaluate("state.angles") == [0, 180, 180]
    page.get_by_role("button", name="regular simplex").click()
    assert page.evaluate("state.angles") == [0, 120, 240]
    expect(page.locator(".refutes")).to_have_count(0)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0])
def test_the_browser_computes_what_python_computes(page: Page, temperature: float) -> None:
    for angles, counts in [((3, 77, 310), (200, 2, 2)), ((0, 0, 0), (5, 4, 3)), ((20, 250, 251), (9, 1, 30))]:
        seen = page.evaluate("([a, c, t]) => readings(a, c, t)", [list(angles), list(counts), temperature])
        expected = ThreeClasses(angles, counts, temperature)
        assert seen["losses"] == pytest.approx(expected.class_losses.tolist(), abs=1e-12)
        assert seen["overSamples"] == pytest.approx(expected.over_samples, abs=1e-12)
        assert seen["overClasses"] == pytest.approx(expected.over_classes, abs=1e-12)
        assert seen["claimed"] == pytest.approx(expected.claimed, abs=1e-12)
        assert seen["product"] == pytest.approx(expected.product_of_means, abs=1e-12)


def test_it_leaves_nothing_behind(page: Page) -> None:
    assert page.evaluate("listening()") == 2
    page.evaluate("remove()")
    assert page.evaluate("listening()") == 0
