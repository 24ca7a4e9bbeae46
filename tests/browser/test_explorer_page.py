"""The explorer as its readers use it: from disk, by keyboard, in light and dark, and without seeing it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, expect

from bcl_edu.course.figures import style
from bcl_edu.course.widgets.explorer import Settings, write_page
from bcl_edu.geometry.optimum import certified_optimum
from tests.browser.explorer_page import ExplorerPage

pytestmark = pytest.mark.browser

SCREENSHOTS = Path(__file__).parent / "screenshots"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_page(tmp_path_factory.mktemp("explorer") / "explorer.html").as_uri()


def opened(browser: Browser, address: str, **context: object) -> Iterator[ExplorerPage]:
    visit = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True, **context)
    page = visit.new_page()
    explorer = ExplorerPage(page)
    page.on("pageerror", lambda error: explorer.problems.append(str(error)))
    page.on("console", lambda message: explorer.problems.append(message.text))
    page.on("request", lambda request: request.url == address or explorer.problems.append(request.url))
    page.goto(address)
    yield explorer
    visit.close()
    assert explorer.problems == []  # nothing failed, nothing was said, nothing was fetched


@pytest.fixture
def explorer(browser: Browser, address: str) -> Iterator[ExplorerPage]:
    """The page opened from disk, without a network."""
    yield from opened(browser, address, color_scheme="light")


def curve_is_complete(explorer: ExplorerPage) -> None:
    for index in (0, 1):
        dots = explorer.page.locator(".curve .dots").nth(index)
        expect(dots).to_have_attribute("d", re.compile(r"^(M[^M]+){61}$"), timeout=60_000)


# ---- keyboard


def test_arrow_keys_move_a_slider_and_the_picture_is_the_optimum_there(explorer: ExplorerPage) -> None:
    slider = explorer.slider("imbalance_factor")
    slider.focus()
    for _ in range(3):
        explorer.page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "140")
    state = explorer.state()
    assert state["settings"]["imbalanceFactor"] == 140
    expect(explorer.page.locator(".imbalanceFactor output")).to_have_text("140")

    settings = Settings(imbalance_factor=140)
    expected = certified_optimum(settings.compositions, "scl", temperature=0.1)
    assert torch.tensor(state["optima"][0]["cosines"]).double().numpy() == pytest.approx(
        expected.gram.numpy(), abs=1e-4
    )
    expect(explorer.panel(0).locator(".numbers b")).to_have_text(f"{expected.deviation.rms:.3f}")


def test_home_and_end_reach_both_ends_of_every_slider(explorer: ExplorerPage) -> None:
    ends = {"imbalance_factor": ("1", "1000"), "temperature": ("0.05", "2"), "num_classes": ("2", "10")}
    for name, (first, last) in ends.items():
        explorer.slider(name).focus()
        for key, value in (("Home", first), ("End", last)):
            explorer.page.keyboard.press(key)
            expect(explorer.slider(name)).to_have_attribute("aria-valuetext", value)


def test_all_controls_are_reached_with_tab(explorer: ExplorerPage) -> None:
    reached = []
    for _ in range(14):
        explorer.page.keyboard.press("Tab")
        reached.append(
            explorer.page.evaluate(
                "() => document.activeElement.ariaLabel?.split('.')[0] || document.activeElement.textContent.trim()"
            )
        )
    assert reached[:3] == ["Imbalance factor", "Temperature τ", "Classes K"]
    assert {"First loss", "Second loss", "Class means", "Cosines as a table"} <= set(reached)


def test_losses_are_chosen_by_keyboard_one_for_each_side(explorer: ExplorerPage) -> None:
    second = explorer.panel(1).locator("select")
    second.focus()
    explorer.page.keyboard.press("ArrowDown")  # the one after BCL in the list
    expect(second).to_have_value("bcl-class-anchors")
    explorer.slider("temperature").focus()
    explorer.page.keyboard.press("End")
    expect(explorer.slider("temperature")).to_have_attribute("aria-valuetext", "2")
    assert explorer.state()["settings"]["losses"] == ["scl", "bcl-class-anchors"]
    expect(explorer.panel(0).locator(".numbers b")).not_to_have_text("0.000")
    expect(explorer.panel(1).locator(".numbers b")).to_have_text("0.000")


def test_mini_batches_change_what_is_shown(explorer: ExplorerPage) -> None:
    full = explorer.state()["optima"][0]["deviation"]["rms"]
    explorer.page.locator(".batchSize select").focus()
    for size in ("16", "32"):
        explorer.page.keyboard.press("ArrowDown")
        expect(explorer.page.locator(".batchSize select")).to_have_value(size)
    expect(explorer.page.locator(".legend")).to_contain_text("a fixed sample of about 500 batches")
    state = explorer.state()
    assert state["settings"]["batchSize"] == 32
    assert abs(state["optima"][0]["deviation"]["rms"] - full) > 1e-3


def test_arrow_keys_turn_both_spheres_alike_and_home_turns_them_back(explorer: ExplorerPage) -> None:
    def where() -> list[list[str | None]]:
        return [
            [dot.get_attribute("cx") for dot in explorer.panel(side).locator("circle.class-mean").all()]
            for side in (0, 1)
        ]

    explorer.show(Settings(losses=("bcl", "bcl")))
    before, cosines = where(), explorer.state()["optima"][0]["cosines"]
    explorer.panel(0).locator("svg.sphere").focus()
    explorer.page.keyboard.press("ArrowLeft")
    explorer.page.keyboard.press("ArrowUp")
    turned = where()
    assert turned != before
    assert turned[0] == turned[1]
    assert explorer.state()["optima"][0]["cosines"] == cosines
    explorer.page.keyboard.press("Home")
    assert where() == before


def test_sweeping_goes_through_every_imbalance_and_can_be_stopped(explorer: ExplorerPage) -> None:
    explorer.page.evaluate(
        """() => { window.seen = []; const changed = explorer.changed;
                   explorer.changed = e => { seen.push(e.settings.imbalanceFactor); changed(e); }; }"""
    )
    explorer.slider("imbalance_factor").focus()
    explorer.page.keyboard.press("End")
    button = explorer.page.locator("button.sweep")
    button.click()
    explorer.page.wait_for_function("seen.length > 12", timeout=30_000)
    button.click()
    expect(button).to_have_text("▶ Sweep the imbalance")
    seen = explorer.page.evaluate("seen")
    assert seen[0] == 1000
    assert seen[1:11] == [1, 1.1, 1.3, 1.4, 1.6, 1.8, 2, 2.2, 2.5, 2.8]
    explorer.page.wait_for_timeout(300)
    assert len(explorer.page.evaluate("seen")) == len(seen)


def test_keys_that_repeat_fast_skip_no_state(explorer: ExplorerPage) -> None:
    explorer.slider("imbalance_factor").focus()
    explorer.page.keyboard.press("Home")
    expect(explorer.slider("imbalance_factor")).to_have_attribute("aria-valuetext", "1")
    # what stands on the page in each frame, while each key moves the slider on from where it stands, faster than frames
    drawn = explorer.page.evaluate(
        """async () => {
            const slider = document.querySelector('.imbalanceFactor input');
            const seen = new Set();
            const look = () => { seen.add(document.querySelector('.imbalanceFactor output').textContent); };
            let looking = true;
            const frame = () => { look(); if (looking) requestAnimationFrame(frame); };
            requestAnimationFrame(frame);
            for (let key = 1; key <= 12; key++) {
                slider.value = Number(slider.value) + 1;
                slider.dispatchEvent(new Event('input'));
                if (key % 3 === 0) await new Promise(requestAnimationFrame);
            }
            while (explorer.painting) await new Promise(done => setTimeout(done, 10));
            looking = false;
            return [...seen];
        }"""
    )
    assert drawn == ["1.1", "1.3", "1.4", "1.6", "1.8", "2", "2.2", "2.5", "2.8", "3.2", "3.5", "4"]


# ---- what the pictures say


def test_the_curve_has_a_certified_optimum_at_every_position_and_the_marker_is_on_it(
    explorer: ExplorerPage,
) -> None:
    curve_is_complete(explorer)
    for index in (0, 1):
        dots = re.findall(
            r"M([\d.]+),([\d.]+)h0", explorer.page.locator(".curve .dots").nth(index).get_attribute("d")
        )
        heights = [float(height) for _, height in dots]
        assert heights == sorted(heights, reverse=True)  # further from the simplex as the imbalance grows
        marker = explorer.page.locator(".curve .here").nth(index).get_attribute("transform")
        assert re.findall(r"[\d.]+", marker) == list(dots[40])  # the 41st position is 100


@pytest.mark.parametrize(
    ("num_classes", "note"),
    [
        (3, "exact, on the circle"),
        (4, "exact, in three dimensions"),
        (10, "projection: shows 33 % of the squared length"),
    ],
)
def test_a_picture_says_whether_it_is_exact(explorer: ExplorerPage, num_classes: int, note: str) -> None:
    explorer.show(Settings(num_classes=num_classes, losses=("bcl-class-anchors", "bcl-class-anchors")))
    caption = explorer.panel(0).locator("figure").first.locator("figcaption")
    expect(caption).to_contain_text(note)
    expect(caption).to_contain_text("certified optimum: relative gap ≤")


def test_an_uncertified_picture_says_so(explorer: ExplorerPage) -> None:
    explorer.page.evaluate(
        """() => { const solve = explorer.optima.solve.bind(explorer.optima);
                   explorer.optima.solve = (...all) => ({ ...solve(...all), certified: false, relativeGap: 0.02 });
                   explorer.draw(); }"""
    )
    caption = explorer.panel(0).locator("figure").first.locator("figcaption")
    expect(caption).to_contain_text("NOT CERTIFIED: relative gap ≤ 2·10⁻²")
    expect(explorer.page.locator(".summary")).to_contain_text("Not certified")


def test_markers_shrink_and_change_from_blue_to_orange_towards_the_tail(explorer: ExplorerPage) -> None:
    explorer.show(Settings(num_classes=6))
    dots = explorer.panel(0).locator("circle.class-mean")
    labels = explorer.panel(0).locator("text.class-label").all_text_contents()
    found = [(dot.get_attribute("fill"), float(dot.get_attribute("r"))) for dot in dots.all()]
    drawn = dict(zip(labels, found, strict=True))  # painted from back to front, so ordered by label here
    colours, radii = zip(*(drawn[str(k)] for k in range(6)), strict=True)
    counts = torch.tensor([32, 16, 8, 4, 2, 1])
    assert list(colours) == style.class_colours(counts)
    assert list(radii) == sorted(radii, reverse=True)
    assert len(set(radii)) == 6


def test_classes_in_one_point_share_a_label(explorer: ExplorerPage) -> None:
    explorer.show(Settings(imbalance_factor=1000, temperature=1.0, num_classes=3, losses=("bcl", "bcl")))
    labels = explorer.panel(0).locator("text.class-label").all_text_contents()
    assert sorted(labels) == ["", "0", "1,2"]


# ---- without seeing


def test_every_picture_has_a_text_alternative_with_numbers(explorer: ExplorerPage) -> None:
    explorer.show(Settings(num_classes=10, temperature=1.0))
    for picture in explorer.page.locator("svg:not([aria-hidden])").all():
        assert picture.get_attribute("role") in ("img", "application")
        assert re.search(r"\d", picture.get_attribute("aria-label"))
    expect(explorer.page.locator("svg.bars")).to_have_attribute("aria-label", re.compile("class 9: 50"))


def test_the_summary_is_read_out_after_a_pause_and_says_what_merged(explorer: ExplorerPage) -> None:
    explorer.show(Settings(imbalance_factor=200, temperature=1.0, num_classes=3))
    summary = explorer.page.locator(".summary")
    assert summary.get_attribute("aria-live") == "polite"
    expect(summary).to_contain_text(
        "3 classes, imbalance factor 200, temperature 1, the full data as one batch."
    )
    expect(summary).to_contain_text("BCL: cosines from −1.000 (classes 0 and 1) to 1.000 (classes 1 and 2)")
    expect(summary).to_contain_text("Classes 1 and 2 merge into one point.")
    explorer.show(Settings(imbalance_factor=100, temperature=1.0, num_classes=10))
    expect(summary).to_contain_text("Classes 7, 8 and 9 all but merge: at most 2.6° lie between them.")


def test_cosines_can_be_read_as_a_table(explorer: ExplorerPage) -> None:
    explorer.show(Settings(num_classes=4, losses=("bcl-class-anchors", "bcl")))
    explorer.panel(0).locator("summary").click()
    cells = explorer.panel(0).locator("td")
    expect(cells).to_have_count(16)
    assert set(cells.all_inner_texts()) == {"1.000", "−0.333"}


# ---- looks


def channels(colour: str) -> str:
    """The colour of `getComputedStyle` as #rrggbb."""
    return "#" + "".join(f"{int(value):02x}" for value in re.findall(r"\d+", colour)[:3])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("num_classes", [3, 4, 10])
