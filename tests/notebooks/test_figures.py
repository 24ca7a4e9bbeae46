"""Every figure of every stored notebook says what to look at, and says in words what it shows."""

import re
from typing import Any

import nbformat
import pytest

from bcl_edu.course.figures.style import METHOD_COLOURS, method_in
from tools.notebooks import NOTEBOOKS, PLOTLY, notebook_of, twins

STORED = {
    twin.stem: nbformat.read(notebook_of(twin), as_version=4)
    for twin in twins()
    if notebook_of(twin).exists()
}
FIGURES = [
    pytest.param(output["data"], id=f"{name[:2]}-cell-{number}")
    for name, notebook in STORED.items()
    for number, cell in enumerate(notebook.cells, start=1)
    for output in cell.get("outputs", ())
    if PLOTLY in output.get("data", {})
]


def test_there_are_figures_to_look_at() -> None:
    assert len(FIGURES) > 30


@pytest.mark.parametrize("bundle", FIGURES)
def test_a_figure_has_a_title_a_caption_that_is_drawn_and_a_text_alternative(bundle: dict[str, Any]) -> None:
    layout = bundle[PLOTLY]["layout"]
    title, caption, words = layout["title"]["text"], layout["meta"]["caption"], layout["meta"]["alternative"]
    assert caption in title
    assert len(caption.split()) >= 4
    assert len(words.split()) >= 8
    assert bundle["text/plain"] == words
    assert bundle["image/png"].startswith("iVBOR")


@pytest.mark.parametrize("name", STORED)
def test_a_picture_in_the_text_has_a_text_alternative(name: str) -> None:
    for cell in STORED[name].cells:
        if cell.cell_type == "markdown":
            for words in re.findall(r"!\[([^\]]*)\]\(", cell.source):
                assert len(words.split()) >= 4
            assert "<img" not in cell.source


def test_notebooks_are_stored_where_this_looks() -> None:
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == set(STORED)


def test_a_method_has_its_colour_in_every_stored_figure() -> None:
    drawn = 0
    for bundle in (figure.values[0] for figure in FIGURES):
        for trace in bundle[PLOTLY]["data"]:
            method = method_in(trace.get("name") or "")
            parts = (trace.get("line") or {}, trace.get("marker") or {})
            colours = [part["color"] for part in parts if isinstance(part.get("color"), str)]
            if method and colours:
                drawn += 1
                assert METHOD_COLOURS[method] in colours, trace["name"]
    assert drawn > 30
