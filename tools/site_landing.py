"""The site's first page: it shows before it tells; and the training sphere's page with a way back."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from nbformat import NotebookNode
from PIL import Image, ImageColor
from scipy.ndimage import binary_dilation

from bcl_edu.course.claims.claim import Verdict
from bcl_edu.course.claims.scoreboard import SYMBOLS
from bcl_edu.course.figures import style
from bcl_edu.course.outline import Lesson
from bcl_edu.course.widgets.sphere import sphere_html
from tools.site_figures import ASSETS, EXPLORER, SPHERE, sphere_fragment

THUMBNAILS = "assets/thumbnails"
PREVIEW = "assets/simplex_explorer.png"
"""What is shown beside a shared link."""
FONTS = '<link rel="stylesheet" href="assets/fonts.css">'
"""What a page that is a widget's alone has of the site's style."""
LINE_OF_TEXT = 24
"""Pixels that a line of a stored picture's title or caption is high, at most."""
ALIGNED = 6
"""Pixels within which these lines begin below one another."""
BLENDED = 12
"""By how much a colour in a stored picture may differ from the ink that it was drawn with."""
STROKE = 3
"""Pixels between the middle of a letter's stroke and the page."""
LEAST_DRAWN = 0.002
"""Share of a picture that is left without ink, at least, if its drawing is not of ink itself."""
MOST_LINES = 2
"""Lines that a legend has at most."""
CLAIMS_NOTEBOOK = "09_claims_of_the_paper"
START = Lesson(
    "00_start_here",
    question="A thousand pictures of one class and one of another: what does that do to what a network learns?",
    computing=1,
    reading=10,
    you_can="say what the course is about",
    needs=(),
)
"""The notebook that comes before the lessons and lists them."""


@dataclass(frozen=True)
class Row:
    """One claim of the paper, and what came of it."""

    statement: str
    verdict: Verdict


def landing_html(lessons: Sequence[Lesson], notebooks: Mapping[str, NotebookNode], address: str = "") -> str:
    """The first page.

    Args:
        lessons: the course, in order.
        notebooks: every stored notebook by its name; the verdicts are those that notebook 09 computed.
        address: where the site will be found; empty if that is not known.
    """
    page = (ASSETS / "landing.html").read_text("utf-8")
    parts = {
        "sphere": sphere_fragment(),
        "scoreboard": _scoreboard(verdicts(notebooks[CLAIMS_NOTEBOOK])),
        "cards": "\n".join(_card(lesson, notebooks[lesson.name]) for lesson in (START, *lessons)),
        "explorer": EXPLORER,
        "sphere page": SPHERE,
        "preview": address + PREVIEW,
    }
    return re.sub(r"\{\{(.+?)\}\}", lambda found: parts[found.group(1)], page)


def sphere_page() -> str:
    """The training sphere's page, with a way back to the course."""
    link = '<a href="index.html" style="color: inherit">← Back to the course</a>'
    back = f'<p class="back">{link}</p>\n<main>'
    return sphere_html(head=FONTS).replace("<main>", back, 1)


def verdicts(notebook: NotebookNode) -> list[Row]:
    """The claims in the tables that a notebook stores, in their order.

    Raises:
        ValueError: there are none.
    """
    by_symbol = {symbol: verdict for verdict, symbol in SYMBOLS.items()}
    rows = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for line in output.get("data", {}).get("text/markdown", "").splitlines():
                cells = [part.strip() for part in re.split(r"(?<!\\)\|", line)]
                if len(cells) > 4 and cells[3].startswith("**") and cells[3][2] in by_symbol:
                    rows.append(Row(cells[2], by_symbol[cells[3][2]]))
    if not rows:
        raise ValueError(f"{CLAIMS_NOTEBOOK} stores no table of claims; run `make sync`")
    return rows


