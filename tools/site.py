"""A static site of all notebooks and the explorer, to read without Python and without a network.

    python -m tools.site             # writes build/site; open build/site/index.html
    python -m tools.site some/where
    python -m tools.site --address https://example.org/course/    # for a site that is shared: previews need it

The pages are made by nbconvert from the stored notebooks; nothing is run. Figures are drawn by the plotly.js that is
installed, mathematics is MathML, and widgets that compute in the browser are put into the page. Everything is local.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup, NavigableString, Tag
from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from plotly.offline import get_plotlyjs
from pygments.formatters import HtmlFormatter

from bcl_edu.course.outline import read_course
from bcl_edu.course.widgets.explorer import explorer_html
from tools.mathematics import mathml
from tools.notebooks import LIVE, NOTEBOOKS, PLOTLY
from tools.site_figures import (
    ASSETS,
    EXPLORER,
    FIGURE_COLOURS,
    SPHERE,
    figure_html,
    stands_in,
    widget_html,
)
from tools.site_landing import FONTS, PREVIEW, START, THUMBNAILS, landing_html, sphere_page, thumbnail

ROOT = NOTEBOOKS.parent
OUTSIDE = "../"
"""How a notebook's link to a file of the project begins that is not among the notebooks."""
SOURCE = "source"
"""The kind of page that is a file of code."""
CODE_IS_THE_LESSON = "01b_the_method_on_the_page"
"""The notebook whose code is not folded, since it is about how to write it."""
LONG_CELL = 30
"""Characters from which on a cell of a table is a sentence, not a number."""
MANY_COLUMNS = 5
"""Columns from which on a table of sentences has no room on a page of 768 pixels."""
LONG_FORMULA = 16
"""Characters from which on a formula within a line may be wider than a phone."""
OPENING = re.compile(r"[(\[“]+$")
CLOSING = re.compile(r"^[.,;:!?)\]’”'\"%°]+")
"""Marks that stand on the same line as the formula before or behind which they are written."""
BELONGS = re.compile(r" (?=± \d|\([+−-]\d)|(?<=±) (?=\d)")
"""The spaces between a value, its error and its difference from another, 45 ± 6 (+9): none breaks a line."""
NO_BREAK = "\u00a0"
WITHOUT_KERNEL = re.compile(r"\*\(No kernel\?.*?\)\*\n\n!\[[^]]*\]\(\.\./docs/[^)]*\)\n*", re.DOTALL)
"""A picture of a widget for readers who see the notebook without it; the site has the widget itself."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<meta name="description" content="{description}">
<meta property="og:title" content="{title}">
<meta property="og:description" content="{description}">
<meta property="og:image" content="{preview}">
<meta property="og:type" content="website">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{up}assets/fonts.css">
<link rel="stylesheet" href="{up}assets/page.css">
</head>
<body class="{kind}">
<a class="skip" href="#content">Skip to the content</a>
<nav class="site" aria-label="site">{navigation}</nav>
<div class="page">
{contents}
<main id="content">
{body}
{neighbours}
</main>
</div>
{scripts}
</body>
</html>
"""

SCROLLING = '<script src="{up}assets/scrolling.js" defer></script>'
FIGURES = """<script src="{up}assets/plotly.min.js" defer></script>
<script src="{up}assets/figures.js" defer></script>"""

COURSE = "Balanced contrastive learning"
SHORT = "BCL"
"""The course where a phone has no room for its name."""
ABOUT = (
    "Make some classes rare, and training crowds them together: supervised contrastive learning under class "
    "imbalance, computed in front of you. A course of notebooks, with a live sphere and an explorer."
)


class _Renderer(IPythonRenderer):
    """Markdown as nbconvert renders it, with formulas as MathML and links to pages instead of notebooks."""

    def block_math(self, body: str) -> str:
        return mathml(body, block=True)

    def inline_math(self, body: str) -> str:
        return mathml(body)

    def latex_environment(self, name: str, body: str) -> str:
        return mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", block=True)

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return str(super().image(text, url.replace("../docs/", "assets/"), title))

    def link(self, text: str, url: str, title: str | None = None) -> str:
        return str(super().link(text, _as_page(url), title))


def _as_page(url: str) -> str:
    """Where a link of a notebook leads on the site."""
    if "://" in url:
        return url
    if url.startswith(OUTSIDE):
        return "source/" + url.removeprefix(OUTSIDE).replace("/", "-").removesuffix(".py") + ".html"
    return re.sub(r"\.(ipynb|md|py)(?=$|#)", ".html", url)


