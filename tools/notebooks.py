"""Notebooks and their text twins: write the one from the other, and find out when they have drifted apart.

    python -m tools.notebooks sync                # every notebook anew from its twin, executed
    python -m tools.notebooks sync 01_first_look  # only this one
    python -m tools.notebooks check               # say what is stale or unfit to commit; exit 1 if anything is

A `sync` of all also writes the table of notebooks in README.md, from `notebooks/course.toml`.

`notebooks/source/NAME.py` (jupytext, py:percent) is the source: it is what is edited, reviewed, linted and formatted.
`notebooks/NAME.ipynb` is generated. Its cells are compared here one by one, since jupytext's own `--test` and
`--check` pass over stale outputs.

A notebook says nothing of its twin. If it did, JupyterLab would open whichever of the two files is newer, and the next
save would overwrite what a learner had typed into the other. So only this tool pairs them.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import plotly.graph_objects
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from PIL import Image

from bcl_edu.course.figures.style import fitted_to
from bcl_edu.course.outline import read_course, short_table

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
SOURCES = "source"
"""The folder inside of the notebooks' that holds their text twins: a learner's list of files shows notebooks only."""
README = NOTEBOOKS.parent / "README.md"

LARGEST_OUTPUTS = 250_000
"""Bytes of outputs that one notebook may store: it stays quick to open, to review and to clone."""

WIDEST_LINE = 120
"""Characters of a printed line that fit on a page of the site (site_assets/page.css)."""

MACHINE_PATH = re.compile(
    r"(?<![\w.~-])(?:/(?:home|root|Users|tmp|work|opt|var)|[A-Z]:\\Users)[/\\][^\s\"'<>,;)]*"
)
"""A path that exists on one machine only."""

PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
LIVE = "(a live widget: run this cell to use it)"
"""What is stored for a widget, before the picture of what it showed."""
SECONDS_A_CELL = 600
"""How long `sync` waits for a cell: ten times what any should take, for a machine that does other things too."""

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
"""All that a notebook says about itself: no version of the kernel, and no pairing with its text twin."""


def notebook_of(twin: Path) -> Path:
    """The notebook that is generated from a text twin."""
    return twin.parent.parent / f"{twin.stem}.ipynb"


def twin_of(notebook: Path) -> Path:
    """The text twin that a notebook is generated from."""
    return notebook.parent / SOURCES / f"{notebook.stem}.py"


def twins(folder: Path = NOTEBOOKS, names: Sequence[str] = ()) -> list[Path]:
    """The text twins of a folder of notebooks: all of them, or those of these names.

    Raises:
        FileNotFoundError: a name has no twin.
    """
    if not names:
        return sorted((folder / SOURCES).glob("*.py"))
    paths = [twin_of(folder / f"{Path(name).stem}.ipynb") for name in names]
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path.name}: no such text twin in {folder.name}/{SOURCES}/")
    return paths


def from_twin(twin: Path) -> NotebookNode:
    """The notebook that a text twin describes: no outputs, stable cell ids, no facts of this machine."""
    notebook = jupytext.read(twin, fmt="py:percent")
    taken: dict[str, int] = {}
    for cell in notebook.cells:
        # An id made from the text stays the same when cells around it come and go.
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
        taken[digest] = taken.get(digest, 0) + 1
        cell.id = digest if taken[digest] == 1 else f"{digest}-{taken[digest]}"
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run all cells in a fresh kernel, in the folder where JupyterLab would run them; the state of widgets is kept.

    Raises:
        CellExecutionError: a cell failed.
    """
    client = NotebookClient(
        notebook,
        timeout=SECONDS_A_CELL,
        kernel_name="python3",
        store_widget_state=True,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    return client.execute()


def tidy(notebook: NotebookNode) -> NotebookNode:
    """Make an executed notebook fit to commit and to read without a kernel.

    Widget views lose their (dead) model and say how to see them live; below stands a picture of the figure that was in
    one when its notebook had run, and the figure itself if there is room. Figures get a picture for hosts that do not
    run JavaScript, and their description instead of their source code for readers of plain text.
    """
    widgets = _widget_states(notebook)
    notebook.metadata = nbformat.from_dict(METADATA)
    shown_live: list[tuple[NotebookNode, dict[str, Any]]] = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.metadata.pop("execution", None)
        for output in cell.outputs:
            bundle = output.get("data", {})
            if WIDGET in bundle:
                drawing = _drawing_in(bundle[WIDGET]["model_id"], widgets)
                bundle.clear()
                bundle["text/plain"] = LIVE
                output.get("metadata", {}).clear()
                if drawing is not None:
                    shown_live.append((cell, drawing))
            elif PLOTLY in bundle:
                _add_still(bundle)
    pictures = [_with_still(cell, drawing) for cell, drawing in shown_live]
    for (_, drawing), picture in zip(shown_live, pictures, strict=True):
        _add_figure_if_there_is_room(notebook, picture, drawing)
    return notebook


def _widget_states(notebook: NotebookNode) -> dict[str, dict[str, Any]]:
    """What each widget of an executed notebook knew in the end, by its model's id."""
    stored = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {})
    return {model: entry["state"] for model, entry in stored.get("state", {}).items()}


