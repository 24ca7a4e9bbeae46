"""The training sphere as its readers use it: from disk, by keyboard, mouse and touch, in light and dark, unseen."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, expect

from bcl_edu.course.figures import style
from bcl_edu.course.widgets.sphere import LOSSES, TrainingSettings, write_sphere_page
from bcl_edu.geometry.gradient_shares import gradient_shares
from bcl_edu.geometry.measures import class_means, cosine_matrix, simplex_deviation
from bcl_edu.geometry.optimum import certified_optimum
from bcl_edu.geometry.unconstrained_features import unconstrained_dynamics
from tests.browser.finger import swipe
from tests.browser.jupyterlab import keep_picture
from tests.browser.sphere_page import PHONE, SpherePage, embeddings_and_labels, opened_sphere
from tests.browser.themes import THEMES_HEARD_OF

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The page as it opens, and one that waits for the reader."""
    folder = tmp_path_factory.mktemp("sphere")
    return {
        "opening": write_sphere_page(folder / "opening.html").as_uri(),
        "waiting": write_sphere_page(folder / "waiting.html", opening=False, playing=False).as_uri(),
    }


@pytest.fixture
def sphere(browser: Browser, addresses: dict[str, str]) -> Iterator[SpherePage]:
    """The page that waits, at its first step."""
    with opened_sphere(browser, addresses["waiting"], color_scheme="light") as found:
        yield found


def degrees(gram: torch.Tensor) -> float:
    """Angle between the two rarest classes."""
    return float(torch.rad2deg(torch.arccos(gram[-1, -2].clamp(-1, 1))))


# ---- what is shown is what the package computes


def test_the_step_button_takes_the_step_of_the_geometrys_dynamics_on_both_sides(sphere: SpherePage) -> None:
    for loss in ("scl", "bcl"):
        sphere.set(losses=[loss, "bcl-class-anchors"])
        before = sphere.train(5)
        sphere.button("step").focus()
        sphere.page.keyboard.press("Enter")
        after = sphere.state()
        assert after["step"] == before["step"] + 1
        for side in (0, 1):
            start, _ = embeddings_and_labels(before, side)
            path = unconstrained_dynamics(
                before["classCounts"],
                before["sides"][side]["loss"],
                temperature=0.5,
                steps=1,
                learning_rate=0.05,
                prototypes="means",
                start=start,
            )
            z, _ = embeddings_and_labels(after, side)
            assert (z - path.embeddings).abs().max() < 1e-9
            assert after["sides"][side]["value"] == pytest.approx(float(path.loss[0]), abs=1e-9)


