"""A page of the site in Chromium, opened from disk, as the tests of it need it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Request

from bcl_edu.course.outline import read_course
from tools.notebooks import NOTEBOOKS

NOTEBOOK_PAGES = ["00_start_here", *(lesson.name for lesson in read_course(NOTEBOOKS))]
PAGES = ["index", "glossary", *NOTEBOOK_PAGES]
WIDTHS = (1280, 768, 390)
WINDOW = {"width": 1280, "height": 800}
PATIENCE = 60_000
"""Milliseconds that anything on a page may take; a loaded machine is slow, not wrong."""


@contextmanager
def offline_page(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page that notes in `wrong` what goes wrong, and whatever it asks of others, which is cut off."""
    context = browser.new_context(**({"viewport": WINDOW, "offline": True} | options))
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.wrong = []  # type: ignore[attr-defined]

    def note(request: Request) -> None:
        if urlsplit(request.url).scheme not in ("file", "data", "blob"):
            page.wrong.append(request.url)  # type: ignore[attr-defined]

    page.on("request", note)
    page.on("pageerror", lambda error: page.wrong.append(str(error)))  # type: ignore[attr-defined]
    page.on(
        "console",
        lambda said: page.wrong.append(said.text) if said.type == "error" else None,  # type: ignore[attr-defined]
    )
    yield page
    context.close()