def _markdown(source: str) -> str:
    return str(MarkdownWithMath(renderer=_Renderer(escape=False, anchor_link_text="#")).render(source))


class _Exporter(HTMLExporter):
    """nbconvert's plain HTML, with our Markdown."""

    @pass_context
    def markdown2html(self, context: object, source: str) -> str:
        return _markdown(source)

    def default_filters(self) -> Iterator[tuple[str, Callable[..., str]]]:
        """Those of nbconvert, without the cleaning of highlighted code, a sixth of the time: it is our own."""
        yield from super().default_filters()
        yield "clean_html", lambda code: code


@cache
def _exporter() -> _Exporter:
    """One for all notebooks: its templates are compiled once."""
    return _Exporter(template_name="basic")


def build(target: Path, address: str = "") -> Path:
    """Write the whole site into a folder, in the place of what is there; returns the first page.

    Args:
        target: the folder.
        address: where the site will be found, such as https://example.org/course/. Those who show a preview of a shared
            link need the whole address of its picture; without one, it is relative to the page.

    Raises:
        NotMathML: a formula cannot be converted.
        ValueError: the folder is not empty and is no site.
    """
    if target.exists() and any(target.iterdir()) and not (target / "index.html").exists():
        raise ValueError(f"{target} holds something that is no site; name another folder, or empty it")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        site = Path(scratch) / "site"
        (site / "assets").mkdir(parents=True)
        (site / "solutions").mkdir()
        (site / "source").mkdir()
        _write_assets(site / "assets")
        _write_pages(site, address)
        if target.exists():
            shutil.rmtree(target)
        site.rename(target)
    return target / "index.html"


def _write_assets(folder: Path) -> None:
    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    style = (ASSETS / "page.css").read_text("utf-8")
    colours = f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"
    (folder / "page.css").write_text(colours + style, "utf-8")
    figures = (ASSETS / "figures.js").read_text("utf-8")
    (folder / "figures.js").write_text(f"const COLOURS = {json.dumps(FIGURE_COLOURS)};\n{figures}", "utf-8")
    for name in ("fonts.css", "scrolling.js"):
        shutil.copy(ASSETS / name, folder)
    shutil.copytree(ASSETS / "fonts", folder / "fonts")
    (folder / "plotly.min.js").write_text(get_plotlyjs(), "utf-8")


def _write_pages(site: Path, address: str) -> None:
    lessons = read_course(NOTEBOOKS)
    names = [START.name, *(lesson.name for lesson in lessons)]
    notebooks = {name: nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4) for name in names}
    (site / THUMBNAILS).mkdir()
    for name, notebook in notebooks.items():
        if picture := thumbnail(notebook):
            (site / THUMBNAILS / f"{name}.png").write_bytes(picture)
    (site / "index.html").write_text(landing_html(lessons, notebooks, address), "utf-8")
    questions = {lesson.name: lesson.question for lesson in lessons}
    for name, notebook in notebooks.items():
        body = notebook_html(notebook)
        at = names.index(name)
        _write(
            site / f"{name}.html",
            _title(name),
            body,
            description=questions.get(name, ABOUT),
            address=address,
            before=names[at - 1] if at else None,
            after=names[at + 1] if at + 1 < len(names) else None,
        )
    for path in sorted(NOTEBOOKS.glob("*.md")):  # the glossary, and help on working with the notebooks
        body = _markdown(path.read_text("utf-8"))
        _write(site / f"{path.stem}.html", path.stem.capitalize(), body, address=address)
    for path in sorted((NOTEBOOKS / "solutions").glob("*.md")):
        body = _markdown(path.read_text("utf-8"))
        _write(site / "solutions" / f"{path.stem}.html", "Solutions", body, up="../")
    for path in sorted((NOTEBOOKS / "solutions").glob("*.py")):
        _write_source(path, site / "solutions" / f"{path.stem}.html")
    for path in sorted(_linked_sources()):
        _write_source(path, site / _as_page(OUTSIDE + path.relative_to(ROOT).as_posix()))
    (site / EXPLORER).write_text(explorer_html(home="index.html", head=FONTS), "utf-8")
    (site / SPHERE).write_text(sphere_page(), "utf-8")
    for drawing in (ROOT / "docs").glob("*.png"):
        shutil.copy(drawing, site / "assets")


def _linked_sources() -> set[Path]:
    """Files of Python code outside of the notebooks' folder that a notebook links to."""
    texts = (path.read_text("utf-8") for path in NOTEBOOKS.glob("*.ipynb"))
    return {ROOT / name for text in texts for name in re.findall(r"\]\(\.\./([\w/]+\.py)\b", text)}