def test_numbers_are_those_of_the_geometry(sphere: SpherePage) -> None:
    sphere.train(12)
    before = sphere.state()
    state = sphere.train(1)
    for side in (0, 1):
        shown, panel = state["sides"][side], sphere.side(side)
        z, y = embeddings_and_labels(state, side)
        means = class_means(z, y, 4)
        gram = cosine_matrix(means)
        assert torch.tensor(shown["cosines"]).double().numpy() == pytest.approx(gram.numpy(), abs=1e-6)
        deviation = simplex_deviation(means).rms
        assert shown["deviation"] == pytest.approx(deviation, abs=1e-9)
        optimum = certified_optimum(sphere.settings.compositions, shown["loss"], temperature=0.5)
        off = ~torch.eye(4, dtype=torch.bool)
        distance = (gram - optimum.gram)[off].square().mean().sqrt().item()
        assert shown["distance"] == pytest.approx(distance, abs=1e-4)
        assert shown["rareAngle"] == pytest.approx(degrees(gram), abs=1e-6)
        expect(panel.locator(".angle b")).to_have_text(f"{degrees(gram):.0f}°")
        expect(panel.locator(".goal")).to_have_text(f"optimum {degrees(optimum.gram):.0f}°")
        expect(panel.locator(".numbers dd").nth(0)).to_have_text(f"{deviation:.2f}")
        expect(panel.locator(".numbers dd").nth(1)).to_have_text(f"{distance:.2f}")

        # pushes are those of the step that led here
        z, y = embeddings_and_labels(before, side)
        prototypes = torch.nn.functional.normalize(class_means(z, y, 4)) if side else None
        shares = gradient_shares(z.repeat(2, 1), y.repeat(2), prototypes, loss=shown["loss"], temperature=0.5)
        of_rarest = shares[y.repeat(2) == 3].mean(dim=0)
        assert shown["push"][3] == pytest.approx(of_rarest.tolist(), abs=1e-6)
        expect(panel.locator(".share").first).to_have_text(f"{100 * of_rarest[0]:.0f}")


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("imbalance_factor", [1, 100])
def test_rings_are_the_certified_optimum(sphere: SpherePage, loss: str, imbalance_factor: float) -> None:
    sphere.set(losses=[loss, loss], imbalanceFactor=imbalance_factor)
    target = sphere.state()["sides"][0]["target"]
    optimum = certified_optimum(sphere.settings.compositions, loss, temperature=0.5)
    assert target["certified"]
    assert torch.tensor(target["cosines"]).double().numpy() == pytest.approx(optimum.gram.numpy(), abs=2e-3)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_dots_of_class_means_are_drawn_where_they_are_in_their_colours_and_stand_out(
    sphere: SpherePage, theme: str
) -> None:
    sphere.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    paper = {"light": style.LIGHT_PAGE, "dark": style.DARK_PAGE}[theme]
    sphere.page.wait_for_function("paper => sphere.colours?.page === paper", arg=paper)
    sphere.train(200)
    found = sphere.page.evaluate(
        """() => sphere.sides.map((side) => {
            const { canvas } = side.cloud;
            const { width, height } = canvas;
            const copy = Object.assign(document.createElement("canvas"), { width, height });
            const pen = copy.getContext("2d", { willReadFrequently: true });
            pen.drawImage(canvas, 0, 0);
            const hex = (value) => value.toString(16).padStart(2, "0");
            return side.cloud.seen(side.meanDirections, 3).map(({ x, y, depth }, k) => {
                const size = side.cloud.sizes[k];
                const rim = [[size, 0], [-size, 0], [0, size], [0, -size]]; // a name may lie on a part of it
                const places = depth < 0 ? rim : [[1, 1]];
                return places.map(([right, down]) => {
                    const pixel = pen.getImageData(Math.round(x + right), Math.round(y + down), 1, 1).data;
                    return "#" + [...pixel.slice(0, 3)].map(hex).join("");
                });
            });
        })"""
    )
    colours = style.class_colours(torch.tensor([4, 3, 2, 1]))
    assert {len(dot) for side in found for dot in side} == {1, 4}, "some in front, some at the back"
    assert all(colours[k] in dot for side in found for k, dot in enumerate(side))
    ball = sphere.page.evaluate("[sphere.colours.ball, sphere.colours.shade]")
    assert min(style.contrast(colour, behind) for colour in colours for behind in ball) >= 3


def test_training_ends_where_the_design_says_crowded_under_scl_apart_under_class_averaged_anchors(
    sphere: SpherePage,
) -> None:
    left, right = sphere.train(400)["sides"]
    assert left["rareAngle"] == pytest.approx(left["target"]["rareAngle"], abs=3)
    assert left["target"]["rareAngle"] == pytest.approx(62, abs=1)
    assert right["rareAngle"] == pytest.approx(109.47, abs=0.5)


# ---- the opening


def test_the_page_opens_where_the_losses_differ_and_then_the_tail_goes_and_comes_back(
    browser: Browser, addresses: dict[str, str]
) -> None:
    with opened_sphere(browser, addresses["opening"]) as sphere:
        first = sphere.page.evaluate("[sphere.stepCount, sphere.settings.imbalanceFactor]")
        assert first[0] >= 400
        if first[1] == 100:  # a busy machine may be later than the first phase
            left, right = sphere.state()["sides"]
            assert left["rareAngle"] < 70 < 100 < right["rareAngle"]
        caption = sphere.page.locator(".caption")
        expect(caption).to_contain_text("All classes are alike", timeout=60_000)
        expect(caption).to_contain_text("fewer and fewer pictures", timeout=60_000)
        expect(caption).to_contain_text("Your turn", timeout=60_000)
        expect(sphere.slider("imbalanceFactor")).to_have_attribute("aria-valuetext", "100")
        expect(sphere.slider("imbalanceFactor")).to_have_class("pulse")
        sphere.page.wait_for_function("sphere.settled", timeout=120_000)
        left, right = sphere.state()["sides"]
        assert left["rareAngle"] < 70 < 100 < right["rareAngle"]


