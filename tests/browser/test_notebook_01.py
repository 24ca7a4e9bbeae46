"""The first notebook in JupyterLab, run and used as a learner does."""

import pytest
import torch
from playwright.sync_api import expect

from bcl_edu.data import exponential_profile, open_dataset
from bcl_edu.geometry import cosine_matrix
from tests.browser.jupyterlab import Visit, keep_picture
from tests.browser.pictures import (
    drag_slider,
    drawn_in_space,
    film_to,
    play,
    wait_until_angles,
    wait_until_bars,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

NOTEBOOK = "01_first_look"
WATCH = """
window.titlesSeen = [];
new MutationObserver(() => {
    for (const title of document.querySelectorAll(".gtitle")) {
        const epoch = title.textContent.match(/epoch (\\d+) of/);
        if (epoch && titlesSeen.at(-1) !== Number(epoch[1])) titlesSeen.push(Number(epoch[1]));
    }
}).observe(document, {subtree: true, childList: true, characterData: true});
"""
"""Notes every epoch that a live figure shows, however short: to look now and then would miss some."""


THREE_EPOCHS_IN_A_ROW = (
    "titlesSeen.some((epoch, i, all) => i >= 2 && all[i - 2] < all[i - 1] && all[i - 1] < epoch)"
)


HEAD = int(open_dataset("digits").train.class_counts.min())
"""Images of the largest class that the slider leaves of the digits."""

MEANS = -1
"""The last trace of `figures.class_mean_film` is that of the class means."""

FRAME = """(film, label) => {
    const { x, y, z } = film._transitionData._frameHash[label.split(" ").at(-1)].data.at(-1);
    return [...x].map((_, k) => [x[k], y[k], z[k]]);
}"""
"""The class means of the frame that a film says it shows."""


def the_slider_cuts_the_tail_by_mouse_and_by_keyboard(visit: Visit) -> None:
    output = visit.page.locator(".jp-Notebook .jp-CodeCell").nth(1)
    slider, readout = output.locator(".widget-hslider"), output.locator(".widget-readout")
    bars = output.locator(".js-plotly-plot").first
    expect(slider.locator(".noUi-handle")).to_be_visible()

    def bars_follow() -> None:
        factor = float(readout.inner_text())
        wait_until_bars(bars, exponential_profile(HEAD, 10, factor).tolist())
        smallest = exponential_profile(HEAD, 10, factor)[-1].item()
        expect(output.locator(".gtitle").first).to_contain_text(f"({HEAD / smallest:.3g} : 1)")

    expect(readout).to_have_text("10.0")
    bars_follow()
    visit.scroll_to(bars)
    keep_picture(visit.page, f"{NOTEBOOK}-slider.png")

    visit.scroll_to(slider)
    drag_slider(visit, slider, 0.0)  # all the way to the left
    expect(readout).to_have_text("1.00")
    bars_follow()
    slider.locator(".noUi-handle").focus()
    for factor in ("1.12", "1.26", "1.41"):
        visit.page.keyboard.press("ArrowRight")
        expect(readout).to_have_text(factor)
        bars_follow()
    drag_slider(visit, slider, 0.8)
    expect(readout).not_to_have_text("1.41")
    assert float(readout.inner_text()) > 30
    bars_follow()


def test_all_cells_run_class_means_move_while_they_do_and_in_a_film_and_a_slider_cuts_the_tail(
    visit: Visit,
) -> None:
    visit.page.add_init_script(WATCH)
    visit.run_through(NOTEBOOK)
    assert visit.page.locator(".Toastify__toast").count() == 0  # no news, no questions: only the notebook
    assert visit.page.evaluate(THREE_EPOCHS_IN_A_ROW)

    film = visit.page.locator(".js-plotly-plot").filter(has=visit.page.locator(".slider-group"))
    in_the_end = drawn_in_space(film, MEANS)
    for move in (play, lambda visit, film: film_to(visit, film, 0.0)):
        shown = move(visit, film)
        assert shown.startswith("epoch ")
        frame = torch.tensor(film.evaluate(FRAME, shown), dtype=torch.float64)
        wait_until_angles(film, MEANS, cosine_matrix(frame))
    assert (drawn_in_space(film, MEANS) - in_the_end).abs().max() > 0.1
    the_slider_cuts_the_tail_by_mouse_and_by_keyboard(visit)
    visit.all_is_well()
