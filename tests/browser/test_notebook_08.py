"""The notebook on how training gets there in JupyterLab: its sphere shows embeddings that move."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.jupyterlab import Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

NOTEBOOK = "08_how_training_gets_there"


def test_its_sphere_trains(visit: Visit) -> None:
    visit.read_through(NOTEBOOK)
    sphere = visit.run_widget(visit.page.locator(".bcl-sphere"), "import torch", "training_sphere()")
    expect(sphere.locator(".clock")).to_contain_text(re.compile("step [1-9]"))
    assert visit.cut_off() == []
    assert visit.overlaps() == []
    visit.all_is_well()
