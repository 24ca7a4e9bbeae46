"""The site's first page: it shows before it tells; and the training sphere's page with a way back."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nbformat import NotebookNode

from bcl_edu.course.claims.claim import Verdict
from bcl_edu.course.claims.scoreboard import SYMBOLS
from bcl_edu.course.outline import Lesson
from bcl_edu.course.widgets.sphere import sphere_html
from tools.site_figures import ASSETS, EXPLORER, SPHERE, sphere_fragment

THUMBNAILS = "assets/thumbnails"
PREVIEW = "assets/simplex_explorer.png"
"""What is shown beside a shared link."""
CLAIMS_NOTEBOOK = "09_claims_of_the_paper"


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
        "cards": "\n".join(_card(lesson, notebooks[lesson.name]) for lesson in lessons),
        "explorer": EXPLORER,
        "sphere page": SPHERE,
        "preview": address + PREVIEW,
    }
    return re.sub(r"\{\{(.+?)\}\}", lambda found: parts[found.group(1)], page)


def sphere_page() -> str:
    """The training sphere's page, with a way back to the course."""
    link = '<a href="index.html" style="color: inherit">← Back to the course</a>'
    back = f'<p class="back">{link}</p>\n<main>'
    return sphere_html().replace("<main>", back, 1)


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
    if first_picture(notebook):
        return f'<img src="{THUMBNAILS}/{lesson.name}.png" alt="" loading="lazy">'
    rows = verdicts(notebook) if lesson.name == CLAIMS_NOTEBOOK else []
    dots = "".join(f'<i class="dot {row.verdict.name.lower()}"></i>' for row in rows)
    return f'<span class="small dots" aria-hidden="true">{dots}</span>'


def first_picture(notebook: NotebookNode) -> bytes | None:
    """The first stored picture of a figure of a notebook, as PNG."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                return base64.b64decode(output["data"]["image/png"])
    return None
