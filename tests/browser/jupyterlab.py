"""What a reader does in JupyterLab, as functions: open a notebook, run it, look at it, change the theme."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, Request, expect

ROOT = Path(__file__).parents[2]
SCREENSHOTS = Path(__file__).parent / "screenshots"

SLOW_START = "[anywidget] Failed to initialize model."
"""What anywidget says if a widget needs more than two seconds to start, as on a busy machine. It then no longer hears
Python."""


@dataclass
class Lab:
    """A running server on a copy of the notebooks."""

    address: str
    token: str


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
        """Choose a theme in the Settings menu."""
        self.menu("Settings", "Theme", theme)
        expect(self.page.locator("body")).to_have_attribute("data-jp-theme-name", theme)

    def scroll_to(self, target: Locator) -> None:
        """Bring something into view."""
        target.scroll_into_view_if_needed()
        self.page.wait_for_timeout(300)

    # ---- seeing

    def prompts(self) -> list[str]:
        """What stands beside each code cell: [3]: if it ran, [*]: if it waits, [ ]: if nobody asked."""
        return self.page.locator(".jp-Notebook .jp-CodeCell .jp-InputPrompt").all_inner_texts()

    def errors_shown(self) -> list[str]:
        """Error outputs on the page."""
        return self.page.locator("[data-mime-type='application/vnd.jupyter.error']").all_inner_texts()

    def cut_off(self) -> list[str]:
        """Outputs wider than their place, by the beginning of their text."""
        return self.page.evaluate(
            """() => [...document.querySelectorAll('.jp-OutputArea-output')]
                .filter(e => e.scrollWidth > e.clientWidth + 2)
                .map(e => `${e.scrollWidth} > ${e.clientWidth}: ${e.innerText.slice(0, 80)}`)"""
        )

    def photograph(self, name: str) -> int:
        """Page through the notebook, one picture a screen; returns how many."""
        panel = self.page.locator(".jp-WindowedPanel-outer").first
        height, total = panel.evaluate("e => [e.clientHeight, e.scrollHeight]")
        pages = 0
        for top in range(0, total, height - 60):
            panel.evaluate("(e, top) => e.scrollTo(0, top)", top)
            self.page.wait_for_timeout(400)  # WebGL draws a little later
            pages += 1
            self.page.screenshot(path=SCREENSHOTS / f"{name}-{pages:02}.png")
        return pages
