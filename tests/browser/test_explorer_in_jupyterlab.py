"""The explorer in JupyterLab: keys reach the sliders, Python sees what is shown, both themes are readable."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from bcl_edu.course.figures import style
from tests.browser.jupyterlab import DARK, LIGHT, Visit, keep_picture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

SHOW = """\
from bcl_edu.geometry.optimum import certified_optimum
from bcl_edu.course.widgets.explorer import SimplexExplorer

explorer = SimplexExplorer(imbalance_factor=100, num_classes=4, losses=["scl", "bcl"])
explorer
"""
COMPARE = """\
shown = explorer.state["optima"][0]
solved = certified_optimum(explorer.settings.compositions, shown["loss"], temperature=explorer.temperature)
print(explorer.imbalance_factor, f"{shown['deviation']['rms']:.4f} {solved.deviation.rms:.4f}", shown["certified"])
"""
SET = "explorer.num_classes, explorer.losses = 10, ['bcl', 'bcl-class-anchors']"

MEAN_GREY_OF_THE_CAPTION = """canvas => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, 20 * devicePixelRatio);
    const written = [...data.keys()].filter(at => at % 4 === 0 && data[at + 3] > 200).map(at => data[at]);
    return written.reduce((sum, value) => sum + value, 0) / written.length;
}"""
"""Of what is painted on the canvas, which has to be painted anew when the theme changes."""


@pytest.fixture
def notebook(visit: Visit) -> Iterator[str]:
    """A notebook that shows the explorer, compares it with the geometry, and sets it from Python."""
    with visit.lab.notebook_of("explorer-test", SHOW, COMPARE, SET) as name:
        yield name


def test_sliders_by_keyboard_python_and_both_themes(visit: Visit, notebook: str) -> None:
    output = visit.open_and_run_first(notebook)
    slider = output.locator(".imbalanceFactor input")
    expect(slider).to_be_visible(timeout=60_000)
    slider.focus()
    for _ in range(3):
        visit.page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "140")
    expect(slider).to_be_focused()  # JupyterLab did not take the keys to move between cells
    visit.page.wait_for_timeout(1000)  # the kernel hears of it a little later

    compared = visit.run_cell(1)
    factor, shown, solved, certified = compared.locator(".jp-OutputArea-output").inner_text().split()
    assert (factor, shown, certified) == ("140.0", solved, "True")

    visit.run_cell(2)
    expect(output.locator("section.loss select").nth(1)).to_have_value("bcl-class-anchors")
    expect(output.locator("section.loss b.deviation").nth(1)).to_have_text("0.000")
    expect(output.locator(".more summary")).to_have_text("More: 10 classes, full data")

    for theme, paper in ((LIGHT, style.LIGHT_PAGE), (DARK, style.DARK_PAGE)):
        visit.set_theme(theme)
        visit.scroll_to(output.locator(".controls"))
        colours = output.locator(".bcl-explorer").evaluate(
            "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
        )
        ink, found = ("#" + "".join(f"{int(v):02x}" for v in re.findall(r"\d+", c)[:3]) for c in colours)
        assert found == paper
        assert style.contrast(ink, found) > 10
        visit.page.wait_for_timeout(200)  # it is painted in the next frame
        grey = output.locator(".angles canvas").first.evaluate(MEAN_GREY_OF_THE_CAPTION)
        assert abs(int(found[1:3], 16) - grey) > 120
        keep_picture(visit.page, f"explorer-{theme.replace(' ', '-').lower()}.png")

    assert visit.cut_off() == []
    assert visit.errors_shown() == []
    assert visit.errors == []
    assert visit.foreign == []
