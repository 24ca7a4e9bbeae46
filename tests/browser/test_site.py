"""The site that `make site` writes, opened from disk: complete, readable, and without a word to the outside."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect

from bcl_edu.course.claims import CLAIMS, Verdict
from bcl_edu.course.figures import style
from bcl_edu.course.outline import read_course
from tests.browser.site_page import NOTEBOOK_PAGES, PAGES, WIDTHS, offline_page
from tools.notebooks import NOTEBOOKS
from tools.site import notebook_html
from tools.site_landing import landing_html, verdicts

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


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


def test_no_line_begins_with_the_mark_behind_a_formula(site: Path) -> None:
    for name in NOTEBOOK_PAGES:
        text = (site / f"{name}.html").read_text("utf-8")
        assert not re.findall(r"</math>[.,;:)](?![^<\s]*</span>).{10}", text), name


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that notes what goes wrong."""
    with offline_page(browser) as page:
        yield page


@pytest.mark.parametrize("name", ["simplex_explorer", "training_sphere"])
def test_a_widget_has_a_page_of_its_own_with_a_way_back(page: Page, site: Path, name: str) -> None:
    page.goto((site / f"{name}.html").as_uri())
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("link", name="Back to the course").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Make some classes rare"))
    assert page.wrong == []  # type: ignore[attr-defined]


def test_the_first_page_counts_the_verdicts_of_the_claims(page: Page, site: Path) -> None:
    rows = verdicts(nbformat.read(NOTEBOOKS / "09_claims_of_the_paper.ipynb", as_version=4))
    assert len(rows) == len(CLAIMS)
    page.goto((site / "index.html").as_uri())
    for verdict in Verdict:
        number = sum(row.verdict is verdict for row in rows)
        assert page.locator(f".score .dot.{verdict.name.lower()}").count() == number
    expect(page.locator(".cards .card")).to_have_count(len(NOTEBOOK_PAGES))
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
    notebooks = {name: nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4) for name in NOTEBOOK_PAGES}
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
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto((site / "01b_the_method_on_the_page.html").as_uri())
    formula = page.locator('.formula[data-cut="right"]').first
    expect(formula).to_have_attribute("aria-label", "Formula, scrolls")
    page.goto((site / "04_theorem_1_attraction_and_repulsion.html").as_uri())
    formula = page.locator('blockquote .formula.inline[data-cut="right"]').first
    expect(formula).to_have_attribute("role", "region")
    assert page.wrong == []  # type: ignore[attr-defined]


def test_on_a_phone_the_table_of_a_method_is_a_list_of_which_nothing_is_cut_off(
    page: Page, site: Path
) -> None:
    page.goto((site / "14_what_each_method_changes.html").as_uri())
    table = page.locator("table.one-row").nth(1)
    assert table.locator("tbody td").evaluate_all("cells => new Set(cells.map(e => e.offsetTop)).size") == 1
    page.set_viewport_size({"width": 390, "height": 844})
    cells = table.locator("tbody td")
    assert cells.evaluate_all("cells => new Set(cells.map(e => e.offsetTop)).size") == cells.count()
    assert cells.evaluate_all("cells => cells.every(e => e.offsetHeight < 60)")
    expect(page.locator('.scroller.table:has(.one-row)[data-cut="right"]')).to_have_count(0)


def test_on_a_phone_the_main_pages_are_linked_in_one_line_and_the_course_keeps_its_name(
    page: Page, site: Path
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto((site / "glossary.html").as_uri())
    links = page.locator("nav.site a")
    assert len({round(box["y"] + box["height"]) for link in links.all() if (box := link.bounding_box())}) == 1
    expect(links.first).to_have_accessible_name(re.compile("Balanced contrastive learning$"))


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
