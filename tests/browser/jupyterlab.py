"""What a reader does in JupyterLab, as functions: open a notebook, run it, look at it, change the theme."""

import json
import os
import re
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
from playwright.sync_api import Locator, Page, Request, expect

from bcl_edu.course.outline import number_of
from tools.notebooks import PLOTLY

ROOT = Path(__file__).parents[2]
SCREENSHOTS = Path(__file__).parent / "screenshots"

PANEL = ".jp-WindowedPanel-outer"
"""What scrolls when a notebook does."""

PICTURES = bool(os.environ.get("PICTURES"))
"""Whether pages are photographed for people to look at (`make pictures`); what a test demands of a page it asks the
page itself, so without them it demands the same."""

SLOW_START = "[anywidget] Failed to initialize model."
"""What anywidget says of a widget that needs more than two seconds to start, as on a busy machine. Ours hear Python
all the same (`SlowStartWidget`, and a test of each), and nothing of ours can keep anywidget from saying it."""


NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


def own_test(notebook: str) -> Path:
    """Where the films and widgets of a notebook are used, if it has any."""
    return Path(__file__).parent / f"test_notebook_{number_of(notebook)}.py"


SECONDS_TO_RUN = 500
"""How long a notebook may take on the clock of a machine that does other things, too. What it computes is held to the
minutes that it states by `tools.stated_minutes`."""

LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"

THEME_SETTINGS = "lab/api/settings/@jupyterlab/apputils-extension:themes"

DATASETS = "datasets"
"""The folder of a `Lab` in which data sets are looked for."""

OVERLAPS = """() => {
    const found = [];
    const name = e => `${e.getAttribute('class') || e.tagName}: ${(e.textContent || '').trim().slice(0, 50)}`;
    const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 3
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3;
    for (const figure of document.querySelectorAll('.jp-OutputArea .js-plotly-plot')) {
        const page = figure.getBoundingClientRect();
        const parts = [...figure.querySelectorAll(
            '.gtitle, .legend, .g-xtitle text, .g-ytitle text, .slider-group, .updatemenu-button, .cbtitle text')]
            .map(e => [e, e.getBoundingClientRect()]).filter(([, box]) => box.width);
        for (const [e, box] of parts) {
            const inside = box.left > page.left - 3 && box.right < page.right + 3
                && box.top > page.top - 3 && box.bottom < page.bottom + 3;
            if (!inside) found.push(`sticks out, ${name(e)}`);
        }
        parts.forEach(([e, box], i) => parts.slice(i + 1).forEach(([other, its]) => {
            const apart = e.contains(other) || other.contains(e) || !meet(box, its);
            if (!apart) found.push(`${name(e)} lies on ${name(other)}`);
        }));
    }
    const cells = [...document.querySelectorAll('.jp-Notebook .jp-Cell')].map(e => [e, e.getBoundingClientRect()]);
    cells.slice(1).forEach(([e, box], i) => {
        if (meet(cells[i][1], box)) found.push(`cell lies on cell, ${name(e)}`);
    });
    return found;
}"""

STILLS_SHOWN = """() => [...document.querySelectorAll(".jp-RenderedPlotly > .plot-img")]
    .every(picture => picture.naturalWidth)"""
"""Whether the pictures that are stored with figures have come."""

ALL_DRAWN = """() => [...document.querySelectorAll(
    ".jp-OutputArea .jp-RenderedPlotly, .jp-OutputArea .live-figure"
)].every(figure => figure.querySelector(".gtitle"))"""
"""Whether every figure, of plotly's renderer or live, has its title: one that came up empty has only bare axes."""


def keep_picture(of: Page | Locator, name: str, **options: Any) -> None:
    """Keep a picture of a page or a part of it in `screenshots/`, if pictures are wanted."""
    if PICTURES:
        SCREENSHOTS.mkdir(exist_ok=True)
        of.screenshot(path=SCREENSHOTS / name, **options)


