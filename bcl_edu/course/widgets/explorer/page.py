"""The explorer as one HTML file that needs neither Python nor a network."""

from __future__ import annotations

import json
import os
from pathlib import Path

from bcl_edu.course.widgets import bundle
from bcl_edu.course.widgets.explorer.settings import Settings

BROWSER = Path(__file__).parent / "browser"

_PAGE = """<!doctype html>
<html lang="en" style="color-scheme: light dark">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Simplex explorer: where class means go when classes are imbalanced</title>
<style>
body {{ margin: 0 auto; max-width: 1240px; padding: 12px 20px; font-family: system-ui, "DejaVu Sans", sans-serif; }}
h1 {{ font-size: 20px; margin: 0 0 8px; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #111111; color: #e3e3e3; }} }}
{style}
</style>
<main>
<h1>Where the class means go when classes are imbalanced</h1>
<div id="explorer"></div>
<noscript>This page computes in the browser; please allow JavaScript.</noscript>
</main>
<script type="module">
{module}
window.explorer = new explorer_module.Explorer(document.getElementById("explorer"), {settings});
</script>
</html>
"""


def explorer_html(settings: Settings | None = None) -> str:
    """The page, opened at these settings."""
    start = settings or Settings()
    in_browser = {
        "imbalanceFactor": start.imbalance_factor,
        "temperature": start.temperature,
        "numClasses": start.num_classes,
        "losses": list(start.losses),
        "batchSize": start.batch_size,
    }
    return _PAGE.format(
        style=stylesheet(), module=bundle.module(BROWSER / "explorer.js"), settings=json.dumps(in_browser)
    )


def stylesheet() -> str:
    """The explorer's CSS."""
    return (BROWSER / "explorer.css").read_text(encoding="utf-8")


def write_page(path: str | os.PathLike[str], settings: Settings | None = None) -> Path:
    """Write the page to a file; an interrupted write leaves the old file as it was."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(target.name + ".tmp")
    temporary.write_text(explorer_html(settings), encoding="utf-8")
    os.replace(temporary, target)
    return target