def _scoreboard(rows: Sequence[Row]) -> str:
    """A dot for each claim, and how many there are of each kind."""
    kinds = {verdict: [row for row in rows if row.verdict is verdict] for verdict in Verdict}
    dots = "".join(
        f'<span class="dot {verdict.name.lower()}" title="{html.escape(row.statement.replace("$", ""), quote=True)}">'
        f"{SYMBOLS[verdict]}</span>"
        for verdict, of_kind in kinds.items()
        for row in of_kind
    )
    counts = ", ".join(
        f'<b class="{verdict.name.lower()}">{len(of_kind)}</b> {verdict.value}'
        for verdict, of_kind in kinds.items()
        if of_kind
    )
    return f'<p class="dots" aria-hidden="true">{dots}</p><p class="counts">{counts}</p>'


def _card(lesson: Lesson, notebook: NotebookNode) -> str:
    minutes = f"{lesson.reading + lesson.computing:g} minutes"
    return (
        f'<a class="card" href="{lesson.name}.html">{_thumbnail(lesson, notebook)}'
        f'<span class="number">{lesson.number} · {minutes}</span>'
        f'<span class="question">{html.escape(lesson.question)}</span></a>'
    )


def _thumbnail(lesson: Lesson, notebook: NotebookNode) -> str:
    """The notebook's first figure; of the one without figures, its verdicts."""
    if thumbnail(notebook):
        return f'<img src="{THUMBNAILS}/{lesson.name}.png" alt="" loading="lazy">'
    rows = verdicts(notebook) if lesson.name == CLAIMS_NOTEBOOK else []
    dots = "".join(f'<i class="dot {row.verdict.name.lower()}"></i>' for row in rows)
    return f'<span class="small dots" aria-hidden="true">{dots}</span>'


def thumbnail(notebook: NotebookNode) -> bytes | None:
    """The first stored picture of a figure of a notebook, without text and the empty space around it, as PNG."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                picture = Image.open(io.BytesIO(base64.b64decode(output["data"]["image/png"])))
                small = io.BytesIO()
                without_text(without_heading(picture.convert("RGBA"))).save(
                    small, format="png", optimize=True
                )
                return small.getvalue()
    return None


def without_heading(picture: Image.Image) -> Image.Image:
    """A stored picture from below its title and caption on, cut to what is drawn."""
    drawn = np.asarray(picture.getchannel("A")) > 0
    rows = np.flatnonzero(drawn.any(axis=1))
    blocks = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    begins = [int(drawn[block].any(axis=0).argmax()) for block in blocks]
    top = next(
        int(block[0])
        for block, left in zip(blocks, begins, strict=True)
        if len(block) > LINE_OF_TEXT or abs(left - begins[0]) > ALIGNED or block is blocks[-1]
    )
    body = picture.crop((0, top, *picture.size))
    return body.crop(body.getchannel("A").getbbox())


def without_text(picture: Image.Image) -> Image.Image:
    """A picture without its writing, axes and legend: as small as a thumbnail nobody reads them.

    A drawing that is itself of the ink that figures are written in stays as it is, and so does ink within a photograph.
    """
    pixels = np.asarray(picture).copy()
    ink = np.array(ImageColor.getrgb(style.INK))
    inked = np.abs(pixels[..., :3].astype(int) - ink).max(axis=-1) <= BLENDED
    pixels[inked & binary_dilation(pixels[..., 3] == 0, iterations=STROKE), 3] = 0
    drawn = pixels[..., 3] > 0
    if drawn.mean() < LEAST_DRAWN:
        return picture
    rows = np.flatnonzero(drawn.any(axis=1))
    blocks = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    for end in (0, -1):  # a legend above; a slider or a legend below
        for _ in range(MOST_LINES):
            if len(blocks) > 1 and len(blocks[end]) <= LINE_OF_TEXT:
                blocks.pop(end)
    bare = Image.fromarray(pixels).crop((0, int(blocks[0][0]), picture.width, int(blocks[-1][-1]) + 1))
    return bare.crop(bare.getchannel("A").getbbox())
