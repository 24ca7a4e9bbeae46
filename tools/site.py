"""A static site of all notebooks and the explorer, to read without Python and without a network.

    python -m tools.site             # writes build/site; open build/site/index.html
    python -m tools.site some/where

The pages are made by nbconvert from the stored notebooks; nothing is run. Figures are drawn by the plotly.js that is
installed, mathematics is MathML, and widgets that compute in the browser are put into the page. Everything is local.
"""

from __future__ import annotations

import argparse
import html
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbformat
from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from plotly.offline import get_plotlyjs
from pygments.formatters import HtmlFormatter

from bcl_edu.course.outline import Lesson, course_map, read_course
from tools.mathematics import mathml
from tools.notebooks import LIVE, NOTEBOOKS, PLOTLY
from tools.site_figures import ASSETS, EXPLORER, figure_html, needs_no_python, widget_html

ROOT = NOTEBOOKS.parent
OUTSIDE = "../"
"""How a notebook's link to a file of the project begins that is not among the notebooks."""
START = "00_start_here"

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{up}assets/page.css">
<nav aria-label="course">{navigation}</nav>
<main>
{body}
</main>
<script src="{up}assets/plotly.min.js" defer></script>
<script src="{up}assets/figures.js" defer></script>
</html>
"""


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


def build(target: Path) -> Path:
    """Write the whole site into a folder, in the place of what is there; returns the first page.

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
        _write_pages(site)
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
    (folder / "figures.js").write_text((ASSETS / "figures.js").read_text("utf-8"), "utf-8")
    (folder / "plotly.min.js").write_text(get_plotlyjs(), "utf-8")


def _write_pages(site: Path) -> None:
    lessons = read_course(NOTEBOOKS)
    names = [START, *(lesson.name for lesson in lessons)]
    for name in names:
        body = notebook_html(nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4))
        _write(site / f"{name}.html", _title(name), body, _navigation(names, name))
    _write(site / "index.html", "Balanced contrastive learning", _index(lessons), _navigation(names))
    glossary = _markdown((NOTEBOOKS / "glossary.md").read_text("utf-8"))
    _write(site / "glossary.html", "Glossary", glossary, _navigation(names))
    for path in sorted((NOTEBOOKS / "solutions").glob("*.md")):
        body = _markdown(path.read_text("utf-8"))
        _write(
            site / "solutions" / f"{path.stem}.html", path.stem, body, _navigation(names, up="../"), up="../"
        )
    for path in sorted((NOTEBOOKS / "solutions").glob("*.py")):
        _write_source(path, site / "solutions" / f"{path.stem}.html", names)
    for path in sorted(_linked_sources()):
        _write_source(path, site / _as_page(OUTSIDE + path.relative_to(ROOT).as_posix()), names)
    shutil.copy(NOTEBOOKS / EXPLORER, site / EXPLORER)
    for picture in (ROOT / "docs").glob("*.png"):
        shutil.copy(picture, site / "assets")


def _linked_sources() -> set[Path]:
    """Files of Python code outside of the notebooks' folder that a notebook links to."""
    texts = (path.read_text("utf-8") for path in NOTEBOOKS.glob("*.ipynb"))
    return {ROOT / name for text in texts for name in re.findall(r"\]\(\.\./([\w/]+\.py)\b", text)}


def _write_source(source: Path, page: Path, names: Sequence[str]) -> None:
    """A page with the code of one file, one folder below the site's."""
    code = Highlight2HTML()(source.read_text("utf-8"), language="python")
    body = f"<h1>{source.relative_to(ROOT)}</h1>\n{code}"
    _write(page, source.name, body, _navigation(names, up="../"), up="../")


def _write(path: Path, title: str, body: str, navigation: str, up: str = "") -> None:
    page = PAGE.format(title=html.escape(title), body=body, navigation=navigation, up=up)
    path.write_text(page, "utf-8")


def _title(name: str) -> str:
    return name.replace("_", " ")


def _navigation(names: Sequence[str], here: str | None = None, up: str = "") -> str:
    """Links to the index, the neighbours and the glossary."""
    links = [f'<a href="{up}index.html">Course</a>']
    if here is not None:
        at = names.index(here)
        if at > 0:
            links.append(f'<a href="{names[at - 1]}.html" rel="prev">← {_title(names[at - 1])}</a>')
        if at + 1 < len(names):
            links.append(f'<a href="{names[at + 1]}.html" rel="next">{_title(names[at + 1])} →</a>')
    links.append(f'<a href="{up}glossary.html">Glossary</a>')
    links.append(f'<a href="{up}{EXPLORER}">Explorer</a>')
    return "\n".join(links)


def _index(lessons: Sequence[Lesson]) -> str:
    introduction = (ASSETS / "index.md").read_text("utf-8")
    return _markdown(introduction.replace("{course map}", course_map(lessons)))


def notebook_html(notebook: NotebookNode) -> str:
    """The body of a notebook's page; formulas, figures and widgets as the site shows them."""
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        live = any(output.get("data", {}).get("text/plain") == LIVE for output in outputs)
        if live and needs_no_python(cell.source):  # what stands for the widget says more than its picture
            outputs[:] = [output for output in outputs if PLOTLY not in output.get("data", {})]
        for output in outputs:
            bundle = output.get("data", {})
            if PLOTLY in bundle:
                drawn = figure_html(bundle[PLOTLY], bundle["image/png"])
                output["data"] = nbformat.from_dict({"text/html": drawn})
            elif bundle.get("text/plain") == LIVE:
                output["data"] = nbformat.from_dict({"text/html": widget_html(cell.source)})
            elif "text/markdown" in bundle:
                output["data"] = nbformat.from_dict({"text/html": _markdown(bundle["text/markdown"])})
    body, _ = _Exporter(template_name="basic").from_notebook_node(notebook)
    return str(body)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", nargs="?", type=Path, default=ROOT / "build" / "site")
    chosen = parser.parse_args(arguments)
    try:
        first = build(chosen.target)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"written; open {first}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
