"""The training sphere in JupyterLab: keys reach its controls, Python sees what is shown, both themes are readable."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from bcl_edu.course.figures import style
from tests.browser.jupyterlab import DARK, LIGHT, Visit, keep_picture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

SHOW = """\
from bcl_edu.course import widgets
from bcl_edu.geometry import certified_optimum, cosine_matrix

sphere = widgets.training_sphere(opening=False, num_classes=3)
sphere
"""
COMPARE = """\
left = sphere.state["sides"][0]
solved = certified_optimum(sphere.settings.compositions, left["loss"], temperature=sphere.temperature)
shown, expected = left["target"]["cosines"][1][2], solved.gram[1, 2].item()
print(sphere.imbalance_factor, left["loss"], abs(shown - expected) < 1e-3, len(left["points"]))
"""
SET = "sphere.losses, sphere.batch_size = ['ce', 'bcl'], 8"


@pytest.fixture
def notebook(visit: Visit) -> Iterator[str]:
    """A notebook that shows the sphere, compares it with the geometry, and sets it from Python."""
    with visit.lab.notebook_of("sphere-test", SHOW, COMPARE, SET) as name:
        yield name


def test_controls_by_keyboard_python_and_both_themes(visit: Visit, notebook: str) -> None:
    output = visit.open_and_run_first(notebook)
    slider = output.locator(".imbalance input")
    expect(slider).to_be_visible(timeout=60_000)
    slider.focus()
    for _ in range(3):
        visit.page.keyboard.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", "71")
    expect(slider).to_be_focused()  # JupyterLab did not take the keys to move between cells
    expect(output.locator(".clock")).to_contain_text("at rest", timeout=120_000)
    visit.page.wait_for_timeout(2500)  # the kernel hears of it a little later

    compared = visit.run_cell(1)
    factor, loss, same, points = compared.locator(".jp-OutputArea-output").inner_text().split()
    assert (factor, loss, same) == ("71.0", "scl", "True")
    assert int(points) == 100 + 12 + 1

    visit.run_cell(2)
    expect(output.locator("section.side select").nth(0)).to_have_value("ce")
    expect(output.locator("section.side select").nth(1)).to_have_value("bcl")
    expect(output.locator(".missing")).to_contain_text("the last batch")

    for theme, paper in ((LIGHT, style.LIGHT_PAGE), (DARK, style.DARK_PAGE)):
        visit.set_theme(theme)
        visit.scroll_to(output.locator(".top"))
        colours = output.locator(".bcl-sphere").evaluate(
            "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
        )
        ink, found = ("#" + "".join(f"{int(v):02x}" for v in re.findall(r"\d+", c)[:3]) for c in colours)
        assert found == paper
        assert style.contrast(ink, found) > 10
        numbers = output.locator(".numbers").first.bounding_box()
        assert numbers
        assert numbers["height"] < 40  # in one line
        keep_picture(visit.page, f"sphere-{theme.replace(' ', '-').lower()}.png")

    assert visit.cut_off() == []
    assert visit.errors_shown() == []
    assert visit.errors == []
    assert visit.foreign == []
