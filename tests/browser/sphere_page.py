"""The training sphere's page in Chromium, as the tests of it need it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from playwright.sync_api import Browser, Locator, Page
from torch import Tensor

from bcl_edu.course.widgets.sphere import TrainingSettings

PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}


@dataclass
class SpherePage:
    """An open sphere, and what went wrong behind the scenes."""

    page: Page
    problems: list[str] = field(default_factory=list)

    def state(self) -> dict[str, Any]:
        """Settings and what is shown for them."""
        return self.page.evaluate("sphere.state()")

    @property
    def settings(self) -> TrainingSettings:
        """The present settings."""
        shown = self.state()["settings"]
        names = {
            key: name for name, key in zip(TrainingSettings.__dataclass_fields__, _IN_BROWSER, strict=True)
        }
        return TrainingSettings(**{names[key]: value for key, value in shown.items()})

    def set(self, **changes: Any) -> None:
        """Change settings, named as in the browser."""
        self.page.evaluate("changes => sphere.set(changes)", changes)

    def train(self, steps: int) -> dict[str, Any]:
        """Take so many steps, draw, and say what is shown then."""
        return self.page.evaluate(
            "steps => { for (let i = 0; i < steps; i++) sphere.train(); sphere.drawAll(); return sphere.state() }",
            steps,
        )

    def slider(self, setting: str) -> Locator:
        """The slider of a setting, named as in the browser."""
        if setting == "imbalanceFactor":
            return self.page.locator(".imbalance input")
        return self.page.locator(f".control.{setting} input")

    def menu(self, setting: str) -> Locator:
        """The menu of a setting, named as in the browser."""
        return self.page.locator(f".control.{setting} select")

    def side(self, index: int) -> Locator:
        """What belongs to one of the two losses."""
        return self.page.locator("section.side").nth(index)

    def picture(self, index: int) -> Locator:
        """The canvas of one of the two spheres."""
        return self.side(index).locator("canvas:not(.backdrop)")

    def button(self, name: str) -> Locator:
        """One of play, step, restart."""
        return self.page.locator(f"button.{name}")

    def open_more(self) -> None:
        """Open the settings that are folded away."""
        if not self.page.evaluate("document.querySelector('details.more').open"):
            self.page.locator("details.more > summary").click()


_IN_BROWSER = list(TrainingSettings().in_browser())


@contextmanager
def opened_sphere(browser: Browser, address: str, **context: Any) -> Iterator[SpherePage]:
    """A sphere opened from disk, without a network; afterwards nothing failed, was said or was fetched."""
    visit = browser.new_context(**({"viewport": {"width": 1280, "height": 900}, "offline": True} | context))
    page = visit.new_page()
    sphere = SpherePage(page)
    page.on("pageerror", lambda error: sphere.problems.append(str(error)))
    page.on("console", lambda message: sphere.problems.append(message.text))
    page.on("request", lambda request: request.url == address or sphere.problems.append(request.url))
    page.goto(address)
    yield sphere
    visit.close()
    assert sphere.problems == []


def embeddings_and_labels(state: dict[str, Any], side: int) -> tuple[Tensor, Tensor]:
    """The points of one side and their classes."""
    labels = torch.repeat_interleave(
        torch.arange(len(state["classCounts"])), torch.tensor(state["classCounts"])
    )
    return torch.tensor(state["sides"][side]["points"], dtype=torch.float64), labels