def _drawing_in(model: str, widgets: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """The first figure that a widget shows, itself or inside of it; None if it shows none."""
    state = widgets.get(model, {})
    if "drawing" in state:
        return {PLOTLY: state["drawing"]}
    for child in state.get("children", ()):
        found = _drawing_in(child.removeprefix("IPY_MODEL_"), widgets)
        if found is not None:
            return found
    return None


def _with_still(cell: NotebookNode, drawing: dict[str, Any]) -> NotebookNode:
    """Put a picture of a widget's figure below its cell; returns this output."""
    still = dict(drawing)
    _add_still(still)
    still.pop(PLOTLY)
    cell.outputs.append(nbformat.v4.new_output("display_data", data=still))
    return cell.outputs[-1]


def _add_figure_if_there_is_room(
    notebook: NotebookNode, picture: NotebookNode, drawing: dict[str, Any]
) -> None:
    """Beside the picture the figure itself, to turn and zoom, unless the notebook would store too much."""
    if _size_of_outputs(notebook.cells) + len(json.dumps(drawing)) < LARGEST_OUTPUTS:
        picture.data.update(drawing)


def _add_still(bundle: dict[str, Any]) -> None:
    """Beside a live figure its description and a picture of it, of few colours to be small."""
    data, layout = bundle[PLOTLY]["data"], bundle[PLOTLY]["layout"]
    bundle.pop("text/html", None)
    bundle["text/plain"] = layout.get("meta", {}).get("alternative", "(a figure)")
    width = layout.get("width", 640)
    still = fitted_to(plotly.graph_objects.Figure(data=data, layout=layout), width)
    picture = still.to_image(format="png", width=width, height=still.layout.height or 400)
    small = io.BytesIO()
    image = Image.open(io.BytesIO(picture))
    # 4 steps of transparency are enough for the edges of letters, and leave the colours to what is drawn
    image.putalpha(image.getchannel("A").point([round(alpha / 85) * 85 for alpha in range(256)]))
    colours = (
        256 if any(trace["type"] == "image" for trace in data) else 40
    )  # photographs need more than diagrams
    image.quantize(colours, method=Image.Quantize.FASTOCTREE).save(small, format="png", optimize=True)
    bundle["image/png"] = base64.b64encode(small.getvalue()).decode("ascii")


def sync(twin: Path) -> Path:
    """Write the executed notebook of a text twin; returns its path."""
    path = notebook_of(twin)
    notebook = tidy(execute(from_twin(twin), path.parent))
    temporary = path.with_suffix(".ipynb.new")
    nbformat.write(notebook, temporary)
    os.replace(temporary, path)
    return path


def readme_with_table(readme: str) -> str:
    """The README with the table of notebooks that `course.toml` describes, in the place of the one it has."""
    table = short_table(read_course(NOTEBOOKS))
    head = re.escape(table.splitlines()[0])
    return re.sub(rf"{head}\n(\|.*\n)+", lambda _: table + "\n", readme)


def problems(twin: Path) -> list[str]:
    """Everything that makes a notebook stale or unfit to commit, one sentence each."""
    path = notebook_of(twin)
    if not path.exists():
        return [f"{path.name} is missing; run `make sync`"]
    try:
        stored = nbformat.read(path, as_version=4)
    except Exception as error:
        return [f"{path.name} cannot be read as a notebook ({type(error).__name__}); run `make sync`"]
    return [f"{path.name}: {problem}" for problem in (*_drift(from_twin(twin), stored), *_unfit(stored))]


def _drift(fresh: NotebookNode, stored: NotebookNode) -> Iterable[str]:
    """Whether the stored notebook is the one that the twin describes."""
    if len(fresh.cells) != len(stored.cells):
        yield f"has {len(stored.cells)} cells, its text twin {len(fresh.cells)}; run `make sync`"
        return
    for number, (ours, theirs) in enumerate(zip(fresh.cells, stored.cells, strict=True), start=1):
        if (ours.cell_type, ours.source) != (theirs.cell_type, theirs.source):
            yield f"cell {number} differs from its text twin ({_first_line(ours.source)!r}); run `make sync`"
            return
    if any(
        ours.get("id") != theirs.get("id") for ours, theirs in zip(fresh.cells, stored.cells, strict=True)
    ):
        yield "its cell ids are not those that `make sync` gives; run `make sync`"
    if fresh.metadata != {name: value for name, value in stored.metadata.items() if name != "widgets"}:
        yield "its metadata are not those that `make sync` writes (saved from an editor?); run `make sync`"


def _unfit(stored: NotebookNode) -> Iterable[str]:
    """What must not be committed, whatever the twin says."""
    if "widgets" in stored.metadata:
        yield "stores widget state; run `make sync`"
    code = [
        (n, cell) for n, cell in enumerate(stored.cells, start=1) if cell.cell_type == "code" and cell.source
    ]
    unrun = [number for number, cell in code if cell.execution_count is None]
    if unrun:
        yield f"code cell {unrun[0]} was never run ({len(unrun)} of {len(code)}); run `make sync`"
    for number, cell in code:
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"cell {number} stores an error: {output.ename}: {output.evalue}"
    stored_bytes = _size_of_outputs(stored.cells)
    if stored_bytes > LARGEST_OUTPUTS:
        yield f"stores {stored_bytes:,} bytes of outputs, more than {LARGEST_OUTPUTS:,}; show less, or coarser"
    for number, cell in code:
        widest = max(map(len, _printed(cell.outputs).splitlines()), default=0)
        if widest > WIDEST_LINE:
            yield f"cell {number} prints a line of {widest} characters, more than {WIDEST_LINE}; break it"
    for number, cell in code:
        found = MACHINE_PATH.search(_text_of(cell.outputs))
        if found:
            yield f"cell {number} shows a path of one machine: {found.group(0)}"


def _size_of_outputs(cells: Sequence[NotebookNode]) -> int:
    """Bytes of all outputs of a notebook."""
    return len(json.dumps([cell.outputs for cell in cells if cell.cell_type == "code"]))


def _printed(outputs: Sequence[NotebookNode]) -> str:
    """What these outputs print, joined where it came in pieces."""
    return "".join(output.text for output in outputs if output.output_type == "stream")


def _text_of(outputs: Sequence[NotebookNode]) -> str:
    """What a reader reads in these outputs; encoded pictures and figures' arrays are not text."""
    parts: list[str] = []
    for output in outputs:
        parts.append(output.get("text", ""))
        parts += [str(text) for kind, text in output.get("data", {}).items() if kind.startswith("text/")]
        parts += output.get("traceback", [])
    return "\n".join(parts)


def _first_line(source: str) -> str:
    return source.splitlines()[0][:60] if source else ""


def orphans(folder: Path = NOTEBOOKS) -> list[Path]:
    """Notebooks that have no text twin."""
    return [path for path in sorted(folder.glob("*.ipynb")) if not twin_of(path).exists()]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("sync", "check"))
    parser.add_argument("names", nargs="*", help="notebooks, such as 01_first_look; all if none is named")
    chosen = parser.parse_args(arguments)
    paths = twins(names=chosen.names)
    if chosen.action == "sync":
        for twin in paths:
            print(f"{twin.stem}: running ...", flush=True)
            try:
                sync(twin)
            except CellExecutionError as error:
                print(
                    f"{twin.name}: a cell failed, so the notebook stays as it was\n{error}", file=sys.stderr
                )
                return 1
        if not chosen.names:
            README.write_text(readme_with_table(README.read_text("utf-8")), "utf-8")
    found = [problem for twin in paths for problem in problems(twin)]
    if chosen.action == "check" and not chosen.names:
        found += [f"{path.name}: has no text twin" for path in orphans()]
        if README.read_text("utf-8") != readme_with_table(README.read_text("utf-8")):
            found.append("README.md: its table is not that of notebooks/course.toml; run `make sync`")
    for problem in found:
        print(problem, file=sys.stderr)
    if not found:
        print(f"{len(paths)} notebooks match their text twins and are fit to commit")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
