"""The notebook on the compared methods in JupyterLab: methods are chosen, and a new combination trains."""

import pytest
from playwright.sync_api import expect

from tests.browser.jupyterlab import ROOT, Visit, keep_picture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

NOTEBOOK = "14_what_each_method_changes"
SOLUTION = (ROOT / "notebooks" / "solutions" / "margin_loss.py").read_text("utf-8").split('"""\n', 1)[1]


def test_methods_are_chosen_and_a_combination_is_trained(visit: Visit) -> None:
    visit.read_through(NOTEBOOK)
    cells = visit.page.locator(".jp-Notebook .jp-CodeCell")
    output = cells.filter(has_text="method_chooser(").last.locator(".jp-OutputArea")
    visit.run_widget(
        output.locator("select").first, "import torch", "runs = read_method_runs(", "method_chooser("
    )
    expect(output.get_by_role("status")).to_contain_text("bcl minus ldam-drw: -0.8")
    first, _, third = output.locator("select").all()
    first.select_option("proco")
    third.select_option("(none)")
    expect(output.get_by_role("status")).to_contain_text("proco minus bcl")
    expect(output.locator(".legendtext")).to_have_text(["proco", "bcl"])
    keep_picture(visit.page, f"{NOTEBOOK}-chosen.png")

    exercise = cells.filter(has_text="def margin_loss")
    written = f'{SOLUTION}\n\ncheck("margin_loss", margin_loss)'
    expect(visit.run_instead(exercise, written)).to_contain_text("margin_loss: passed")
    training = cells.filter(has_text="train_quietly(")
    visit.run_cells_with("class MarginsOnBCL", "train_quietly(")
    expect(training.locator(".jp-OutputArea")).to_contain_text("bcl-margins", timeout=120_000)
    visit.all_is_well()
