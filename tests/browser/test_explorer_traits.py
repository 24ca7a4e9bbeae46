"""The widget's browser side against a model that stands in for the kernel's."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from bcl_edu.course.widgets.explorer import SimplexExplorer

pytestmark = pytest.mark.browser

MODEL = """
class Model {
    constructor(traits) { this.traits = traits; this.listeners = new Map(); this.saved = 0; }
    get(name) { return this.traits[name]; }
    set(name, value) {
        if (JSON.stringify(this.traits[name]) === JSON.stringify(value)) return;
        this.traits[name] = value;
        (this.listeners.get(`change:${name}`) ?? []).forEach(listener => listener());
    }
    on(event, listener) { this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]); }
    off(event, listener) {
        this.listeners.set(event, this.listeners.get(event).filter(other => other !== listener));
    }
    save_changes() { this.saved += 1; }
}
window.model = new Model({ imbalance_factor: 50, temperature: 0.1, num_classes: 3, losses: ["scl", "bcl"],
                           batch_size: 0, state: {} });
window.leave = widget_module.render({ model, el: document.getElementById("cell") });
"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    module = SimplexExplorer._esm.partition("export default")[0]
    page.set_content(f'<div id="cell"></div><script type="module">{module}{MODEL}</script>')
    page.wait_for_function("() => window.leave")
    yield page
    page.close()


def test_it_opens_at_the_traits_and_tells_python_what_is_shown(page: Page) -> None:
    expect(page.locator(".imbalanceFactor output")).to_have_text("50")
    page.wait_for_function("() => model.traits.state.optima")
    optima = page.evaluate("() => model.traits.state.optima")
    assert [optimum["loss"] for optimum in optima] == ["scl", "bcl"]
    assert [len(optimum["cosines"]) for optimum in optima] == [3, 3]
    assert all(optimum["certified"] and optimum["relativeGap"] < 1e-7 for optimum in optima)


def test_a_trait_set_in_python_is_drawn(page: Page) -> None:
    page.evaluate("() => { model.set('num_classes', 5); model.set('losses', ['bcl-class-anchors', 'lc']) }")
    expect(page.locator(".numClasses output")).to_have_text("5")
    expect(page.locator("section.loss select").first).to_have_value("bcl-class-anchors")
    expect(page.locator(".legend")).to_contain_text("shown are the features")
    expect(page.get_by_role("button", name="Copy as Python")).to_be_visible()
    page.wait_for_function("() => model.traits.state.settings?.numClasses === 5")


def test_a_value_between_two_slider_positions_is_kept(page: Page) -> None:
    page.evaluate("() => model.set('imbalance_factor', 123.4)")
    expect(page.locator(".imbalanceFactor output")).to_have_text("123.4")
    page.wait_for_function("() => model.traits.state.settings?.imbalanceFactor === 123.4")
    assert page.evaluate("() => model.traits.imbalance_factor") == 123.4


def test_two_sliders_moved_at_once_both_reach_python(page: Page) -> None:
    page.wait_for_function("() => model.traits.state.optima")
    page.evaluate(
        """() => {
            for (const [name, position] of [['imbalanceFactor', 60], ['temperature', 0], ['numClasses', 8]]) {
                const slider = document.querySelector(`.${name} input`);
                slider.value = position;
                slider.dispatchEvent(new Event('input'));
            }
        }"""
    )
    page.wait_for_function("() => model.traits.num_classes === 10")
    page.wait_for_timeout(400)
    traits = page.evaluate("() => model.traits")
    assert (traits["imbalance_factor"], traits["temperature"], traits["num_classes"]) == (1000, 0.05, 10)
    assert traits["state"]["settings"]["numClasses"] == 10


def test_moving_a_slider_sends_few_messages(page: Page) -> None:
    page.wait_for_timeout(400)
    before = page.evaluate("() => model.saved")
    page.focus(".imbalanceFactor input")
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("() => model.traits.imbalance_factor === 500")
    assert 1 <= page.evaluate("() => model.saved") - before < 20


def test_when_the_cell_is_cleared_nothing_stays_behind(page: Page) -> None:
    page.evaluate("() => { leave(); model.set('num_classes', 7) }")
    assert page.locator("#cell").inner_html() == ""
    assert page.evaluate("() => [...model.listeners.values()].flat().length") == 0
