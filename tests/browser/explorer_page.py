"""The explorer's page in Chromium, as the tests of it need it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

from bcl_edu.course.widgets.explorer import Settings

OWN = ("file:", "data:", "blob:")
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
SLIDERS = {"imbalance_factor": "imbalanceFactor", "temperature": "temperature", "num_classes": "numClasses"}


def in_browser(settings: Settings) -> dict[str, Any]:
    """Settings as the browser's code calls them."""
    return {
        "imbalanceFactor": settings.imbalance_factor,
        "temperature": settings.temperature,
        "numClasses": settings.num_classes,
        "losses": list(settings.losses),
        "batchSize": settings.batch_size,
    }


@dataclass
class ExplorerPage:
    """An open explorer, and what went wrong behind the scenes."""

    page: Page
    problems: list[str] = field(default_factory=list)

    def show(self, settings: Settings) -> dict[str, Any]:
        """Draw these settings; what is shown then."""
        return self.page.evaluate("s => { explorer.set(s); return explorer.state() }", in_browser(settings))

    def solve(self, cases: Sequence[Settings]) -> list[list[dict[str, Any]]]:
        """The optima of both losses for each of these settings, in this order, without drawing them."""
        return self.page.evaluate(
            """cases => cases.map(settings => settings.losses.map(loss => {
                const optimum = explorer.optima.solve(settings, loss);
                const { rms, smallest, largest } = optimum.deviation;
                return { ...optimum, gram: [...optimum.gram], vectors: [...optimum.vectors],
                    positions: [...optimum.positions],
                    deviation: { rms, smallest: smallest.value, largest: largest.value } };
            }))""",
            [in_browser(settings) for settings in cases],
        )

    def state(self) -> dict[str, Any]:
        """Settings and what is shown for them."""
        return self.page.evaluate("explorer.state()")

    def slider(self, name: str) -> Locator:
        """The slider of a setting of `Settings`."""
        return self.page.locator(f".control.{SLIDERS[name]} input")

    def open_more(self) -> None:
        """Show the settings that are needed less often."""
        self.page.locator(".more summary").click()

    def panel(self, index: int) -> Locator:
        """What belongs to one of the two losses."""
        return self.page.locator("section.loss").nth(index)


@contextmanager
def opened_explorer(browser: Browser, address: str, **context: Any) -> Iterator[ExplorerPage]:
    """An explorer opened from disk, without a network; afterwards nothing failed, was said or was fetched."""
    visit = browser.new_context(**({"viewport": {"width": 1280, "height": 900}, "offline": True} | context))
    visit.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    page = visit.new_page()
    explorer = ExplorerPage(page)
    page.on("pageerror", lambda error: explorer.problems.append(str(error)))
    page.on("console", lambda message: explorer.problems.append(message.text))
    page.on("request", lambda request: request.url.startswith(OWN) or explorer.problems.append(request.url))
    page.goto(address)
    yield explorer
    visit.close()
    assert explorer.problems == []
