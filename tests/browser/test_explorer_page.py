"""The explorer as its readers use it: from disk, by keyboard, in light and dark, and without seeing it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, expect

from bcl_edu.course.figures import style
from bcl_edu.course.widgets.explorer import Settings, write_page
from bcl_edu.geometry.optimum import certified_optimum
from tests.browser.explorer_page import PHONE, ExplorerPage, in_browser, opened_explorer
from tests.browser.jupyterlab import keep_picture
from tests.browser.themes import THEMES_HEARD_OF

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_page(tmp_path_factory.mktemp("explorer") / "explorer.html").as_uri()


@pytest.fixture
def explorer(browser: Browser, address: str) -> Iterator[ExplorerPage]:
    """The page opened from disk, without a network."""
    with opened_explorer(browser, address, color_scheme="light") as found:
        yield found


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
    expected = certified_optimum(settings.compositions, "scl", temperature=settings.temperature)
    assert torch.tensor(state["optima"][0]["cosines"]).double().numpy() == pytest.approx(
        expected.gram.numpy(), abs=1e-4
    )
    expect(explorer.panel(0).locator(".deviation")).to_have_text(f"{expected.deviation.rms:.3f}")
    rarest = expected.gram[2, 3].clamp(-1, 1).acos().rad2deg().item()
    expect(explorer.panel(0).locator(".tail")).to_have_text(f"{rarest:.0f}°")


def test_home_and_end_reach_both_ends_of_every_slider(explorer: ExplorerPage) -> None:
    explorer.open_more()
    ends = {"imbalance_factor": ("1", "1000"), "temperature": ("0.05", "2"), "num_classes": ("2", "10")}
    for name, (first, last) in ends.items():
        explorer.slider(name).focus()
        for key, value in (("Home", first), ("End", last)):
            explorer.page.keyboard.press(key)
            expect(explorer.slider(name)).to_have_attribute("aria-valuetext", value)


def test_all_controls_are_reached_with_tab(explorer: ExplorerPage) -> None:
    explorer.open_more()
    explorer.slider("imbalance_factor").focus()
    reached = []
    for _ in range(20):
        explorer.page.keyboard.press("Tab")
        reached.append(
            explorer.page.evaluate(
                "() => document.activeElement.ariaLabel?.split('.')[0] || document.activeElement.textContent.trim()"
            )
        )
    assert reached[0] == "Temperature τ"
    controls = {"▶ Sweep", "Classes K", "The bend", "The repair", "The merge", "Low τ", "Copy link", "PNG"}
    assert controls | {"First loss", "Second loss", "Class means", "✓ certified"} <= set(reached)


def test_losses_are_chosen_by_keyboard_one_for_each_side(explorer: ExplorerPage) -> None:
    explorer.show(Settings(losses=("scl", "bcl")))
    second = explorer.panel(1).locator("select")
    second.focus()
    explorer.page.keyboard.press("ArrowDown")  # the one after BCL in the list
    expect(second).to_have_value("bcl-class-anchors")
    explorer.slider("temperature").focus()
    explorer.page.keyboard.press("End")
    expect(explorer.slider("temperature")).to_have_attribute("aria-valuetext", "2")
    assert explorer.state()["settings"]["losses"] == ["scl", "bcl-class-anchors"]
    expect(explorer.panel(0).locator(".deviation")).not_to_have_text("0.000")
    expect(explorer.panel(1).locator(".deviation")).to_have_text("0.000")


def test_mini_batches_change_what_is_shown(explorer: ExplorerPage) -> None:
    full = explorer.state()["optima"][0]["deviation"]["rms"]
    explorer.open_more()
    explorer.page.locator(".batchSize select").focus()
    for size in ("16", "32"):
        explorer.page.keyboard.press("ArrowDown")
        expect(explorer.page.locator(".batchSize select")).to_have_value(size)
    expect(explorer.page.locator(".legend")).to_contain_text("a fixed sample of about 500 batches")
    expect(explorer.page.locator(".more summary")).to_have_text("More: 4 classes, batches of 32")
    state = explorer.state()
    assert state["settings"]["batchSize"] == 32
    assert abs(state["optima"][0]["deviation"]["rms"] - full) > 1e-3


def test_arrow_keys_turn_both_spheres_alike_and_home_turns_them_back(explorer: ExplorerPage) -> None:
    def where() -> list[list[str | None]]:
        return [
            [
                dot.get_attribute("transform")
                for dot in explorer.panel(side).locator("circle.class-mean").all()
            ]
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
    button = explorer.page.locator("button.sweep")
    button.click()
    explorer.page.wait_for_function("seen.length > 12", timeout=30_000)
    expect(explorer.page.locator(".summary")).to_have_class("summary stale")  # it says nothing old meanwhile
    button.click()
    expect(button).to_have_text("▶ Sweep")
    explorer.page.wait_for_function("!explorer.painting")
    seen = explorer.page.evaluate("seen")
    assert seen[:11] == [1, 1.1, 1.3, 1.4, 1.6, 1.8, 2, 2.2, 2.5, 2.8, 3.2]
    explorer.page.wait_for_timeout(300)
    assert len(explorer.page.evaluate("seen")) == len(seen)
    expect(explorer.page.locator(".summary")).to_contain_text(f"imbalance factor {seen[-1]:g},")


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
    explorer.show(Settings(losses=("scl", "bcl")))
    curve_is_complete(explorer)
    for index in (0, 1):
        dots = re.findall(
            r"M([\d.]+),([\d.]+)h0", explorer.page.locator(".curve .dots").nth(index).get_attribute("d")
        )
        heights = [float(height) for _, height in dots]
        assert heights == sorted(heights, reverse=True)  # further from the simplex as the imbalance grows
        shown = explorer.state()["optima"][index]["deviation"]["rms"]
        assert heights[40] == pytest.approx(150 - 140 * shown / 1.2, abs=0.06)  # the axis goes from 0 to 1.2
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
    expect(explorer.panel(0).locator(".certificate button")).to_have_text("✓ certified")


def test_an_uncertified_picture_says_so(explorer: ExplorerPage) -> None:
    explorer.page.evaluate(
        """() => { const solve = explorer.optima.solve.bind(explorer.optima);
                   explorer.optima.solve = (...all) => ({ ...solve(...all), certified: false, relativeGap: 0.02 });
                   explorer.draw(); }"""
    )
    badge = explorer.panel(0).locator(".certificate button")
    expect(badge).to_have_text("! not certified")
    expect(explorer.panel(0).get_by_role("tooltip")).to_be_hidden()
    badge.hover()
    expect(explorer.panel(0).get_by_role("tooltip")).to_contain_text("changes: 2·10⁻²")
    expect(explorer.page.locator(".summary")).to_contain_text("Not certified")


def test_what_is_not_solved_within_a_frame_is_shown_as_such_and_certified_in_the_next(
    explorer: ExplorerPage,
) -> None:
    explorer.show(Settings(num_classes=10, temperature=1.0, losses=("scl", "bcl")))
    badges, remembered, gaps_are_small = explorer.page.evaluate(
        """() => {
            const badges = () => [...document.querySelectorAll('.certificate button')].map(e => e.textContent);
            explorer.optima.inTime = (settings, loss, deadline) =>  // one step, and it is late
                explorer.optima.solve(settings, loss, deadline === Infinity ? Infinity : 0);
            explorer.request({ imbalanceFactor: 200 });
            const { settings, optima, shown } = explorer;
            return [badges(), settings.losses.some(loss => optima.known(settings, loss)),
                    shown.every(({ gap }) => gap > 0 && gap < 0.1)];
        }"""
    )
    assert badges == ["solving", "solving"]
    assert (remembered, gaps_are_small) == (False, True)
    explorer.page.wait_for_function("!explorer.painting")
    settings = Settings(200, 1.0, 10, ("scl", "bcl"))
    for index, loss in enumerate(settings.losses):
        expect(explorer.panel(index).locator(".certificate button")).to_have_text("✓ certified")
        expected = certified_optimum(settings.compositions, loss, temperature=1.0)
        cosines = explorer.page.evaluate("i => [...explorer.shown[i].gram]", index)
        assert cosines == pytest.approx(expected.gram.ravel().tolist(), abs=2e-4)


def test_where_no_step_fits_the_last_two_optima_carried_on_are_shown_uncertified_within_2_percent_of_the_optimum(
    explorer: ExplorerPage,
) -> None:
    slow = Settings(100, 0.1, 10, ("scl", "bcl"), 256)
    explorer.show(slow)
    badges, gaps, first = explorer.page.evaluate(
        """() => {
            explorer.set({ imbalanceFactor: 110 });
            explorer.set({ imbalanceFactor: 130 });
            explorer.optima.took.last = () => 1000;  // milliseconds a step
            explorer.request({ imbalanceFactor: 140 });
            return [[...document.querySelectorAll('.certificate button')].map(e => e.textContent),
                    explorer.shown.map(({ gap }) => String(gap)),
                    explorer.shown.map(({ positions }) => [...positions])];
        }"""
    )
    assert badges == ["solving", "solving"]
    assert gaps == ["Infinity", "Infinity"]  # nothing is claimed of it
    explorer.page.wait_for_function("!explorer.painting")
    for index, before in enumerate(first):
        expect(explorer.panel(index).locator(".certificate button")).to_have_text("✓ certified")
        certified = explorer.page.evaluate("i => [...explorer.shown[i].positions]", index)
        off = (torch.tensor(before) - torch.tensor(certified)).view(10, 9).norm(dim=1).max().item()
        assert 0 < off < 0.02  # of the sphere's radius


def test_markers_shrink_and_change_from_blue_to_orange_towards_the_tail(explorer: ExplorerPage) -> None:
    explorer.show(Settings(num_classes=6))
    dots = explorer.panel(0).locator("circle.class-mean")
    labels = explorer.panel(0).locator("text.class-label").all_text_contents()
    found = [(dot.get_attribute("fill"), float(dot.get_attribute("r"))) for dot in dots.all()]
    drawn = dict(zip(labels, found, strict=True))  # painted from back to front, so ordered by label here
    colours, radii = zip(*(drawn[name] for name in ("head", "1", "2", "3", "4", "rarest")), strict=True)
    counts = torch.tensor([32, 16, 8, 4, 2, 1])
    assert list(colours) == style.class_colours(counts)
    assert list(radii) == sorted(radii, reverse=True)
    assert len(set(radii)) == 6


def test_classes_in_one_point_share_a_label(explorer: ExplorerPage) -> None:
    explorer.show(Settings(imbalance_factor=1000, temperature=1.0, num_classes=3, losses=("bcl", "bcl")))
    labels = explorer.panel(0).locator("text.class-label").all_text_contents()
    assert sorted(labels) == ["", "1, rarest", "head"]


# ---- without seeing


def test_every_picture_has_a_text_alternative_with_numbers(explorer: ExplorerPage) -> None:
    explorer.show(Settings(num_classes=10, temperature=1.0))
    expect(explorer.page.locator("svg.counts")).to_have_attribute("aria-label", re.compile("rarest: 50"))
    for picture in explorer.page.locator("svg:not([aria-hidden])").all():
        assert picture.get_attribute("role") in ("img", "application")
        assert re.search(r"\d", picture.get_attribute("aria-label"))


def test_the_summary_is_read_out_after_a_pause_and_says_what_merged(explorer: ExplorerPage) -> None:
    explorer.show(Settings(imbalance_factor=200, temperature=1.0, num_classes=3, losses=("scl", "bcl")))
    summary = explorer.page.locator(".summary")
    assert summary.get_attribute("aria-live") == "polite"
    expect(summary).to_contain_text(
        "3 classes, imbalance factor 200, temperature 1, the full data as one batch."
    )
    expect(summary).to_contain_text(
        re.compile(r"BCL: angles from 0\.0° \(1 and rarest\) to 180\.0° \(head and (1|rarest)\)")
    )
    expect(summary).to_contain_text("Classes 1 and rarest merge into one point.")
    explorer.show(Settings(imbalance_factor=100, temperature=1.0, num_classes=10, losses=("scl", "bcl")))
    expect(summary).to_contain_text("Classes 7, 8 and rarest all but merge: at most 2.6° lie between them.")


def test_angles_are_a_table_of_the_optimum_in_degrees(explorer: ExplorerPage) -> None:
    settings = Settings(losses=("scl", "bcl"))
    explorer.show(settings)
    for index, loss in enumerate(settings.losses):
        expected = certified_optimum(settings.compositions, loss, temperature=settings.temperature).gram
        angles = expected.clamp(-1, 1).acos().rad2deg()
        cells = explorer.panel(index).locator("td.angle")
        expect(cells).to_have_text([f"{angles[i, j]:.0f}°" for i in range(1, 4) for j in range(i)])
    headings = explorer.panel(0).locator(".angles th").all_text_contents()
    assert headings == ["head", "1", "2", "1", "2", "rarest"]


# ---- pointing, presets, sharing


def test_an_angle_that_is_pointed_at_is_lit_in_every_picture(explorer: ExplorerPage) -> None:
    explorer.panel(0).locator("td.angle").nth(5).hover()  # between the two rarest
    for side in (0, 1):
        panel = explorer.panel(side)
        expect(panel.locator(".lit-pair")).to_have_attribute("visibility", "visible")
        lit = panel.locator(".class.lit .class-label")
        assert sorted(lit.all_text_contents()) == ["2", "rarest"]
        cosine = explorer.state()["optima"][side]["cosines"][3][2]
        expect(panel.locator(".lit-pair text")).to_have_text(f"{torch.tensor(cosine).acos().rad2deg():.1f}°")
    expect(explorer.page.locator(".count.lit")).to_have_count(2)
    explorer.page.mouse.move(5, 5)
    expect(explorer.panel(0).locator(".lit-pair")).to_have_attribute("visibility", "hidden")


def test_arrow_keys_lead_from_angle_to_angle(explorer: ExplorerPage) -> None:
    explorer.panel(1).locator("td.angle").first.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight"):
        explorer.page.keyboard.press(key)
    expect(explorer.panel(1).locator("td.angle").nth(5)).to_be_focused()
    expect(explorer.panel(0).locator(".lit-pair")).to_have_attribute("visibility", "visible")
    explorer.page.keyboard.press("Escape")
    expect(explorer.panel(0).locator(".lit-pair")).to_have_attribute("visibility", "hidden")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("The bend", Settings(100, 0.5, 4, ("scl", "bcl"))),
        ("The repair", Settings()),
        ("The merge", Settings(1000, 1.0, 4, ("scl", "bcl"))),
        ("Low τ", Settings(100, 0.1, 4, ("scl", "bcl"))),
    ],
)
def test_a_preset_sets_everything_and_says_what_to_look_at(
    explorer: ExplorerPage, name: str, settings: Settings
) -> None:
    explorer.show(Settings(7, 0.2, 5, ("ce", "lc"), 64))
    button = explorer.page.get_by_role("button", name=name)
    button.focus()
    explorer.page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(explorer.page.locator(".presets [aria-pressed=true]")).to_have_count(1)
    expect(explorer.page.locator(".look")).not_to_be_empty()
    assert explorer.state()["settings"] == in_browser(settings)


def test_the_first_view_shows_the_repair(explorer: ExplorerPage) -> None:
    scl, repaired = (optimum["deviation"]["rms"] for optimum in explorer.state()["optima"])
    assert (scl > 0.4, repaired < 1e-6) == (True, True)
    expect(explorer.page.get_by_role("button", name="The repair")).to_have_attribute("aria-pressed", "true")


def test_the_address_holds_the_settings_and_brings_them_back(explorer: ExplorerPage) -> None:
    explorer.slider("imbalance_factor").focus()
    explorer.page.keyboard.press("End")
    explorer.page.wait_for_function("location.hash.includes('if=1000')")
    assert (
        explorer.page.evaluate("location.hash") == "#if=1000&tau=0.5&k=4&batch=0&loss=scl,bcl-class-anchors"
    )
    explorer.page.evaluate("location.hash = 'if=20&tau=0.2&k=6&batch=64&loss=lc,bcl'")
    explorer.page.wait_for_function("explorer.settings.numClasses === 6")
    assert explorer.state()["settings"] == in_browser(Settings(20, 0.2, 6, ("lc", "bcl"), 64))


def test_nonsense_in_the_address_is_left_out(explorer: ExplorerPage) -> None:
    explorer.page.goto(explorer.page.url.split("#")[0] + "#if=99999&tau=x&k=4.5&batch=1&loss=scl,none")
    explorer.page.reload()
    assert explorer.state()["settings"] == in_browser(Settings())


def test_a_link_is_copied_that_leads_to_these_settings(explorer: ExplorerPage) -> None:
    explorer.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    explorer.show(Settings(50, 0.3, 5, ("bcl", "lc")))
    explorer.page.get_by_role("button", name="Copy link").click()
    expect(explorer.page.get_by_role("button", name="Copied")).to_be_visible()
    copied = explorer.page.evaluate("navigator.clipboard.readText()")
    assert copied.endswith("#if=50&tau=0.3&k=5&batch=0&loss=bcl,lc")


def test_both_spheres_are_saved_as_a_png(explorer: ExplorerPage) -> None:
    with explorer.page.expect_download() as download:
        explorer.page.get_by_role("button", name="PNG").click()
    assert download.value.suggested_filename == "class-means.png"
    with Image.open(download.value.path()) as picture:
        assert picture.size == (2240, 1312)
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}
    assert {channels_of(style.HEAD), channels_of(style.TAIL), (255, 255, 255)} <= colours


# ---- mouse and touch


def test_dragging_turns_both_spheres_and_leaves_no_frame(explorer: ExplorerPage) -> None:
    explorer.show(Settings(losses=("bcl", "bcl")))
    sphere = explorer.panel(0).locator("svg.sphere")
    before = explorer.panel(1).locator(".class-mean").first.get_attribute("transform")
    box = sphere.bounding_box()
    assert box
    explorer.page.mouse.move(box["x"] + 100, box["y"] + 100)
    explorer.page.mouse.down()
    explorer.page.mouse.move(box["x"] + 190, box["y"] + 140, steps=4)
    explorer.page.mouse.up()
    assert explorer.panel(1).locator(".class-mean").first.get_attribute("transform") != before
    assert sphere.evaluate("e => getComputedStyle(e).outlineStyle") == "none"
    assert explorer.page.evaluate("String(getSelection())") == ""


def test_a_slider_follows_the_mouse(explorer: ExplorerPage) -> None:
    box = explorer.slider("imbalance_factor").bounding_box()
    assert box
    explorer.page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    expect(explorer.page.locator(".imbalanceFactor output")).to_have_text("1000")
    expected = certified_optimum(Settings(1000).compositions, "scl", temperature=0.5)
    expect(explorer.panel(0).locator(".deviation")).to_have_text(f"{expected.deviation.rms:.3f}")


@pytest.fixture
def phone(browser: Browser, address: str) -> Iterator[ExplorerPage]:
    """The page on a phone of 390 pixels."""
    with opened_explorer(browser, address, **PHONE) as found:
        yield found


def test_on_a_phone_one_sphere_is_shown_under_an_imbalance_that_stays_in_sight(phone: ExplorerPage) -> None:
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 390
    expect(phone.panel(0)).to_be_visible()
    expect(phone.panel(1)).to_be_hidden()
    phone.page.get_by_role("button", name="BCL, class-averaged anchors").tap()
    expect(phone.panel(0)).to_be_hidden()
    expect(phone.panel(1).locator(".deviation")).to_have_text("0.000")
    keep_picture(phone.page, "explorer-390-wide.png", full_page=True)
    phone.page.evaluate("scrollTo(0, 900)")
    box = phone.slider("imbalance_factor").bounding_box()
    assert box
    assert 0 <= box["y"] < 60
    phone.page.touchscreen.tap(box["x"] + 2, box["y"] + box["height"] / 2)
    expect(phone.page.locator(".imbalanceFactor output")).to_have_text("1")


def test_a_finger_scrolls_over_a_sphere_and_lights_an_angle(phone: ExplorerPage) -> None:
    assert phone.panel(0).locator("svg.sphere").evaluate("e => getComputedStyle(e).touchAction") == "pan-y"
    phone.panel(0).locator("td.angle").nth(5).tap()
    expect(phone.panel(0).locator(".lit-pair")).to_have_attribute("visibility", "visible")
    phone.page.get_by_role("button", name="The merge").tap()
    expect(phone.page.locator(".imbalanceFactor output")).to_have_text("1000")
    phone.page.locator(".more summary").tap()
    phone.page.locator(".batchSize select").select_option("64")
    expect(phone.page.locator(".more summary")).to_have_text("More: 4 classes, batches of 64")


# ---- looks


def test_an_explorer_that_is_gone_hears_of_no_theme(explorer: ExplorerPage) -> None:
    heard = explorer.page.evaluate(THEMES_HEARD_OF, ["explorer", "explorer.panels[0].angles", "resize"])
    assert heard == {"there": True, "gone": False}


def test_ten_classes_have_all_their_names_under_the_counts_and_none_meets_another(
    explorer: ExplorerPage,
) -> None:
    explorer.show(Settings(num_classes=10))
    names = explorer.page.locator("svg.counts .name")
    expect(names).to_have_text(["head", *map(str, range(1, 9)), "rarest"])
    for width in (1280, 760, 390):
        explorer.page.set_viewport_size({"width": width, "height": 900})
        explorer.page.wait_for_timeout(100)  # the size of text follows in the next frame
        boxes = sorted(
            (box["x"], box["x"] + box["width"]) for name in names.all() if (box := name.bounding_box())
        )
        assert all(left[1] < right[0] for left, right in itertools.pairwise(boxes)), (width, boxes)


def channels_of(colour: str) -> tuple[int, ...]:
    """#rrggbb as three numbers."""
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def channels(colour: str) -> str:
    """The colour of `getComputedStyle` as #rrggbb."""
    return "#" + "".join(f"{int(value):02x}" for value in re.findall(r"\d+", colour)[:3])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("num_classes", [3, 4, 10])