def _write_source(source: Path, page: Path) -> None:
    """A page with the code of one file, one folder below the site's."""
    code = Highlight2HTML()(source.read_text("utf-8"), language="python")
    _write(page, source.name, f"<h1>{source.relative_to(ROOT)}</h1>\n{code}", up="../", kind=SOURCE)


def _write(
    path: Path,
    title: str,
    body: str,
    *,
    description: str = ABOUT,
    address: str = "",
    before: str | None = None,
    after: str | None = None,
    up: str = "",
    kind: str = "article",
) -> None:
    """A page of its own: contents beside it, its neighbours below it, and scripts only where a figure needs them."""
    body = body if kind == SOURCE else _readable(body, unfolded=path.stem == CODE_IS_THE_LESSON)
    scripts = [SCROLLING, *([FIGURES] if 'class="live"' in body else [])]
    page = PAGE.format(
        title=html.escape(f"{title} · {COURSE}"),
        description=html.escape(description),
        preview=(address or up) + PREVIEW,
        up=up,
        kind=kind,
        navigation=navigation(up),
        contents=contents_of(body),
        body=body,
        neighbours=_neighbours(before, after),
        scripts="\n".join(script.format(up=up) for script in scripts),
    )
    path.write_text(page, "utf-8")


def _title(name: str) -> str:
    """The name of a notebook as people say it: 01 First look."""
    number, words = name.split("_", 1)
    words = re.sub(r"theorem (\d) ", r"theorem \1: ", words.replace("_", " "))
    words = (
        words.replace("cifar lt", "CIFAR-LT").replace("imagenet lt", "ImageNet-LT").replace("inat", "iNat")
    )
    return f"{number} {words[0].upper() if not words.startswith('iNat') else 'i'}{words[1:]}"


def navigation(up: str = "") -> str:
    """Links to the main pages."""
    pages = {
        "index.html": COURSE,
        "index.html#course": "Read",
        SPHERE: "Sphere",
        EXPLORER: "Explorer",
        "glossary.html": "Glossary",
    }
    links = [f'<a href="{up}{page}">{name}</a>' for page, name in pages.items()]
    return "\n".join(links).replace("<a ", f'<a data-short="{SHORT}" ', 1)


def contents_of(body: str) -> str:
    """Links to the sections of a page, if there are some."""
    sections = re.findall(r'<h2 id="([^"]+)">(.*?)(?:<a class="anchor-link".*?</a>)?</h2>', body, re.DOTALL)
    if len(sections) < 2:
        return ""
    links = "".join(f'<li><a href="#{anchor}">{heading}</a></li>' for anchor, heading in sections)
    folded = f"<details open><summary>Contents</summary><ol>{links}</ol></details>"
    return f'<nav class="contents" aria-label="contents">{folded}</nav>'


def _neighbours(before: str | None, after: str | None) -> str:
    """Links to the notebooks before and after this one."""
    links = []
    if before:
        links.append(f'<a href="{before}.html" rel="prev"><span>Previous</span>← {_title(before)}</a>')
    if after:
        links.append(f'<a href="{after}.html" rel="next"><span>Next</span>{_title(after)} →</a>')
    return f'<nav class="neighbours" aria-label="neighbours">{"".join(links)}</nav>' if links else ""


def notebook_html(notebook: NotebookNode) -> str:
    """The body of a notebook's page; formulas, figures and widgets as the site shows them, code folded."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = WITHOUT_KERNEL.sub("", cell.source)
        outputs = cell.get("outputs", [])
        live = any(output.get("data", {}).get("text/plain") == LIVE for output in outputs)
        recorded = any(PLOTLY in output.get("data", {}) for output in outputs)
        if live and stands_in(cell.source):  # it says more than pictures of the widget's last state
            pictures = {PLOTLY, "image/png"}
            outputs[:] = [output for output in outputs if not pictures & set(output.get("data", {}))]
        outputs[:] = _joined(outputs)
        for output in outputs:
            bundle = output.get("data", {})
            if PLOTLY in bundle:
                drawn = figure_html(bundle[PLOTLY], bundle["image/png"])
                output["data"] = nbformat.from_dict({"text/html": drawn})
            elif bundle.get("text/plain") == LIVE:
                shown = widget_html(cell.source, recorded=recorded)
                output["data"] = nbformat.from_dict({"text/html": shown})
            elif "text/markdown" in bundle:
                lower = re.sub(r"^(#+) ", r"#\1 ", bundle["text/markdown"], flags=re.MULTILINE)
                output["data"] = nbformat.from_dict({"text/html": _markdown(lower)})
            elif "image/png" in bundle:  # what a widget showed: its words stand beside the picture
                output["metadata"] = nbformat.from_dict({"image/png": {"alt": bundle["text/plain"]}})
    body, _ = _exporter().from_notebook_node(notebook)
    return str(body)


def _joined(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Outputs with what was printed in several pieces as one: a table stays a table."""
    joined: list[NotebookNode] = []
    for output in outputs:
        before = joined[-1] if joined else None
        if before and output.output_type == before.output_type == "stream" and output.name == before.name:
            before.text += output.text
        else:
            joined.append(output)
    return joined