@dataclass
class Lab:
    """A running server on a copy of the notebooks, which keeps all that it has in one folder."""

    address: str
    token: str
    home: Path
    theme: str = LIGHT

    def use_light_theme(self) -> None:
        """Let the next page begin in the light theme, as for a new reader: the server keeps the last choice."""
        if self.theme != LIGHT:
            self._send("PUT", THEME_SETTINGS, {"raw": json.dumps({"theme": LIGHT})})
            self.theme = LIGHT

    @contextmanager
    def notebook_of(self, name: str, *cells: str) -> Iterator[str]:
        """Within, there is a notebook of this name with these cells."""
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        content = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells], metadata={"kernelspec": kernel}
        )
        place = f"api/contents/notebooks/{name}.ipynb"
        self._send("PUT", place, {"type": "notebook", "format": "json", "content": content})
        yield name
        self._send("DELETE", place)

    def _send(self, method: str, place: str, content: object = None) -> None:
        request = urllib.request.Request(
            f"{self.address}/{place}",
            None if content is None else json.dumps(content).encode(),
            {"Authorization": f"token {self.token}", "Content-Type": "application/json"},
            method=method,
        )
        urllib.request.urlopen(request, timeout=30).close()


@dataclass
class Visit:
    """A page, and what happened on it behind the scenes."""

    page: Page
    lab: Lab
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def watch_request(self, request: Request) -> None:
        """Note a request that leaves this machine."""
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname != "127.0.0.1":
            self.foreign.append(request.url)

    # ---- doing

    def open(self, notebook: str) -> None:
        """Open a notebook and wait until its kernel is ready."""
        self.page.goto(f"{self.lab.address}/lab/tree/notebooks/{notebook}.ipynb?token={self.lab.token}&reset")
        expect(self.page.locator(".jp-Notebook .jp-CodeCell").first).to_be_visible()
        expect(self.page.locator("#jp-main-statusbar")).to_contain_text("Python 3 (ipykernel) | Idle")
        self.hide_file_browser()

    def hide_file_browser(self) -> None:
        """Give the notebook the width of the window."""
        if self.page.locator("#jp-left-stack").is_visible():
            self.page.keyboard.press("Control+b")
            expect(self.page.locator("#jp-left-stack")).to_be_hidden()

    def menu(self, *entries: str) -> None:
        """Choose from the menu bar, entry by entry."""
        self.page.locator(".lm-MenuBar-itemLabel", has_text=entries[0]).first.click()
        for entry in entries[1:]:
            self.page.locator(".lm-Menu-itemLabel").get_by_text(entry, exact=True).click()

    def run_all(self) -> None:
        """Start all cells, without waiting for them."""
        self.menu("Run", "Run All Cells")

    def open_and_run_first(self, notebook: str) -> Locator:
        """Open a notebook in a JupyterLab that may have to load first, and run its first cell; the cell."""
        self.page.goto(f"{self.lab.address}/lab?token={self.lab.token}")
        expect(self.page.locator("#jp-main-dock-panel")).to_be_visible(timeout=120_000)
        self.open(notebook)
        return self.run_cell(0)

    def run_cell(self, position: int) -> Locator:
        """Run a cell and wait until it has run; the cell."""
        cell = self.page.locator(".jp-Notebook .jp-CodeCell").nth(position)
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        expect(cell.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"), timeout=120_000)
        return cell

    def run_instead(self, cell: Locator, source: str) -> Locator:
        """Replace what a cell says, run it, and return its output."""
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(source)
        self.page.keyboard.press("Control+Enter")
        return cell.locator(".jp-OutputArea")

    def restart_kernel(self) -> None:
        """Restart the kernel; outputs stay."""
        self.menu("Kernel", "Restart Kernel…")
        self.page.locator(".jp-Dialog").get_by_role("button", name="Confirm Kernel Restart").click()
        expect(self.page.locator("#jp-main-statusbar")).to_contain_text("Python 3 (ipykernel) | Idle")

    def wait_until_done(self, seconds: float) -> None:
        """Wait until no cell is running or waiting, and every cell was run."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            prompts = self.prompts()
            if self.errors_shown():
                return
            if all(prompt.strip("[]:").isdigit() for prompt in prompts):
                return
            self.page.wait_for_timeout(500)
        raise TimeoutError(f"after {seconds:.0f} s the cells stand at {self.prompts()}")

    def set_theme(self, theme: str) -> None:
        """Choose a theme in the Settings menu, if it is not the page's already."""
        body = self.page.locator("body")
        if body.get_attribute("data-jp-theme-name") == theme:
            return
        self.lab.theme = theme
        self.menu("Settings", "Theme", theme)
        expect(body).to_have_attribute("data-jp-theme-name", theme)

    def scroll_to(self, target: Locator) -> None:
        """Bring something into view."""
        target.scroll_into_view_if_needed()
        self.page.wait_for_timeout(300)

    # ---- seeing

    def prompts(self) -> list[str]:
        """What stands beside each code cell: [3]: if it ran, [*]: if it waits, [ ]: if nobody asked."""
        return self.page.locator(".jp-Notebook .jp-CodeCell .jp-InputPrompt").all_inner_texts()

    def errors_shown(self) -> list[str]:
        """Errors and warnings in the outputs: JupyterLab shows both as red text."""
        return self.page.locator("[data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts()

    def cut_off(self) -> list[str]:
        """Outputs wider than their place, by the beginning of their text."""
        return self.page.evaluate(
            """() => [...document.querySelectorAll('.jp-OutputArea-output')]
                .filter(e => e.scrollWidth > e.clientWidth + 2)
                .map(e => `${e.scrollWidth} > ${e.clientWidth}: ${e.innerText.slice(0, 80)}`)"""
        )

    def overlaps(self) -> list[str]:
        """Parts of a figure that lie on each other or stick out of it, and cells that lie on each other."""
        return self.page.evaluate(OVERLAPS)

    def read_through(self, notebook: str) -> None:
        """Open a notebook and see it in both themes as it is stored; nothing may be wrong with it.

        This is what a reader sees first: no cell has run, JupyterLab does not trust the outputs, and a figure is the
        picture that is stored with it until the mouse comes to it.
        """
        self.open(notebook)
        figures = self.page.locator(".jp-OutputArea .jp-RenderedPlotly")
        expect(figures).to_have_count(stored_figures(notebook))
        self.page.wait_for_function(STILLS_SHOWN)
        for figure in figures.all():
            figure.locator(".plot-img").dispatch_event("mouseenter")
        self._see_it_whole(notebook)

    def run_through(self, notebook: str) -> None:
        """Open a notebook, run it whole, see it in both themes; nothing may be wrong with it."""
        self.open(notebook)
        self.run_all()
        self.wait_until_done(SECONDS_TO_RUN)
        self._see_it_whole(notebook)

    def run_cells_with(self, *codes: str) -> None:
        """Start, for each of these, the first code cell that has it in it; nobody waits for them."""
        for code in codes:
            cell = self.page.locator(".jp-Notebook .jp-CodeCell").filter(has_text=code).first
            cell.locator(".cm-content").click()
            self.page.keyboard.press("Control+Enter")

    def run_widget(self, widget: Locator, *codes: str) -> Locator:
        """Run these cells, wait until the widget that the last of them shows is there, and scroll to it; the widget."""
        self.run_cells_with(*codes)
        expect(widget).to_be_visible(timeout=120_000)
        self.scroll_to(widget)
        return widget

    def _see_it_whole(self, notebook: str) -> None:
        assert self.errors_shown() == []
        self.page.wait_for_function(ALL_DRAWN)
        assert self.cut_off() == []
        assert self.overlaps() == []
        self.page_through(notebook)
        self.all_is_well()

    def page_through(self, name: str) -> None:
        """Show what is open in both themes, at least three screens; a picture of each if pictures are wanted.

        The page stays dark: drawing all its figures once more would show nothing new.
        """
        for theme in (LIGHT, DARK):
            self.set_theme(theme)
            assert self.cut_off() == []
            assert len(self._screens()) >= 3
            if PICTURES:
                self._photograph(f"{name}-{theme.split()[-1].lower()}")

    def all_is_well(self) -> None:
        """No error on the page or behind it, and no word to the outside."""
        assert self.errors_shown() == []
        assert [error for error in self.errors if error != SLOW_START] == []
        assert self.foreign == []

    def _screens(self) -> range:
        """Where each screen of the notebook begins, in pixels from its top."""
        height, total = self.page.locator(PANEL).first.evaluate("e => [e.clientHeight, e.scrollHeight]")
        return range(0, total, height - 60)

    def _photograph(self, name: str) -> None:
        panel = self.page.locator(PANEL).first
        for number, top in enumerate(self._screens(), 1):
            panel.evaluate("(e, top) => e.scrollTo(0, top)", top)
            self.page.wait_for_timeout(400)  # WebGL draws a little later
            self.page.screenshot(path=SCREENSHOTS / f"{name}-{number:02}.png")


def stored_figures(notebook: str) -> int:
    """How many of the outputs that a notebook stores are figures of plotly."""
    stored = nbformat.read(ROOT / "notebooks" / f"{notebook}.ipynb", as_version=4)
    outputs = [output for cell in stored.cells for output in cell.get("outputs", ())]
    return sum(PLOTLY in output.get("data", {}) for output in outputs)