def test_whoever_touches_a_control_takes_over_from_the_opening(
    browser: Browser, addresses: dict[str, str]
) -> None:
    with opened_sphere(browser, addresses["opening"]) as sphere:
        slider = sphere.slider("imbalanceFactor")
        slider.focus()
        for _ in range(2):
            sphere.page.keyboard.press("ArrowLeft")
        expect(sphere.page.locator(".caption")).to_contain_text("Your turn")
        factor = sphere.state()["settings"]["imbalanceFactor"]
        sphere.page.wait_for_timeout(500)
        assert sphere.state()["settings"]["imbalanceFactor"] == factor
        expect(slider).not_to_have_class("pulse")


def test_who_wants_no_motion_sees_the_end_and_nothing_moves(
    browser: Browser, addresses: dict[str, str]
) -> None:
    with opened_sphere(browser, addresses["opening"], reduced_motion="reduce") as sphere:
        state = sphere.state()
        assert (state["step"], state["playing"]) == (400, False)
        assert state["sides"][0]["rareAngle"] == pytest.approx(62, abs=3)
        sphere.page.wait_for_timeout(300)
        assert sphere.state()["step"] == 400


# ---- keyboard


def test_names_of_classes_that_are_close_do_not_overlap(browser: Browser, addresses: dict[str, str]) -> None:
    with opened_sphere(browser, addresses["waiting"], **PHONE) as sphere:
        for settings in ({"numClasses": 4}, {"numClasses": 10}):
            sphere.set(**settings)
            for steps in (0, 5, 60):
                sphere.train(steps)
                boxes = sphere.page.evaluate(
                    """() => {
                        const { sheet } = sphere.sides[0].cloud;
                        const boxes = [];
                        const { write } = sheet;
                        sheet.write = function (text, x, y, look) {
                            if (!text.endsWith("°")) boxes.push({ text, ...this.place(text, x, y, look) });
                            write.call(this, text, x, y, look);
                        };
                        sphere.drawSpheres();
                        sheet.write = write;
                        return boxes;
                    }"""
                )
                assert boxes
                for one, other in itertools.combinations(boxes, 2):
                    apart = max(
                        one["left"] - other["right"],
                        other["left"] - one["right"],
                        one["top"] - other["bottom"],
                        other["top"] - one["bottom"],
                    )
                    assert apart >= 0, (settings, steps, one["text"], other["text"])


def test_arrow_keys_make_a_class_rare_in_mid_run_and_the_optimum_moves(sphere: SpherePage) -> None:
    sphere.train(20)
    before = sphere.state()
    slider = sphere.slider("imbalanceFactor")
    slider.focus()
    for _ in range(10):
        sphere.page.keyboard.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", "32")
    state = sphere.state()
    assert state["step"] == before["step"]
    assert state["classCounts"] == TrainingSettings(imbalance_factor=32).class_counts.tolist()
    numbers = sphere.page.locator(".class-strip .number").all_inner_texts()
    assert numbers == [str(count) for count in state["classCounts"]]
    assert state["sides"][0]["target"]["rareAngle"] > before["sides"][0]["target"]["rareAngle"] + 3
    assert state["sides"][1]["target"]["rareAngle"] == pytest.approx(109.47, abs=0.1)


def test_home_and_end_reach_both_ends_of_every_slider(sphere: SpherePage) -> None:
    sphere.open_more()
    ends = {
        "imbalanceFactor": ("1", "100"),
        "temperature": ("0.05", "2"),
        "learningRate": ("0.005", "0.5"),
        "numClasses": ("3", "10"),
    }
    for name, (first, last) in ends.items():
        sphere.slider(name).focus()
        for key, value in (("Home", first), ("End", last)):
            sphere.page.keyboard.press(key)
            expect(sphere.slider(name)).to_have_attribute("aria-valuetext", value)
            assert sphere.state()["settings"][name] == float(value)


