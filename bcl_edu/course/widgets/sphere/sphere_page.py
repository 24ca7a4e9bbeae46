"""The training sphere as one HTML file that needs neither Python nor a network."""

from __future__ import annotations

import json
import os
from pathlib import Path

from bcl_edu.course.widgets import bundle
from bcl_edu.course.widgets.sphere.training_settings import TrainingSettings
from bcl_edu.files import write_atomically

BROWSER = Path(__file__).parent / "browser"

_PAGE = """<!doctype html>
<html lang="en" style="color-scheme: light dark">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="Free embeddings on a sphere, trained live in the browser: what contrastive losses do \
to classes when some of them become rare.">
<title>Make some classes rare, and training crowds them together</title>
{head}
<style>
{page_style}
{style}
</style>
<main>
<h1>Make some classes rare, and training crowds them together.</h1>
<p class="lead">Each dot is a picture, each colour a class. Training pulls pictures of one class together, in the end \
onto one point, and pushes classes apart. With the loss on the left, rare classes end up crowded; on the right they \
stay apart.</p>
<div id="sphere"></div>
<noscript>This page computes in the browser; please allow JavaScript.</noscript>
</main>
<script type="module">
{module}
window.sphere = new training_sphere_module.TrainingSphere(document.getElementById("sphere"), {settings}, {options});
</script>
</html>
"""


def sphere_html(
    settings: TrainingSettings | None = None, *, opening: bool = True, playing: bool = True, head: str = ""
) -> str:
    """The page, opened at these settings.

    Args:
        settings: where the controls stand; by default K = 4 on the sphere, SCL beside class-averaged anchors.
        opening: show the first seconds, in which the imbalance goes away and comes back.
        playing: train at once, or wait for the reader.
        head: more elements for the page's head, such as a style sheet that has fonts.
    """
    start = settings or TrainingSettings()
    return _PAGE.format(
        page_style=(BROWSER / "page_of_its_own.css").read_text(encoding="utf-8"),
        style=stylesheet(),
        head=head,
        module=bundle.module(BROWSER / "training_sphere.js"),
        settings=json.dumps(start.in_browser()),
        options=json.dumps({"opening": opening, "playing": playing}),
    )


def stylesheet() -> str:
    """The sphere's CSS."""
    return (BROWSER / "training_sphere.css").read_text(encoding="utf-8")


def write_sphere_page(
    path: str | os.PathLike[str],
    settings: TrainingSettings | None = None,
    *,
    opening: bool = True,
    playing: bool = True,
) -> Path:
    """Write the page to a file; an interrupted write leaves the old file as it was.

    Args:
        path: where to.
        settings: as for `sphere_html`, like the others.
        opening: show the first seconds.
        playing: train at once.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, sphere_html(settings, opening=opening, playing=playing).encode())
    return target
