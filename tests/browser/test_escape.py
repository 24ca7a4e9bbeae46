"""A stranger's strings in a browser, in each form: shown as text, and nothing of them runs."""

import base64
from pathlib import Path

import plotly.graph_objects as go
import pytest
import torch
from playwright.sync_api import Browser, expect

from bcl_edu.course import figures
from bcl_edu.data import shot_groups
from bcl_edu.escape import json_in_html
from bcl_edu.report import as_html_page, as_markdown, build_report
from tests.browser.conftest import VIEWPORT
from tests.report.conftest import StoreRun
from tests.report.conftest import store_run as store_run  # a fixture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

MARK = "document.title='ran'"
HOSTILE = f'<img src=x onerror="{MARK}"><!--<script>{MARK}</script>|[a](javascript:{MARK})'


def shown(browser: Browser, html: str, text: str) -> None:
    """Open a page, wait until it shows this text, and find that nothing of it ran."""
    page = browser.new_page(viewport=VIEWPORT)
    try:
        page.set_content(f"<!doctype html><title>quiet</title>{html}<p id=end>the end</p>")
        expect(page.get_by_text("the end")).to_be_visible()
        expect(page.locator("body")).to_contain_text(text)
        page.wait_for_timeout(500)  # an error of an image comes later
        assert page.title() == "quiet"
        assert page.locator("img[src=x], a[href^=javascript]").count() == 0
    finally:
        page.close()


def hostile_report(store_run: StoreRun, folder: Path) -> object:
    store_run("run", "cifar100-lt", 50.0, views=HOSTILE)
    return build_report([folder])


def test_a_report_in_markdown(browser: Browser, store_run: StoreRun, tmp_path: Path) -> None:
    mistune = pytest.importorskip("mistune")  # what nbconvert renders notebooks with
    written = as_markdown(hostile_report(store_run, tmp_path))  # type: ignore[arg-type]
    assert MARK in written
    render = mistune.create_markdown(escape=False, plugins=["table", "url", "strikethrough"])
    shown(browser, str(render(written)), MARK)


def test_a_report_in_html(browser: Browser, store_run: StoreRun, tmp_path: Path) -> None:
    page = as_html_page(hostile_report(store_run, tmp_path))  # type: ignore[arg-type]
    shown(browser, page.partition("<body>")[2].partition("</body>")[0], MARK)


def test_class_names_in_a_plotly_figure(browser: Browser) -> None:
    counts = torch.tensor([300, 50, 5])
    figure: go.Figure = figures.class_counts_bars(counts, shot_groups(counts), [HOSTILE, "bee", "cat"])
    shown(browser, figure.to_html(include_plotlyjs=True, full_html=False), "img src=x")


def test_json_in_a_script_element(browser: Browser) -> None:
    text = base64.b64encode(HOSTILE.encode()).decode()
    shown(
        browser,
        f"<script id=data type='application/json'>{json_in_html(HOSTILE)}</script><p id=there></p><script>"
        "const text = JSON.parse(document.getElementById('data').textContent);"
        f"document.getElementById('there').textContent = text === atob('{text}') ? 'the same' : text</script>",
        "the same",
    )