def test_menus_are_chosen_by_keyboard(sphere: SpherePage) -> None:
    sphere.open_more()
    chosen: dict[str, list[Any]] = {
        "batchSize": [0, 32, 8],
        "prototypes": ["means", "free", "off"],
        "start": ["cone", "random"],
        "dimension": [3, 2],
    }
    for name, values in chosen.items():
        sphere.menu(name).focus()
        for value in values[1:]:
            sphere.page.keyboard.press("ArrowDown")
            expect(sphere.menu(name)).to_have_value(str(value))
            assert sphere.state()["settings"][name] == value
        assert all(map(_is_finite, sphere.train(3)["sides"]))


def test_losses_are_chosen_by_keyboard_one_for_each_side_in_mid_run(sphere: SpherePage) -> None:
    sphere.train(30)
    select = sphere.side(0).locator("select")
    select.focus()
    sphere.page.keyboard.press("ArrowDown")
    expect(select).to_have_value("bcl")
    state = sphere.state()
    assert state["settings"]["losses"] == ["bcl", "bcl-class-anchors"]
    assert state["step"] == 30
    colour = sphere.side(0).locator(".swatch").evaluate("e => getComputedStyle(e).borderTopColor")
    assert _hex(colour) == style.METHOD_COLOURS["bcl"]


@pytest.mark.parametrize("prototypes", ["means", "free", "off"])
def test_every_loss_trains_in_every_number_of_dimensions(sphere: SpherePage, prototypes: str) -> None:
    for dimension in (2, 3):
        sphere.set(dimension=dimension, prototypes=prototypes, numClasses=3)
        for loss in LOSSES:
            sphere.set(losses=[loss, "scl"])
            before = sphere.state()["sides"][0]["deviation"]
            side = sphere.train(15)["sides"][0]
            assert _is_finite(side), (loss, dimension)
            assert side["deviation"] != before


def test_play_and_pause_by_the_space_bar(sphere: SpherePage) -> None:
    play = sphere.button("play")
    play.focus()
    sphere.page.keyboard.press("Space")
    sphere.page.wait_for_function("sphere.stepCount > 5", timeout=30_000)
    expect(play).to_contain_text("Pause")
    sphere.page.keyboard.press("Space")
    expect(play).to_contain_text("Play")
    step = sphere.state()["step"]
    sphere.page.wait_for_timeout(200)
    assert sphere.state()["step"] == step


def test_restart_is_the_same_start_and_the_same_path_and_another_seed_another(sphere: SpherePage) -> None:
    start = sphere.state()["sides"]
    assert start[0]["points"] == start[1]["points"]  # both sides from one start
    sphere.set(batchSize=8)
    first = sphere.train(10)
    sphere.button("restart").focus()
    sphere.page.keyboard.press("Enter")
    state = sphere.state()
    assert state["step"] == 0
    assert state["sides"][0]["points"] == start[0]["points"]
    assert sphere.train(10)["sides"] == first["sides"]

    sphere.open_more()
    seed = sphere.page.locator(".control.seed input")
    seed.fill("5")
    seed.press("Enter")
    assert sphere.state()["settings"]["seed"] == 5
    assert sphere.state()["sides"][0]["points"] != start[0]["points"]


def test_speed_is_chosen_by_arrow_keys_and_is_steps_a_second(sphere: SpherePage) -> None:
    sphere.page.locator(".speeds input").nth(1).focus()
    sphere.page.keyboard.press("ArrowLeft")
    assert sphere.state()["settings"]["speed"] == 0.25
    sphere.set(numClasses=3, imbalanceFactor=100)
    sphere.page.evaluate("sphere.play(true)")
    sphere.page.wait_for_function("sphere.stepCount > 2", timeout=30_000)
    begin = sphere.page.evaluate("[performance.now(), sphere.stepCount]")
    sphere.page.wait_for_timeout(1500)
    end = sphere.page.evaluate("[performance.now(), sphere.stepCount]")
    assert (end[1] - begin[1]) / (end[0] - begin[0]) * 1000 < 17  # a quarter of 60, or less on a busy machine