def test_the_page_is_readable_in_light_and_dark(
    browser: Browser, address: str, scheme: str, num_classes: int
) -> None:
    for explorer in opened(browser, address, color_scheme=scheme):
        explorer.show(Settings(num_classes=num_classes, temperature=0.3))
        curve_is_complete(explorer)
        ink, paper = explorer.page.evaluate(
            "() => { const s = getComputedStyle(explorer.root); return [s.color, s.backgroundColor] }"
        )
        quiet = explorer.page.evaluate("() => getComputedStyle(explorer.legend).color")
        assert channels(paper) == (style.LIGHT_PAGE if scheme == "light" else style.DARK_PAGE)
        assert style.contrast(channels(ink), channels(paper)) > 12
        assert style.contrast(channels(quiet), channels(paper)) > 4.5
        SCREENSHOTS.mkdir(exist_ok=True)
        explorer.page.screenshot(path=SCREENSHOTS / f"explorer-{num_classes}-{scheme}.png", full_page=True)


@pytest.mark.parametrize("width", [420, 700, 1000])
def test_nothing_is_cut_off_on_a_narrow_page(explorer: ExplorerPage, width: int) -> None:
    explorer.page.set_viewport_size({"width": width, "height": 900})
    explorer.show(Settings(num_classes=10, batch_size=64))
    assert explorer.page.evaluate("document.documentElement.scrollWidth") <= width
    explorer.page.screenshot(path=SCREENSHOTS / f"explorer-{width}-wide.png", full_page=True)
