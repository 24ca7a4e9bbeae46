"""The explorer in JupyterLab: keys reach the sliders, Python sees what is shown, both themes are readable."""

import json
import re
import urllib.request
from collections.abc import Iterator

import nbformat
import pytest
from playwright.sync_api import Locator, expect

from bcl_edu.course.figures import style
from tests.browser.jupyterlab import Visit, keep_picture

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


@pytest.fixture
def notebook(visit: Visit) -> Iterator[str]:
    """A notebook that shows the explorer, compares it with the geometry, and sets it from Python."""
    cells = [nbformat.v4.new_code_cell(source) for source in (SHOW, COMPARE, SET)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    address = f"{visit.lab.address}/api/contents/notebooks/explorer-test.ipynb"
    headers = {"Authorization": f"token {visit.lab.token}", "Content-Type": "application/json"}
    body = json.dumps({"type": "notebook", "format": "json", "content": content}).encode()
    urllib.request.urlopen(urllib.request.Request(address, body, headers, method="PUT"), timeout=30).close()
    yield "explorer-test"
    urllib.request.urlopen(
        urllib.request.Request(address, None, headers, method="DELETE"), timeout=30
    ).close()


def run_cell(visit: Visit, position: int) -> Locator:
    """Run a cell and wait until it has run; the cell."""
    cell = visit.page.locator(".jp-Notebook .jp-CodeCell").nth(position)
    cell.locator(".cm-content").click()
    visit.page.keyboard.press("Shift+Enter")
    expect(cell.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"), timeout=120_000)
    return cell


def test_sliders_by_keyboard_python_and_both_themes(visit: Visit, notebook: str) -> None:
    visit.page.goto(f"{visit.lab.address}/lab?token={visit.lab.token}")
    expect(visit.page.locator("#jp-main-dock-panel")).to_be_visible(
        timeout=120_000
    )  # the first load takes longest
    visit.open(notebook)
    output = run_cell(visit, 0)
    slider = output.locator(".imbalanceFactor input")
    expect(slider).to_be_visible(timeout=60_000)
    slider.focus()
    for _ in range(3):
        visit.page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "140")
    expect(slider).to_be_focused()  # JupyterLab did not take the keys to move between cells
    visit.page.wait_for_timeout(1000)  # the kernel hears of it a little later

    compared = run_cell(visit, 1)
    factor, shown, solved, certified = compared.locator(".jp-OutputArea-output").inner_text().split()
    assert (factor, shown, certified) == ("140.0", solved, "True")

    run_cell(visit, 2)
    expect(output.locator("section.loss select").nth(1)).to_have_value("bcl-class-anchors")
    expect(output.locator("section.loss b.deviation").nth(1)).to_have_text("0.000")
    expect(output.locator(".more summary")).to_have_text("More: 10 classes, full data")

    for theme, paper in (("JupyterLab Light", style.LIGHT_PAGE), ("JupyterLab Dark", style.DARK_PAGE)):
        visit.set_theme(theme)
        visit.scroll_to(output.locator(".controls"))
        colours = output.locator(".bcl-explorer").evaluate(
            "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
        )
        ink, found = ("#" + "".join(f"{int(v):02x}" for v in re.findall(r"\d+", c)[:3]) for c in colours)
        assert found == paper
        assert style.contrast(ink, found) > 10
        keep_picture(visit.page, f"explorer-{theme.replace(' ', '-').lower()}.png")
    visit.set_theme("JupyterLab Light")

    assert visit.cut_off() == []
    assert visit.errors_shown() == []
    assert visit.errors == []
    assert visit.foreign == []