def test_all_controls_are_reached_with_tab_and_show_it(sphere: SpherePage) -> None:
    sphere.open_more()
    sphere.page.locator("h1").click()
    reached = []
    for _ in range(22):
        sphere.page.keyboard.press("Tab")
        name, outline = sphere.page.evaluate(
            """() => {
                const e = document.activeElement;
                const seen = e.type === "radio" ? e.nextElementSibling : e;
                const name = e.ariaLabel?.split(".")[0] || e.textContent.trim() || e.name;
                return [name, getComputedStyle(seen).outlineStyle];
            }"""
        )
        reached.append(name)
        assert outline == "solid", name
        if name == "Seed":
            break
    wanted = [
        "Imbalance factor",
        "Left loss",
        "Points and class means",
        "Right loss",
        "▶ Play",
        "Step",
        "Restart",
    ]
    wanted += ["Temperature τ", "Learning rate", "Classes K", "Batch", "Prototypes", "Start", "Space", "Seed"]
    assert [name for name in reached if name in wanted] == [
        *wanted[:3],
        "Right loss",
        "Points and class means",
        *wanted[4:],
    ]


def test_arrow_keys_turn_both_spheres_alike_and_home_turns_them_back(sphere: SpherePage) -> None:
    angles = "[sphere.view.yaw, sphere.view.pitch]"
    before = sphere.page.evaluate(angles)
    cosines = sphere.state()["sides"][0]["cosines"]
    sphere.picture(1).focus()
    sphere.page.keyboard.press("ArrowLeft")
    sphere.page.keyboard.press("ArrowUp")
    turned = sphere.page.evaluate(angles)
    assert turned[0] < before[0]
    assert turned[1] < before[1]
    assert sphere.state()["sides"][0]["cosines"] == cosines
    assert sphere.page.evaluate("sphere.sides[0].cloud.view === sphere.sides[1].cloud.view")
    sphere.page.keyboard.press("Home")
    assert sphere.page.evaluate(angles) == before


# ---- batches


def test_lights_go_out_for_classes_missing_from_the_last_batch(sphere: SpherePage) -> None:
    sphere.set(batchSize=8)
    seen = set()
    for _ in range(12):
        sphere.button("step").click()
        counts = sphere.state()["batch"]["counts"]
        assert sum(counts) == 8
        off = sphere.page.locator(".light").evaluate_all("all => all.map(e => e.classList.contains('off'))")
        assert off == [count == 0 for count in counts]
        note = sphere.page.locator(".missing")
        if any(off):
            expect(note).to_contain_text("Not in the last batch")
        pushers = sphere.side(0).locator(".shares")
        if counts[3] == 0:  # an anchor that is not there is pushed by nobody
            expect(pushers).to_contain_text("nobody: it is not in this batch")
        seen.add(counts[3] == 0)
    assert True in seen
    sphere.set(batchSize=0)
    sphere.button("step").click()
    expect(sphere.page.locator(".missing")).to_have_text("All in every batch.")
    expect(sphere.page.locator(".light.off")).to_have_count(0)


def test_an_optimum_that_needs_more_dimensions_has_no_rings_and_says_so(sphere: SpherePage) -> None:
    sphere.set(numClasses=10, imbalanceFactor=1)
    state = sphere.state()
    assert state["sides"][0]["target"]["drawn"] is False
    expect(sphere.page.locator(".legend")).to_contain_text("needs more dimensions than this sphere has")
    sphere.set(numClasses=3, dimension=2)
    assert sphere.state()["sides"][0]["target"]["drawn"] is True
    expect(sphere.page.locator(".legend")).to_contain_text("Dashed rings")


# ---- mouse


def test_a_slider_is_dragged_while_it_trains(sphere: SpherePage) -> None:
    sphere.button("play").click()
    box = sphere.slider("imbalanceFactor").bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    sphere.page.mouse.move(box["x"] + box["width"] - 8, y)
    sphere.page.mouse.down()
    sphere.page.mouse.move(box["x"] + box["width"] / 2, y, steps=8)
    sphere.page.mouse.up()
    factor = sphere.state()["settings"]["imbalanceFactor"]
    assert 8 <= factor <= 12.5
    sphere.page.wait_for_function("sphere.stepCount > 3", timeout=30_000)
    assert sphere.state()["playing"]


