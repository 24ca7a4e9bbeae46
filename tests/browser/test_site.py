"""The site that `make site` writes, opened from disk: complete, drawn, and without a word to the outside."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import torch
from playwright.sync_api import Browser, Page, Request, expect
from torch import Tensor

from bcl_edu.course.claims import CLAIMS, Verdict
from bcl_edu.course.figures import style
from bcl_edu.course.outline import read_course
from tests.browser.conftest import PATIENCE, VIEWPORT
from tests.browser.jupyterlab import SCREENSHOTS
from tests.browser.pictures import bending_optimum, film_label, wait_until_angles
from tools.notebooks import NOTEBOOKS, PLOTLY
from tools.site import build, notebook_html
from tools.site_landing import landing_html, verdicts

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

NOTEBOOK_PAGES = ["00_start_here", *(lesson.name for lesson in read_course(NOTEBOOKS))]
PAGES = ["index", "glossary", *NOTEBOOK_PAGES]
WIDTHS = (1280, 768, 390)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built once."""
    return build(tmp_path_factory.mktemp("site") / "site").parent


class Read(HTMLParser):
    """Addresses that a page uses, ids that it has, and its text outside of scripts and code."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.text: list[str] = []
        self._inside: list[str] = []
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("href", "src") and value:
                self.addresses.append(value)
            if name == "id" and value:
                self.ids.add(value)
        if tag in ("script", "style", "pre", "code"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.text.append(data)


def test_every_link_leads_to_a_page_of_the_site(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > len(PAGES)
    ids = {page: Read(page).ids for page in pages}
    broken = []
    for page in pages:
        for address in Read(page).addresses:
            parts = urlsplit(address)
            if (
                parts.scheme == "data"
                or address.startswith("javascript:")
                or (parts.scheme == "https" and "github.com" in parts.netloc)
            ):
                continue
            target = (page.parent / parts.path).resolve() if parts.path else page
            if parts.scheme or not target.is_file():
                broken.append(f"{page.name}: {address}")
            elif parts.fragment and not {parts.fragment, unquote(parts.fragment)} & ids[target]:
                broken.append(f"{page.name}: {address} (no such heading)")
    assert broken == []


def test_no_formula_is_left_as_tex(site: Path) -> None:
    for name in PAGES:
        text = "".join(Read(site / f"{name}.html").text)
        assert not re.search(r"\$[^$\n]*[\\_^][^$\n]*\$|\\(frac|sum|mathrm|tau)\b", text), name


@pytest.fixture
def page(browser: Browser, site: Path) -> Iterator[Page]:
    """A page that notes what goes wrong, and whatever it asks of others, which is cut off."""
    context = browser.new_context(viewport=VIEWPORT, offline=True)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.wrong = []  # type: ignore[attr-defined]

    def note(request: Request) -> None:
        if urlsplit(request.url).scheme not in ("file", "data", "blob"):
            page.wrong.append(request.url)  # type: ignore[attr-defined]

    page.on("request", note)
    page.on("pageerror", lambda error: page.wrong.append(str(error)))  # type: ignore[attr-defined]
    page.on(
        "console",
        lambda said: page.wrong.append(said.text) if said.type == "error" else None,  # type: ignore[attr-defined]
    )
    yield page
    context.close()


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
        assert page.locator("details.code[open]").count() == 0  # code is folded
    SCREENSHOTS.mkdir(exist_ok=True)
    page.evaluate("scrollTo(0, 0)")
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            if width != 768:
                page.screenshot(path=SCREENSHOTS / f"site-{name}-{width}-{theme}.png")
    assert page.wrong == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["simplex_explorer", "training_sphere"])
def test_a_widget_has_a_page_of_its_own_with_a_way_back(page: Page, site: Path, name: str) -> None:
    page.goto((site / f"{name}.html").as_uri())
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("link", name="Back to the course").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Make one class rare, and the others move.")
    assert page.wrong == []  # type: ignore[attr-defined]


def test_the_first_page_counts_the_verdicts_of_the_claims(page: Page, site: Path) -> None:
    rows = verdicts(nbformat.read(NOTEBOOKS / "09_claims_of_the_paper.ipynb", as_version=4))
    assert len(rows) == len(CLAIMS)
    page.goto((site / "index.html").as_uri())
    for verdict in Verdict:
        number = sum(row.verdict is verdict for row in rows)
        assert page.locator(f".score .dot.{verdict.name.lower()}").count() == number
    expect(page.locator(".cards .card")).to_have_count(len(read_course(NOTEBOOKS)))
    expect(page.locator(".stage canvas").first).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_the_contrast_of_the_standard_also_in_figures(page: Page, site: Path, theme: str) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.goto((site / "05_theorem_2_class_averaging.html").as_uri())
    page.locator("figure.live").first.scroll_into_view_if_needed()
    page.wait_for_selector("figure.live .xtitle")
    paper = hexadecimal(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    for place in (
        "main p",
        ".caption",
        "details.code summary",
        ".contents a",
        ".elsewhere, .neighbours span",
    ):
        colour = page.locator(place).first.evaluate("e => getComputedStyle(e).color")
        assert style.contrast(hexadecimal(colour), paper) >= 4.5, place
    title = page.locator("figure.live .xtitle").first.evaluate("e => getComputedStyle(e).fill")
    assert style.contrast(hexadecimal(title), paper) >= 4.5


def hexadecimal(colour: str) -> str:
    """A colour of `getComputedStyle` as #rrggbb."""
    return "#" + "".join(f"{int(value):02x}" for value in re.findall(r"\d+", colour)[:3])


