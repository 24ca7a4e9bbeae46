"""The notebook on long tails in JupyterLab: mouse and keyboard choose the data set and move the slider, bars follow."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Locator, expect

from bcl_edu.data import exponential_profile, open_dataset
from bcl_edu.data.fashion_mnist import FASHION_MNIST_FILES
from tests.browser.jupyterlab import DATASETS, Lab, Visit, keep_picture
from tests.browser.pictures import drag_slider, wait_until_bars
from tests.data.test_fashion_mnist import idx

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

NOTEBOOK = "02_long_tails"
CLOTHES, DIGITS = "fashion-mnist", "digits"
HEAD = {CLOTHES: 100, DIGITS: int(open_dataset("digits").train.class_counts.min())}
"""Images of the largest class that are left of each data set."""


@pytest.fixture(autouse=True)
def _clothes(lab: Lab) -> Iterator[None]:
    """A second data set for the notebook to find, in Fashion-MNIST's format: noise, 100 images of each class."""
    random = np.random.RandomState(0)
    arrays = {
        "train-images": random.randint(0, 256, (10 * HEAD[CLOTHES], 28, 28)),
        "train-labels": np.arange(10 * HEAD[CLOTHES]) % 10,
        "test-images": random.randint(0, 256, (10, 28, 28)),
        "test-labels": np.arange(10),
    }
    folder = lab.home / DATASETS / CLOTHES
    folder.mkdir(parents=True)
    files = {
        role: folder / official.file_name.removesuffix(".gz")
        for role, official in FASHION_MNIST_FILES.items()
    }
    for role, array in arrays.items():
        files[role].write_bytes(idx(array))
    yield
    for file in files.values():
        file.unlink()
    folder.rmdir()


class Explorer:
    """The notebook's long-tail explorer on the page."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        cell = visit.page.locator(".jp-Notebook .jp-CodeCell").filter(has_text="long_tail_explorer(")
        self.output = cell.locator(".jp-OutputArea")
        self.slider = self.output.locator(".widget-hslider")
        self.readout = self.output.locator(".widget-readout")
        self.bars = self.output.locator(".js-plotly-plot").first

    def button(self, name: str) -> Locator:
        """What chooses a data set."""
        return self.output.get_by_role("button", name=name, exact=True)

    def bars_are(self, name: str) -> float:
        """Wait until the bars are those of a data set at the slider's factor; the factor."""
        expect(self.button(name)).to_have_class(re.compile("mod-active"))
        factor = float(self.readout.inner_text())
        wait_until_bars(self.bars, exponential_profile(HEAD[name], 10, factor).tolist())
        return factor

    def press(self, key: str, name: str) -> float:
        """Move the slider by a key and wait for the bars of this data set; the new factor."""
        before = self.readout.inner_text()
        self.slider.locator(".noUi-handle").focus()
        self.visit.page.keyboard.press(key)
        expect(self.readout).not_to_have_text(before)
        return self.bars_are(name)

    def drag(self, share: float, name: str) -> float:
        """Drag the slider and wait for the bars of this data set; the new factor."""
        before = self.readout.inner_text()
        self.visit.scroll_to(self.slider)
        drag_slider(self.visit, self.slider, share)
        expect(self.readout).not_to_have_text(before)
        return self.bars_are(name)


def test_a_data_set_is_chosen_and_cut_by_mouse_and_by_keyboard(visit: Visit) -> None:
    visit.read_through(NOTEBOOK)
    explorer = Explorer(visit)
    visit.run_widget(explorer.slider, "from bcl_edu", "def found(", "long_tail_explorer(")
    assert explorer.bars_are(CLOTHES) == 10  # as the notebook asks for
    assert 20 < explorer.drag(0.75, CLOTHES) < 50
    factor = explorer.press("ArrowLeft", CLOTHES)

    for chosen in (DIGITS, CLOTHES, DIGITS):
        explorer.button(chosen).click()
        assert explorer.bars_are(chosen) == factor  # another data set keeps it where it is
        moved = explorer.press("ArrowRight", chosen)
        assert moved > factor
        factor = moved
    expect(explorer.output.locator(".js-plotly-plot")).to_have_count(2)  # the figures before are gone
    assert explorer.drag(1.0, DIGITS) == 100
    keep_picture(visit.page, f"{NOTEBOOK}-explorer.png")

    # by keyboard: from the slider back over the two buttons
    explorer.slider.locator(".noUi-handle").focus()
    for name in (DIGITS, CLOTHES):
        visit.page.keyboard.press("Shift+Tab")
        expect(explorer.button(name)).to_be_focused()
    visit.page.keyboard.press("Enter")
    explorer.bars_are(CLOTHES)
    visit.page.keyboard.press("Tab")
    expect(explorer.button(DIGITS)).to_be_focused()
    visit.page.keyboard.press("Space")
    explorer.bars_are(DIGITS)
    visit.all_is_well()