def test_dragging_a_sphere_turns_both_and_changes_nothing_else(sphere: SpherePage) -> None:
    canvas = sphere.picture(0)
    box = canvas.bounding_box()
    assert box is not None
    before = sphere.page.evaluate("[sphere.view.yaw, sphere.stepCount]")
    picture = sphere.picture(1).evaluate("e => e.toDataURL()")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    sphere.page.mouse.move(x, y)
    sphere.page.mouse.down()
    sphere.page.mouse.move(x + 60, y, steps=4)
    sphere.page.mouse.up()
    after = sphere.page.evaluate("[sphere.view.yaw, sphere.stepCount]")
    assert after[0] > before[0] + 0.1
    assert after[1] == before[1]
    sphere.page.wait_for_timeout(100)
    assert sphere.picture(1).evaluate("e => e.toDataURL()") != picture


# ---- touch


def test_a_finger_on_the_sphere_scrolls_the_page_up_and_turns_the_sphere_sideways(
    browser: Browser, addresses: dict[str, str]
) -> None:
    with opened_sphere(browser, addresses["waiting"], **PHONE) as sphere:
        canvas = sphere.picture(0)
        canvas.scroll_into_view_if_needed()
        before = sphere.page.evaluate("[scrollY, sphere.view.yaw]")
        swipe(canvas, 0, -160)
        sphere.page.wait_for_function("y => scrollY > y + 100", arg=before[0], timeout=20_000)
        assert sphere.page.evaluate("sphere.view.yaw") == pytest.approx(before[1], abs=0.2)

        canvas.scroll_into_view_if_needed()
        scrolled = sphere.page.evaluate("scrollY")
        swipe(canvas, 80, 0)
        sphere.page.wait_for_function("yaw => sphere.view.yaw > yaw + 0.3", arg=before[1], timeout=20_000)
        assert sphere.page.evaluate("scrollY") == scrolled


def test_buttons_sliders_and_speeds_answer_to_a_tap(browser: Browser, addresses: dict[str, str]) -> None:
    with opened_sphere(browser, addresses["waiting"], **PHONE) as sphere:
        sphere.button("step").tap()
        assert sphere.state()["step"] == 1
        sphere.page.locator(".speeds input").nth(2).tap()
        assert sphere.state()["settings"]["speed"] == 4
        slider = sphere.slider("imbalanceFactor")
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        assert box is not None
        sphere.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        assert sphere.state()["settings"]["imbalanceFactor"] == pytest.approx(10, rel=0.25)
        sphere.button("play").tap()
        sphere.page.wait_for_function("sphere.stepCount > 4", timeout=30_000)
        sphere.button("restart").tap()
        sphere.button("play").tap()
        expect(sphere.button("play")).to_contain_text("Play")
        small = sphere.page.locator("button, select:visible, .speeds label").evaluate_all(
            "all => all.filter((e) => e.getBoundingClientRect().height < 30).map((e) => e.className)"
        )
        assert small == []


# ---- without seeing it


def test_what_is_shown_is_put_in_words_when_it_has_come_to_rest_and_not_in_every_frame(
    sphere: SpherePage,
) -> None:
    summary = sphere.page.locator(".summary")
    assert summary.get_attribute("aria-live") == "polite"
    sphere.page.evaluate(
        """() => {
            window.said = 0;
            new MutationObserver(() => (window.said += 1)).observe(
                document.querySelector(".summary"), { childList: true, characterData: true, subtree: true });
        }"""
    )
    sphere.button("play").click()
    sphere.page.wait_for_function("sphere.stepCount > 60", timeout=60_000)
    assert sphere.page.evaluate("said") <= 1
    sphere.button("play").click()
    left = sphere.state()["sides"][0]
    words = f"SCL: {left['rareAngle']:.0f}° between the two rarest classes (certified optimum: 62°)"
    expect(summary).to_contain_text(words)
    expect(summary).to_contain_text(
        "Imbalance factor 100; pictures of each class: head: 100, 1: 22, 2: 5, rarest: 1."
    )
    for label in ("Points and class means. SCL", "Points and class means. BCL"):
        expect(sphere.page.locator(f'canvas[aria-label^="{label}"]')).to_have_count(1)
    expect(sphere.page.locator('canvas[aria-label^="Simplex deviation over"]')).to_have_count(1)
    expect(
        sphere.page.locator('[role=img][aria-label^="Who pushes the rarest class away. class head"]')
    ).to_have_count(2)


