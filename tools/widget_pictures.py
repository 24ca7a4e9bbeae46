"""Take the pictures of widgets that stand in notebooks and in the README, for readers without a kernel.

    python -m tools.widget_pictures      # writes docs/simplex_explorer.png and docs/training_sphere.png; needs Chromium

They are read on white pages and on dark ones, so they have no background, and ink that stands out from both.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from bcl_edu.course.figures import style
from bcl_edu.course.widgets.explorer import Settings, explorer_html
from bcl_edu.course.widgets.sphere import TrainingSettings, sphere_html
from tools.site_figures import ASSETS

DOCS = Path(__file__).resolve().parent.parent / "docs"

ON_ANY_PAGE = f"""<link rel="stylesheet" href="{(ASSETS / "fonts.css").as_uri()}">
<style>
html {{ color-scheme: light !important; }}
html, body {{ background: none !important; color: {style.INK} !important; }}
main {{ padding: 1px; }}
.bcl-explorer, .bcl-sphere {{
  --ink: {style.INK} !important; --quiet: {style.INK} !important; --line: {style.WIRE} !important;
  --page: transparent !important; --ball: rgb(128 128 128 / 0.15) !important; --shade: var(--ball) !important;
}}
.bcl-explorer button[aria-pressed="true"] {{ color: #ffffff !important; }}
main > :is(h1, .lead), .bcl-explorer :is(.angles, .legend, .summary),
.bcl-sphere :is(.caption, .transport, .curves, .more, .legend, .summary) {{ display: none !important; }}
</style>"""
"""What shows a widget on no page in particular: only what the picture is of."""

PICTURES = {
    "simplex_explorer.png": (explorer_html(Settings(), head=ON_ANY_PAGE), 1200, "window.explorer"),
    "training_sphere.png": (
        sphere_html(TrainingSettings(imbalance_factor=50), opening=False, head=ON_ANY_PAGE),
        800,
        "window.sphere?.settled",
    ),
}
"""For each picture its page, how wide it is, and when all is drawn."""


def main() -> None:
    """Open each page and take its picture."""
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (page_html, width, drawn) in PICTURES.items():
            path = Path(folder) / "page.html"
            path.write_text(page_html, "utf-8")
            page = chromium.new_page(viewport={"width": width, "height": 700})
            page.goto(path.as_uri())
            page.wait_for_function(drawn, timeout=120_000)
            page.wait_for_timeout(2000)  # what follows in the next frames
            picture = Image.open(io.BytesIO(page.locator("main").screenshot(omit_background=True)))
            picture.quantize(method=Image.Quantize.FASTOCTREE).save(DOCS / name, optimize=True)
            page.close()
        chromium.close()


if __name__ == "__main__":
    main()
