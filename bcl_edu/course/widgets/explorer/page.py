"""The explorer as one HTML file that needs neither Python nor a network."""

from __future__ import annotations

import json
import os
from pathlib import Path

from bcl_edu.course.widgets import bundle
from bcl_edu.course.widgets.explorer.settings import Settings
from bcl_edu.files import write_atomically

BROWSER = Path(__file__).parent / "browser"

_PAGE = """<!doctype html>
<html lang="en" style="color-scheme: light dark">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Simplex explorer: where class means go when classes are imbalanced</title>
<meta name="description" content="Slide the imbalance and see where two losses put the class means: certified optima, \
computed in this page.">
{head}
<style>
body {{
  margin: 0 auto; max-width: 1240px; padding: 10px 20px;
  font-family: var(--sans, system-ui, "DejaVu Sans", sans-serif);
}}
header {{ display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 24px; margin-bottom: 8px; }}
h1 {{ font-size: 20px; margin: 0; flex: 1 1 320px; }}
header a {{ color: #1c5f99; }}
@media (prefers-color-scheme: dark) {{
  body {{ background: #111111; color: #e6e6e6; }}
  header a {{ color: #7db8ea; }}
}}
{style}
</style>
<main>
<header><h1>Where the class means go when classes are imbalanced</h1>{home}</header>
<div id="explorer"></div>
<noscript>This page computes in the browser; please allow JavaScript.</noscript>
</main>
<script type="module">
{module}
window.explorer = page_module.openPage(document.getElementById("explorer"), {settings});
</script>
</html>
"""


def explorer_html(settings: Settings | None = None, *, home: str | None = None, head: str = "") -> str:
    """The page, opened at these settings.

    Args:
        settings: where the sliders stand; the end of the page's address comes before them.
        home: address of a page to go back to, if there is one.
        head: more elements for the page's head, such as a style sheet that has fonts.
    """
    back = f'<a href="{home}">← Back to the course</a>' if home else ""
    return _PAGE.format(
        style=stylesheet(),
        home=back,
        head=head,
        module=bundle.module(BROWSER / "page.js"),
        settings=in_browser(settings or Settings()),
    )


def explorer_fragment(settings: Settings | None = None) -> str:
    """The explorer as a part of a page that has others: an element, its style and its script."""
    return (
        f'<style>{stylesheet()}</style><div class="explorer-here"></div>'
        f'<script type="module">\n{bundle.module(BROWSER / "explorer.js")}\n'
        f'new explorer_module.Explorer(document.querySelector(".explorer-here"), '
        f"{in_browser(settings or Settings())});\n</script>"
    )


def in_browser(settings: Settings) -> str:
    """Settings as the browser's code reads them, in JSON."""
    return json.dumps(
        {
            "imbalanceFactor": settings.imbalance_factor,
            "temperature": settings.temperature,
            "numClasses": settings.num_classes,
            "losses": list(settings.losses),
            "batchSize": settings.batch_size,
        }
    )


def stylesheet() -> str:
    """The explorer's CSS."""
    return (BROWSER / "explorer.css").read_text(encoding="utf-8")


def write_page(path: str | os.PathLike[str], settings: Settings | None = None) -> Path:
    """Write the page to a file; an interrupted write leaves the old file as it was."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, explorer_html(settings).encode())
    return target