def test_the_page_is_readable_in_light_and_dark(
    browser: Browser, address: str, scheme: str, num_classes: int
) -> None:
    with opened_explorer(browser, address, color_scheme=scheme) as explorer:
        explorer.show(Settings(num_classes=num_classes, temperature=0.3))
        curve_is_complete(explorer)
        ink, paper = explorer.page.evaluate(
            "() => { const s = getComputedStyle(explorer.root); return [s.color, s.backgroundColor] }"
        )
        quiet = explorer.page.evaluate("() => getComputedStyle(explorer.legend).color")
        assert channels(paper) == (style.LIGHT_PAGE if scheme == "light" else style.DARK_PAGE)
        assert style.contrast(channels(ink), channels(paper)) > 12
        assert style.contrast(channels(quiet), channels(paper)) > 4.5
        keep_picture(explorer.page, f"explorer-{num_classes}-{scheme}.png", full_page=True)


@pytest.mark.parametrize("width", [420, 700, 1000])
def test_nothing_is_cut_off_on_a_narrow_page(explorer: ExplorerPage, width: int) -> None:
    explorer.page.set_viewport_size({"width": width, "height": 900})
    explorer.show(Settings(num_classes=10, batch_size=64))
    assert explorer.page.evaluate("document.documentElement.scrollWidth") <= width
    keep_picture(explorer.page, f"explorer-{width}-wide.png", full_page=True)
