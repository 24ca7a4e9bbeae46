"""Every page of the site, opened from disk: its figures are drawn, its films are played, its widgets compute."""

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
import torch
from playwright.sync_api import Browser, Page, expect
from torch import Tensor

from tests.browser.explorer_page import PHONE
from tests.browser.finger import swipe
from tests.browser.jupyterlab import PICTURES, keep_picture
from tests.browser.pictures import bending_optimum, film_label, wait_until_angles
from tests.browser.site_page import NOTEBOOK_PAGES, PAGES, WIDTHS, offline_page
from tools.notebooks import NOTEBOOKS, PLOTLY
from tools.site import CODE_IS_THE_LESSON

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that notes what goes wrong."""
    with offline_page(browser) as page:
        yield page


@pytest.mark.parametrize("name", PAGES)
def test_a_page_draws_all_its_figures_from_disk(page: Page, site: Path, name: str) -> None:
    page.goto((site / f"{name}.html").as_uri())
    figures = page.locator("figure.live")
    for number in range(figures.count()):
        figure = figures.nth(number)
        figure.scroll_into_view_if_needed()
        page.wait_for_function("figure => figure.dataset.drawn", arg=figure.element_handle())
    captions = page.locator("p.caption:has(+ figure.live) b")
    assert all(captions.all_text_contents())
    assert captions.count() == figures.count()
    if name in NOTEBOOK_PAGES:
        stored = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        outputs = [output.get("data", {}) for cell in stored.cells for output in cell.get("outputs", ())]
        own = page.locator("figure.live:has(+ .elsewhere)").count()
        assert figures.count() >= sum(PLOTLY in bundle for bundle in outputs) - own
        formulas = page.locator("math")
        written = any("$" in cell.source for cell in stored.cells if cell.cell_type == "markdown")
        assert formulas.count() > 0 or not written
        assert formulas.evaluate_all("all => all.every(e => e.getBoundingClientRect().width > 0)")
        folded, opened = (
            page.locator(f"details.code{state}").count() for state in (":not([open])", "[open]")
        )
        assert (folded if name == CODE_IS_THE_LESSON else opened) == 0
    page.evaluate("scrollTo(0, 0)")
    dark_widths = (1280, 390) if PICTURES else (390,)  # colours move nothing
    for theme, widths in (("light", WIDTHS), ("dark", dark_widths)):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        for width in widths:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            if width != 768:
                keep_picture(page, f"site-{name}-{width}-{theme}.png")
    assert page.wrong == []  # type: ignore[attr-defined]


def test_a_figure_just_out_of_sight_is_drawn_again_when_the_theme_has_changed(page: Page, site: Path) -> None:
    page.goto((site / "01_first_look.html").as_uri())
    figure = page.locator("figure.live").first
    figure.scroll_into_view_if_needed()
    drawn = "figure => figure.dataset.drawn && figure.querySelector('.js-plotly-plot')"
    page.wait_for_function(drawn, arg=figure.element_handle())
    figure.evaluate("figure => scrollBy(0, figure.getBoundingClientRect().bottom + 100)")
    assert figure.evaluate("figure => figure.getBoundingClientRect().bottom") < 0
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(500)
    page.wait_for_function(drawn, arg=figure.element_handle())
    assert page.wrong == []  # type: ignore[attr-defined]


OVERLAPS = """figure => {
    const upright = (e) => !/rotate\\(/.test(e.getAttribute("transform"));
    const boxes = [...figure.querySelectorAll("svg text")]
        .filter((e) => e.textContent.trim() && !e.closest(".hoverlayer") && upright(e))
        .map((e) => [e.textContent, e.getBoundingClientRect()])
        .filter(([, box]) => box.width > 0);
    const shared = (a, b, from, to) => Math.min(a[to], b[to]) - Math.max(a[from], b[from]);
    const overlap = (a, b) => shared(a, b, "left", "right") > 1 && shared(a, b, "top", "bottom") > 3;
    return boxes.flatMap(([one, a], i) =>
        boxes.slice(0, i).filter(([, b]) => overlap(a, b)).map(([other]) => `${other} | ${one}`));
}"""


@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("13_ablations", 1),
        ("11_imagenet_lt", 0),
        ("08b_trained_networks", 0),
        ("05_theorem_2_class_averaging", 0),
        ("06_theorem_3_class_complement", 0),
        ("06_theorem_3_class_complement", 3),
    ],
)
def test_labels_of_a_figure_on_a_phone_do_not_overlap(
    page: Page, site: Path, name: str, position: int
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto((site / f"{name}.html").as_uri())
    figure = page.locator("figure.live").nth(position)
    figure.scroll_into_view_if_needed()
    page.wait_for_function("figure => figure.dataset.drawn", arg=figure.element_handle())
    assert figure.evaluate(OVERLAPS) == []


def test_a_film_is_played_by_mouse_and_reached_played_and_moved_by_keyboard(page: Page, site: Path) -> None:
    page.goto((site / "00_start_here.html").as_uri())
    figure = page.locator("figure.live[data-drawn]").first
    film, shown = figure.locator(".js-plotly-plot"), film_label(figure)
    playing, pausing = figure.get_by_role("button", name="play"), figure.get_by_role("button", name="pause")
    slider = figure.get_by_role("slider", name="imbalance factor")
    caption = page.locator("p.caption").first

    def angle(gram: Tensor) -> str:
        return f"{torch.rad2deg(torch.arccos(gram[-1, -2])):.0f}"

    assert shown.text_content() == "imbalance factor 1"
    playing.click()
    expect(shown).not_to_have_text("imbalance factor 1")
    pausing.click()
    slider.focus()
    page.keyboard.press("Home")
    expect(shown).to_have_text("imbalance factor 1")
    playing.focus()
    page.keyboard.press("Enter")
    expect(shown).not_to_have_text("imbalance factor 1")
    page.keyboard.press("Tab")
    expect(pausing).to_be_focused()
    page.keyboard.press("Space")
    paused = shown.text_content() or ""
    wait_until_angles(film, -1, bending_optimum(float(paused.split()[-1])))
    assert shown.text_content() == paused
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")  # plotly has the slider before the buttons
    expect(slider).to_be_focused()

    for key, label in (
        ("Home", "1"),
        ("ArrowRight", "2"),
        ("ArrowRight", "3"),
        ("ArrowLeft", "2"),
        ("End", "1000"),
    ):
        page.keyboard.press(key)
        expect(slider).to_have_attribute("aria-valuetext", label)
        expect(shown).to_have_text(f"imbalance factor {label}")
        expect(caption).to_contain_text(f"{angle(bending_optimum(float(label)))}° between the two rarest")
        wait_until_angles(film, -1, bending_optimum(float(label)))
        expect(slider).to_be_focused()
    page.keyboard.press("ArrowRight")  # there is nothing after the last position
    expect(slider).to_have_attribute("aria-valuenow", "11")
    keep_picture(figure, "site-film-focus.png")
    assert page.wrong == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["00_start_here", "02_long_tails"])
def test_a_finger_on_a_figure_scrolls_the_page(browser: Browser, site: Path, name: str) -> None:
    with offline_page(browser, **PHONE) as page:
        page.goto((site / f"{name}.html").as_uri())
        figure = page.locator("figure.live").first
        figure.scroll_into_view_if_needed()
        page.wait_for_function("figure => figure.dataset.drawn", arg=figure.element_handle())
        before = page.evaluate("scrollY")
        swipe(figure, 0, -160)
        page.wait_for_function("y => scrollY > y + 100", arg=before)
        assert page.wrong == []  # type: ignore[attr-defined]


def test_the_classes_of_the_counter_example_follow_the_keys_without_python(page: Page, site: Path) -> None:
    page.goto((site / "06_theorem_3_class_complement.html").as_uri())
    slider = page.get_by_label("angle of class 2")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext") == "239°"
    assert page.wrong == []  # type: ignore[attr-defined]


def test_a_network_that_trains_in_a_notebook_is_a_film_on_the_site(page: Page, site: Path) -> None:
    page.goto((site / "01_first_look.html").as_uri())
    for note in page.get_by_text("Recorded. In JupyterLab the network trains").all():
        note.scroll_into_view_if_needed()
    films = page.locator("figure.live:has(+ p.elsewhere:not(.in-place))")
    expect(films).to_have_count(2)
    for film in films.all():
        film.scroll_into_view_if_needed()
        page.wait_for_function("figure => figure.dataset.drawn", arg=film.element_handle())
        slider = film.get_by_role("slider", name="epoch")
        slider.focus()
        page.keyboard.press("Home")
        expect(slider).to_have_attribute("aria-valuenow", "0")
    assert page.wrong == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("01_first_look", "imbalance factor"),
        ("04_theorem_1_attraction_and_repulsion", "angle between the classes"),
    ],
)
def test_a_slider_that_needs_python_has_a_film_in_its_place(
    page: Page, site: Path, name: str, told: str
) -> None:
    page.goto((site / f"{name}.html").as_uri())
    note = page.locator(".in-place")
    figure = page.locator("figure.live:has(+ .in-place)")
    note.scroll_into_view_if_needed()
    page.wait_for_function("figure => figure.dataset.drawn", arg=figure.element_handle())
    shown = figure.locator(".slider-group > text.slider-label")
    assert (shown.text_content() or "").startswith(told)
    before, rail = shown.text_content(), figure.locator(".slider-rail-touch-rect").bounding_box()
    assert rail
    page.mouse.click(rail["x"] + rail["width"] - 12, rail["y"] + rail["height"] / 2)
    page.wait_for_function(
        "([label, before]) => label.textContent !== before", arg=[shown.element_handle(), before]
    )
    assert page.wrong == []  # type: ignore[attr-defined]