def test_a_page_without_figures_loads_no_plotly(site: Path) -> None:
    for name in ("index", "glossary", "09_claims_of_the_paper"):
        assert "plotly" not in " ".join(Read(site / f"{name}.html").addresses), name
    assert "assets/plotly.min.js" in Read(site / "03_regular_simplex.html").addresses


def test_every_page_has_a_title_a_description_and_a_preview(site: Path) -> None:
    titles = []
    for name in PAGES:
        text = (site / f"{name}.html").read_text("utf-8")
        titles += re.findall(r"<title>(.+)</title>", text)
        for tag in ('name="description"', 'property="og:image"'):
            assert len(re.findall(tag + ' content="[^"]{10,}"', text)) == 1, (name, tag)
    assert len(set(titles)) == len(PAGES)


def test_a_site_with_an_address_names_its_preview_in_full() -> None:
    lessons = read_course(NOTEBOOKS)
    notebooks = {
        lesson.name: nbformat.read(NOTEBOOKS / f"{lesson.name}.ipynb", as_version=4) for lesson in lessons
    }
    page = landing_html(lessons, notebooks, "https://example.org/course/")
    assert 'property="og:image" content="https://example.org/course/assets/simplex_explorer.png"' in page


def test_what_was_printed_in_pieces_is_one_block() -> None:
    pieces = [nbformat.v4.new_output("stream", name="stdout", text=f"row {n}\n") for n in range(3)]
    cell = nbformat.v4.new_code_cell("print()", outputs=pieces)
    assert "row 0\nrow 1\nrow 2\n" in notebook_html(nbformat.v4.new_notebook(cells=[cell]))


def test_no_widget_is_missing_from_the_site(site: Path) -> None:
    for name in NOTEBOOK_PAGES:
        text = (site / f"{name}.html").read_text("utf-8")
        assert "a live widget: run this cell" not in text
        assert "No kernel?" not in text, "beside the widget stands its still"


def test_contents_and_neighbours_lead_through_the_course(page: Page, site: Path) -> None:
    page.goto((site / "03_regular_simplex.html").as_uri())
    section = page.locator(".contents a").nth(1)
    heading = section.text_content() or ""
    section.click()
    target = page.get_by_role("heading", name=heading).first
    assert target.evaluate("e => Math.abs(e.getBoundingClientRect().top) < 60")
    page.locator(".neighbours a[rel=next]").click()
    expect(page).to_have_url(re.compile("04_theorem_1"))
    page.locator(".neighbours a[rel=prev]").click()
    expect(page).to_have_url(re.compile("03_regular"))


def test_what_is_cut_off_on_a_phone_shows_it_and_is_scrolled_by_keyboard(page: Page, site: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto((site / "13_ablations.html").as_uri())
    output = page.locator("main .output_stream pre").first
    expect(output).to_have_attribute("data-cut", "right")
    expect(output).to_have_attribute("role", "region")
    expect(output).to_have_attribute("aria-label", "Output, scrolls")
    assert "inset" in output.evaluate("e => getComputedStyle(e).boxShadow")
    output.focus()
    page.keyboard.press("ArrowRight")
    expect(output).to_have_attribute("data-cut", "left right")
    output.evaluate("e => e.scrollTo(e.scrollWidth, 0)")
    expect(output).to_have_attribute("data-cut", "left")
    page.set_viewport_size({"width": 1280, "height": 844})
    expect(output).to_have_attribute("data-cut", "")
    assert output.get_attribute("tabindex") is None
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


@pytest.mark.parametrize("name", ["simplex_explorer", "training_sphere"])
def test_a_widgets_own_page_has_the_fonts_of_the_site(page: Page, site: Path, name: str) -> None:
    page.goto((site / f"{name}.html").as_uri())
    for place in ("h1", ".bcl-explorer, .bcl-sphere"):
        family = page.locator(place).first.evaluate("e => getComputedStyle(e).fontFamily")
        assert family.startswith('"Source Sans 3"')
    page.wait_for_function("document.fonts.check('16px \\'Source Sans 3\\'')")


def test_long_names_in_the_glossary_break_between_words(site: Path) -> None:
    text = (site / "glossary.html").read_text("utf-8")
    assert "bcl_<wbr/>edu.<wbr/>geometry.<wbr/>simplex_<wbr/>deviation" in text


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
    figure.screenshot(path=SCREENSHOTS / "site-film-focus.png")
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