def _readable(body: str, *, unfolded: bool = False) -> str:
    """Code folded under its first line, tables that a narrow page can stack, and boxes that scroll what is too wide.

    Args:
        body: the page's content.
        unfolded: whether code is open at first.
    """
    page = BeautifulSoup(body, "html.parser")
    for code in page.select("div.code_cell > div.input"):
        lines = "\n".join(area.get_text() for area in code.select(".input_area")).splitlines()
        first = next((line.strip() for line in lines if line.strip()), "")
        summary = page.new_tag("summary")
        summary.string = "Code"
        beginning = page.new_tag("code")
        beginning.string = first
        summary.append(beginning)
        folded = page.new_tag("details", attrs={"class": "code"} | ({"open": ""} if unfolded else {}))
        code.wrap(folded)
        folded.insert(0, summary)
    for value in page.find_all(string=BELONGS):
        if value.find_parent("td"):
            value.replace_with(BELONGS.sub(NO_BREAK, value))
    for table in page.select("table"):
        _label_cells(table)
        table.wrap(page.new_tag("div", attrs={"class": "scroller table"}))
    for code in page.select("td code, td:not(:has(*))"):
        _break_at_marks(page, code)
    for formula in page.select("math[display=block]"):
        formula.wrap(page.new_tag("span", attrs={"class": "scroller formula"}))
    for formula in page.select("math:not([display=block])"):
        _hold_together(page, formula)
    return str(page)


def _hold_together(page: BeautifulSoup, formula: Tag) -> None:
    """Keep a formula within a line and the marks around it on one line; a long one scrolls by itself."""
    before, after = formula.previous_sibling, formula.next_sibling
    opening = OPENING.search(before) if type(before) is NavigableString else None
    closing = CLOSING.search(after) if type(after) is NavigableString else None
    is_long = len(formula.get_text()) >= LONG_FORMULA
    if not (opening or closing or is_long):
        return
    holder = formula.wrap(
        page.new_tag("span", attrs={"class": "scroller formula inline" if is_long else "held"})
    )
    if opening and type(before) is NavigableString:
        before.replace_with(before[: opening.start()])
        holder.insert(0, opening.group())
    if closing and type(after) is NavigableString:
        after.replace_with(after[closing.end() :])
        holder.append(closing.group())


def _break_at_marks(page: BeautifulSoup, code: Tag) -> None:
    """Let a long name break after a dot, an underscore or a bracket, and nowhere within a word."""
    parts = re.split(r"(?<=[_(])(?=\w)|(?<=[^\W\d]\.)(?=\w)", code.get_text())
    code.clear()
    for position, part in enumerate(parts):
        if position:
            code.append(page.new_tag("wbr"))
        code.append(part)


def _label_cells(table: Tag) -> None:
    """Name the column of each cell of a table of sentences or of one row; a narrow page shows its rows as lists."""
    names = [cell.get_text(" ", strip=True) for cell in table.select("thead th")]
    rows, cells = table.select("tbody tr"), table.select("tbody td")
    texts = [cell.get_text() for cell in cells]
    longest = max((len(text) for text in texts if re.search(r"[^\W\d]{3}", text)), default=0)
    if len(rows) == 1 and len(names) >= MANY_COLUMNS and longest < LONG_CELL:
        table["class"] = "one-row"
    elif len(names) > 1 and longest >= LONG_CELL:
        table["class"] = "sentences many" if len(names) >= MANY_COLUMNS else "sentences"
    else:
        return
    for row in rows:
        for name, cell in zip(names, row.select("td"), strict=False):
            cell["data-column"] = name
            text = cell.get_text(strip=True)
            if len(text) > 2 * LONG_CELL:
                cell["class"] = "sentence"
            elif text and " " not in text:
                cell["class"] = "word"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", nargs="?", type=Path, default=ROOT / "build" / "site")
    parser.add_argument(
        "--address", default="", help="where the site will be found, with https:// and a / at the end"
    )
    chosen = parser.parse_args(arguments)
    try:
        first = build(chosen.target, chosen.address)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"written; open {first}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
