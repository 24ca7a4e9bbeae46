"""Every control of the sphere and of the explorer answers to the mouse, to a finger and to keys.

Menus open a list of the system, which no test can point at: they are hit where they are, and then set.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from bcl_edu.course.widgets.explorer import Settings, write_page
from bcl_edu.course.widgets.sphere import write_sphere_page
from tests.browser.explorer_page import PHONE as EXPLORER_PHONE
from tests.browser.explorer_page import SLIDERS, in_browser, opened_explorer
from tests.browser.sphere_page import PHONE, opened_sphere

pytestmark = pytest.mark.browser

HANDS = ("mouse", "finger")
Press = Callable[..., None]


@pytest.fixture(scope="module")
def sphere_address(tmp_path_factory: pytest.TempPathFactory) -> str:
    page = tmp_path_factory.mktemp("sphere") / "sphere.html"
    return write_sphere_page(page, opening=False, playing=False).as_uri()


@pytest.fixture(scope="module")
def explorer_address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_page(tmp_path_factory.mktemp("explorer") / "explorer.html").as_uri()


def press(hand: str, page: Page, target: Locator, share: float = 0.5) -> None:
    """Click or tap at a share of an element's width; it is an error if something else lies there."""
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    assert box
    where = {"x": share * box["width"], "y": box["height"] / 2}
    if hand == "mouse":
        target.click(position=where)  # type: ignore[arg-type]
    else:
        target.tap(position=where)  # type: ignore[arg-type]


def choose(hand: str, page: Page, menu: Locator, value: str) -> None:
    """Hit a menu, and set it."""
    press(hand, page, menu)
    expect(menu).to_be_focused()
    page.keyboard.press("Escape")
    menu.select_option(value)


@pytest.mark.parametrize("hand", HANDS)
def test_every_control_of_the_sphere_answers(browser: Browser, sphere_address: str, hand: str) -> None:
    context = PHONE if hand == "finger" else {}
    with opened_sphere(browser, sphere_address, **context) as sphere:
        page = sphere.page

        def setting(name: str) -> object:
            return page.evaluate("name => sphere.settings[name]", name)

        press(hand, page, page.locator("details.more > summary"))
        for slider in ("imbalanceFactor", "temperature", "learningRate", "numClasses"):
            before = setting(slider)
            press(hand, page, sphere.slider(slider), 0.3)
            assert setting(slider) != before, slider
        menus = {"batchSize": (32, "32"), "prototypes": ("free", "free"), "start": ("random", "random")}
        for name, (expected, value) in (menus | {"dimension": (2, "2")}).items():
            choose(hand, page, sphere.menu(name), value)
            assert setting(name) == expected
        for side, loss in enumerate(("bcl", "ce")):
            choose(hand, page, sphere.side(side).locator("select"), loss)
        assert setting("losses") == ["bcl", "ce"]
        seed = page.locator(".control.seed input")
        press(hand, page, seed)
        seed.fill("21")
        seed.press("Enter")
        assert setting("seed") == 21
        for position, speed in enumerate((0.25, 1, 4)):
            press(hand, page, page.locator(".speeds label").nth(position))
            assert setting("speed") == speed
        press(hand, page, sphere.button("step"))
        assert page.evaluate("sphere.stepCount") == 1
        press(hand, page, sphere.button("play"))
        page.wait_for_function("sphere.stepCount > 2", timeout=30_000)
        press(hand, page, sphere.button("play"))
        press(hand, page, sphere.button("restart"))
        assert page.evaluate("[sphere.stepCount, sphere.playing]") == [0, False]


@pytest.mark.parametrize("hand", HANDS)
def test_every_control_of_the_explorer_answers(browser: Browser, explorer_address: str, hand: str) -> None:
    context = EXPLORER_PHONE if hand == "finger" else {}
    with opened_explorer(browser, explorer_address, **context) as explorer:
        page = explorer.page
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])

        def settle() -> dict[str, object]:
            page.wait_for_function("!explorer.painting")
            return page.evaluate("explorer.settings")

        press(hand, page, page.locator(".more summary"))
        for name, key in SLIDERS.items():
            before = settle()[key]
            press(hand, page, explorer.slider(name), 0.85)
            assert settle()[key] != before, name
        choose(hand, page, page.locator(".batchSize select"), "64")
        assert settle()["batchSize"] == 64
        press(hand, page, page.locator(".more summary"))
        for side, loss in enumerate(("lc", "bcl")):
            if hand == "finger":  # one sphere at a time
                press(hand, page, page.locator(".switcher button").nth(side))
            choose(hand, page, explorer.panel(side).locator("select"), loss)
            expect(explorer.panel(side).locator(".certificate button")).to_be_visible()
        assert settle()["losses"] == ["lc", "bcl"]
        for preset in page.locator(".presets button[aria-pressed]").all():
            press(hand, page, preset)
            expect(preset).to_have_attribute("aria-pressed", "true")
        press(hand, page, page.get_by_role("button", name="Copy link"))
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        with page.expect_download():
            press(hand, page, page.get_by_role("button", name="PNG"))
        sweep = page.locator("button.sweep")
        press(hand, page, sweep)
        expect(sweep).not_to_have_text("▶ Sweep")
        press(hand, page, sweep)
        expect(sweep).to_have_text("▶ Sweep")


def test_buttons_of_the_explorer_answer_to_keys(browser: Browser, explorer_address: str) -> None:
    with opened_explorer(browser, explorer_address) as explorer:
        page = explorer.page
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.locator(".more summary").focus()
        page.keyboard.press("Enter")
        expect(explorer.slider("num_classes")).to_be_visible()
        page.get_by_role("button", name="Copy link").focus()
        page.keyboard.press("Space")
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        with page.expect_download():
            page.get_by_role("button", name="PNG").focus()
            page.keyboard.press("Enter")
        explorer.panel(0).locator(".certificate button").focus()
        expect(explorer.panel(0).get_by_role("tooltip")).to_be_visible()
        sweep = page.locator("button.sweep")
        sweep.focus()
        page.keyboard.press("Space")
        expect(sweep).not_to_have_text("▶ Sweep")
        page.keyboard.press("Space")
        expect(sweep).to_have_text("▶ Sweep")
        page.wait_for_function("!explorer.painting")
        assert explorer.state()["settings"]["losses"] == in_browser(Settings())["losses"]
