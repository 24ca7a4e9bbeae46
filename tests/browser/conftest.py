"""JupyterLab as `make lab` starts it, and a headless Chromium that looks at it.

The page of every failure is kept in `screenshots/` (ignored by git); with PICTURES set (`make pictures`) also the pages
of every notebook, of the site and of the widgets, in both themes. Without Chromium the tests are skipped, unless
REQUIRE_BROWSER is set, as it is in CI.
"""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.browser.jupyterlab import DATASETS, ROOT, SCREENSHOTS, Lab, Visit
from tests.browser.site_page import PATIENCE
from tests.browser.site_page import WINDOW as VIEWPORT
from tools.site import build

START_SECONDS = 120

# No display, no sandbox for root, nothing that calls home; WebGL in software for the spheres.
CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",
]
# All cells stay in the page, so that a test can look at any of them.
LAB_SETTINGS = {"@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {"windowingMode": "none"}}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; skipped where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for found in map(shutil.which, names) if found), None)
    if path is None:
        reason = "no Chromium on the PATH (Debian: apt-get install chromium)"
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(f"REQUIRE_BROWSER is set, but there is {reason}")
        pytest.skip(reason)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site, built once, whichever process needs it first."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run is None:
        return build(tmp_path_factory.mktemp("site") / "site").parent
    shared = tmp_path_factory.getbasetemp().parent / f"site-{run}"
    with FileLock(f"{shared}.lock"):
        if not (shared / "index.html").exists():
            build(shared)
    return shared


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab with the project's configuration and nobody's own settings."""
    home = tmp_path_factory.mktemp("lab")
    folder = home / "project"
    for name in ("notebooks", "results", "benchmarks/results", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    for name, settings in LAB_SETTINGS.items():
        path = home / "config" / "lab" / "user-settings" / name
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(settings))
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "BCL_EDU_DATA": str(home / DATASETS),
        "OMP_NUM_THREADS": "1",
    }
    port, token = _free_port(), secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyter", "lab", f"--config={ROOT / 'tools' / 'jupyter_lab_config.py'}"]
    command += [
        f"--ServerApp.port={port}",
        f"--IdentityProvider.token={token}",
        "--ServerApp.open_browser=False",
    ]
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            lab = Lab(f"http://127.0.0.1:{port}", token, home)
            _wait_until_up(lab, server, home / "server.log")
            yield lab
        finally:
            server.terminate()
            try:
                server.wait(timeout=60)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@pytest.fixture(scope="session")
def reader(browser: Browser) -> Iterator[BrowserContext]:
    """Who opens JupyterLab's pages: one for all tests, so that its megabytes of scripts are loaded once."""
    context = browser.new_context(viewport=VIEWPORT)
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.fixture
def visit(reader: BrowserContext, lab: Lab, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """A fresh page in the light theme; photographed at the end if the test failed."""
    SCREENSHOTS.mkdir(exist_ok=True)
    expect.set_options(timeout=PATIENCE)
    page = reader.new_page()
    visit = Visit(page, lab)
    page.on("request", visit.watch_request)
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    failed_before = request.session.testsfailed
    yield visit
    try:
        if request.session.testsfailed > failed_before:
            name = re.sub(r"\W+", "-", request.node.name)
            page.screenshot(path=SCREENSHOTS / f"FAILED-{name}.png")
    finally:
        page.close()
        lab.use_light_theme()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_up(lab: Lab, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{lab.address}/api?token={lab.token}", timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    pytest.fail(
        f"JupyterLab did not start within {START_SECONDS} s; the end of its log:\n{log.read_text()[-3000:]}"
    )
