"""The notebook on the bent simplex in JupyterLab: keys and mouse bend it, and what is drawn is a certified optimum."""

import re

import pytest
import torch
from playwright.sync_api import Locator, expect
from torch.nn.functional import normalize

from bcl_edu.course.widgets.explorer import Settings
from bcl_edu.geometry import certified_optimum
from tests.browser.jupyterlab import Visit
from tests.browser.pictures import drag_range, drawn, film_to

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

NOTEBOOK = "07_simplex_distortion"

MEANS = -1
"""The last trace of `figures.class_mean_sphere` is that of the class means."""


CENTRES = "all => all.map(e => e.transform.baseVal[0].matrix).map(m => [m.e, -m.f])"


def deviation(settings: Settings, loss: str) -> str:
    """What the explorer should show for a loss: the deviation of the certified optimum."""
    found = certified_optimum(settings.compositions, loss, temperature=settings.temperature)
    assert found.certified
    return f"{found.deviation.rms:.3f}"


def cosines_drawn(explorer: Locator, panel: int) -> list[float]:
    """Cosines between the classes where they are drawn; on the circle the picture has all there is."""
    markers = explorer.locator("section.loss").nth(panel).locator("circle.class-mean")
    points = normalize(torch.tensor(markers.evaluate_all(CENTRES), dtype=torch.float64), dim=1)
    return (points @ points.T).flatten().tolist()


def cosines_solved(settings: Settings, loss: str) -> list[float]:
    """Cosines between the class means of the certified optimum."""
    return (
        certified_optimum(settings.compositions, loss, temperature=settings.temperature)
        .gram.flatten()
        .tolist()
    )


def places(explorer: Locator, panel: int) -> list[list[float]]:
    """Where the markers of the classes are drawn."""
    markers = explorer.locator("section.loss").nth(panel).locator("circle.class-mean")
    return markers.evaluate_all("all => all.map(e => e.getBoundingClientRect()).map(r => [r.x, r.y])")


def test_the_simplex_bends_under_keys_and_mouse(visit: Visit) -> None:
    visit.read_through(NOTEBOOK)
    explorer = visit.run_widget(visit.page.locator(".bcl-explorer"), "import torch", "display(explorer)")
    assert visit.cut_off() == []
    assert visit.overlaps() == []
    shown = explorer.locator("section.loss b.deviation")
    start = Settings(imbalance_factor=100, num_classes=4, losses=("scl", "bcl"))
    expect(shown).to_have_text([deviation(start, "scl"), deviation(start, "bcl")])

    # by keyboard: a little more imbalance, a little more distortion
    before = places(explorer, 0)
    slider = explorer.locator(".imbalanceFactor input")
    slider.focus()
    for _ in range(3):
        visit.page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "140")
    moved = Settings(imbalance_factor=140, num_classes=4)
    expect(shown).to_have_text([deviation(moved, "scl"), deviation(moved, "bcl")])
    assert places(explorer, 0) != before

    # by mouse: the temperature to its upper end, where little is left of the simplex under either loss
    temperature = explorer.locator(".temperature input")
    box = temperature.bounding_box()
    assert box
    visit.page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    expect(temperature).to_have_attribute("aria-valuetext", "2")
    hot = Settings(imbalance_factor=140, num_classes=4, temperature=2.0)
    scl, bcl = deviation(hot, "scl"), deviation(hot, "bcl")
    assert min(scl, bcl) > "1"
    expect(shown).to_have_text([scl, bcl])

    # another loss, by keyboard: no imbalance bends it
    explorer.locator("section.loss select").nth(1).focus()
    visit.page.keyboard.press("ArrowDown")
    expect(explorer.locator("section.loss select").nth(1)).to_have_value("bcl-class-anchors")
    expect(shown.nth(1)).to_have_text("0.000")

    # Python and the browser agree at these settings, too
    comparison = visit.page.locator(".jp-Notebook .jp-CodeCell").filter(
        has_text="for loss in explorer.losses"
    )
    visit.page.wait_for_timeout(1000)  # the kernel hears of a slider a little later
    comparison.locator(".cm-content").click()
    visit.page.keyboard.press("Control+Enter")
    output = comparison.locator(".jp-OutputArea")
    expect(output).to_contain_text("bcl-class-anchors: simplex deviation 0.0000, in the browser [0.0]")
    expect(output).to_contain_text(re.compile(rf"scl: simplex deviation {scl}\d, in the browser \[{scl[:4]}"))

    # three classes lie on the circle: dragging the imbalance moves them to where the solver says
    explorer.locator(".more summary").click()
    classes = explorer.locator(".numClasses input")
    classes.focus()
    visit.page.keyboard.press("ArrowLeft")
    expect(classes).to_have_attribute("aria-valuetext", "3")
    drag_range(visit, temperature, 6 / 32)
    expect(temperature).to_have_attribute("aria-valuetext", "0.1")
    seen = []
    for share, factors in ((0.0, "1"), (0.5, "28|32|35"), (0.9, "450|500|560")):  # a pixel may be a position
        drag_range(visit, slider, share)
        expect(slider).to_have_attribute("aria-valuetext", re.compile(f"^({factors})$"))
        factor = float(slider.get_attribute("aria-valuetext") or "")
        now = Settings(imbalance_factor=factor, num_classes=3, temperature=0.1)
        for panel, loss in enumerate(("scl", "bcl-class-anchors")):
            expect(shown.nth(panel)).to_have_text(deviation(now, loss))
            assert cosines_drawn(explorer, panel) == pytest.approx(cosines_solved(now, loss), abs=2e-3)
        seen.append(cosines_drawn(explorer, 0)[-2])  # between the two smaller classes
    assert seen[0] + 0.1 < seen[1] < seen[2] - 0.01  # they give way to the largest

    film = visit.page.locator(".js-plotly-plot").filter(has=visit.page.locator(".slider-group")).first
    assert film_to(visit, film, 0.0) == "imbalance factor 1"
    assert drawn(film, MEANS)["x"] == pytest.approx([1, -0.5, -0.5], abs=1e-4)
    assert film_to(visit, film, 1.0) == "imbalance factor 1000"
    assert drawn(film, MEANS)["x"] == pytest.approx([1, -1, -1], abs=1e-4)
    visit.all_is_well()