# ---- looks


def test_a_share_without_room_for_its_number_shows_none_of_it(sphere: SpherePage) -> None:
    numbers = """bar => [...bar.querySelectorAll('.share')].map(share => {
        const words = document.createRange();
        words.selectNodeContents(share);
        const [box, place] = [words.getBoundingClientRect(), share.getBoundingClientRect()];
        const number = [...words.getClientRects()].find(({ width }) => width > 1);
        const seen = number && number.top < place.bottom - 1;
        const cut = seen && (number.left < place.left - 0.5 || number.right > place.right + 0.5);
        return { percent: Number(share.textContent), seen: Boolean(seen), cut };
    })"""
    sphere.train(40)
    for width in (1280, 390):
        sphere.page.set_viewport_size({"width": width, "height": 900})
        bar = sphere.side(0).locator(".shares")
        expect(bar.locator(".share").first).to_have_text(re.compile(r"^\d+$"))
        found = bar.evaluate(numbers)
        assert not any(share["cut"] for share in found), width
        assert all(share["seen"] for share in found if share["percent"] >= 4), width


def test_a_sphere_that_is_gone_hears_of_no_theme(sphere: SpherePage) -> None:
    heard = sphere.page.evaluate(THEMES_HEARD_OF, ["sphere", "sphere", "requestDraw"])
    assert heard == {"there": True, "gone": False}


def test_the_page_is_readable_in_light_and_dark_and_nothing_is_cut_off(sphere: SpherePage) -> None:
    page = sphere.page
    for settings in ({"numClasses": 10, "batchSize": 8}, {"numClasses": 4, "batchSize": 0}):
        sphere.set(**settings)
        sphere.train(40)
        for scheme, width in itertools.product(("light", "dark"), (1280, 768, 390)):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": 844})
            paper = style.LIGHT_PAGE if scheme == "light" else style.DARK_PAGE
            page.wait_for_function("paper => sphere.colours?.page === paper", arg=paper)  # the canvas knows
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            shown, ink, quiet = page.evaluate(
                """() => {
                    const looks = getComputedStyle(sphere.root);
                    const legend = getComputedStyle(document.querySelector(".legend"));
                    return [looks.backgroundColor, looks.color, legend.color];
                }"""
            )
            assert _hex(shown) == paper
            assert style.contrast(_hex(ink), paper) > 12
            assert style.contrast(_hex(quiet), paper) > 4.5
            if settings["numClasses"] == 4:
                keep_picture(page, f"sphere-{width}-{scheme}.png", full_page=True)


def test_pictures_are_sharp_on_a_fine_screen(browser: Browser, addresses: dict[str, str]) -> None:
    with opened_sphere(browser, addresses["waiting"], device_scale_factor=2) as sphere:
        pixels, width = sphere.picture(0).evaluate("e => [e.width, e.clientWidth]")
        assert pixels == pytest.approx(2 * width, abs=1)


def test_a_page_that_is_removed_leaves_no_frame_behind(sphere: SpherePage) -> None:
    sphere.button("play").click()
    sphere.page.wait_for_function("sphere.stepCount > 2", timeout=30_000)
    sphere.page.evaluate("sphere.remove()")
    step = sphere.page.evaluate("sphere.stepCount")
    sphere.page.wait_for_timeout(200)
    assert sphere.page.evaluate("sphere.stepCount") == step
    assert sphere.page.locator(".bcl-sphere").count() == 0


def _is_finite(side: dict[str, Any]) -> bool:
    numbers = [side["value"], side["deviation"], side["distance"], side["rareAngle"]]
    return all(isinstance(number, int | float) for number in numbers)


def _hex(colour: str) -> str:
    """The colour of `getComputedStyle` as #rrggbb."""
    return "#" + "".join(f"{int(value):02x}" for value in re.findall(r"\d+", colour)[:3])
