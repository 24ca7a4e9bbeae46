"""tools.notebooks: what is written from a text twin, and what is found when the two have drifted apart."""

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from tools import notebooks

HEADER = """\
# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

"""
TWIN = (
    HEADER
    + """\
# %% [markdown]
# # A question

# %%
import plotly.graph_objects as go

figure = go.Figure(go.Scatter(x=[1, 2], y=[3, 4]))
figure.update_layout(meta={"alternative": "A line that rises from 3 to 4."})

# %%
go.FigureWidget(figure)

# %%
print("forty-two")
"""
)


def write_twin(folder: Path, text: str, name: str = "one") -> Path:
    """The text twin of a notebook of that folder."""
    path = notebooks.twin_of(folder / f"{name}.ipynb")
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a twin and its notebook, executed once for all tests."""
    folder = tmp_path_factory.mktemp("synced")
    notebooks.sync(write_twin(folder, TWIN))
    return folder


@pytest.fixture
def twin(synced: Path, tmp_path: Path) -> Path:
    """A copy of that pair that a test may spoil."""
    shutil.copytree(synced, tmp_path, dirs_exist_ok=True)
    return notebooks.twin_of(tmp_path / "one.ipynb")


def change_notebook(twin: Path, change: Callable[[NotebookNode], None]) -> None:
    path = notebooks.notebook_of(twin)
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    nbformat.write(notebook, path)


def test_a_fresh_pair_has_no_problems_and_is_a_valid_notebook(twin: Path) -> None:
    assert notebooks.problems(twin) == []
    nbformat.validate(nbformat.read(notebooks.notebook_of(twin), as_version=4))


def test_a_figure_keeps_a_picture_and_its_description(twin: Path) -> None:
    cells = nbformat.read(notebooks.notebook_of(twin), as_version=4).cells
    (output,) = cells[1].outputs
    assert output.data["text/plain"] == "A line that rises from 3 to 4."
    assert notebooks.PLOTLY in output.data
    assert output.data["image/png"].startswith("iVBOR")


def test_a_widget_stores_no_dead_model(twin: Path) -> None:
    notebook = nbformat.read(notebooks.notebook_of(twin), as_version=4)
    (output,) = notebook.cells[2].outputs
    assert output.data == {"text/plain": "(a live widget: run this cell to use it)"}
    assert "widgets" not in notebook.metadata


def test_below_a_widget_stands_the_figure_that_was_in_it(tmp_path: Path) -> None:
    twin = write_twin(
        tmp_path,
        HEADER
        + """\
# %%
import ipywidgets

from bcl_edu.course.figures import training_curves
from bcl_edu.course.widgets import LiveFigure

one, two = ([{"epoch": 1, "top1": 10.0}, {"epoch": 2, "top1": last}] for last in (20.0, 30.0))
live = LiveFigure(training_curves({"a": one}, "top1"))
ipywidgets.VBox([ipywidgets.Label("moved below"), ipywidgets.VBox([live])])

# %%
live.show(training_curves({"a": two}, "top1"))
""",
    )
    notebook = nbformat.read(notebooks.sync(twin), as_version=4)
    nbformat.validate(notebook)
    note, picture = notebook.cells[0].outputs
    assert note.data == {"text/plain": notebooks.LIVE}
    assert picture.data[notebooks.PLOTLY]["data"][0]["y"] == [10.0, 30.0]  # what it showed in the end
    assert picture.data["image/png"].startswith("iVBOR")
    assert "widgets" not in notebook.metadata


def test_of_a_widgets_figure_only_a_picture_is_stored_where_there_is_no_room(
    twin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = nbformat.read(notebooks.notebook_of(twin), as_version=4)
    drawing = {notebooks.PLOTLY: dict(notebook.cells[1].outputs[0].data[notebooks.PLOTLY])}
    picture = notebooks._with_still(notebook.cells[2], drawing)
    monkeypatch.setattr(notebooks, "LARGEST_OUTPUTS", notebooks._size_of_outputs(notebook.cells) + 100)
    notebooks._add_figure_if_there_is_room(notebook, picture, drawing)
    assert notebook.cells[2].outputs[-1] == picture
    assert set(picture.data) == {"text/plain", "image/png"}
    assert picture.data["text/plain"] == "A line that rises from 3 to 4."


def test_writing_again_changes_nothing_but_what_was_run(twin: Path) -> None:
    before = nbformat.read(notebooks.notebook_of(twin), as_version=4)
    again = notebooks.from_twin(twin)
    assert [cell.id for cell in again.cells] == [cell.id for cell in before.cells]
    assert again.metadata == before.metadata


def test_ids_stay_when_a_cell_comes_between(tmp_path: Path) -> None:
    one = write_twin(tmp_path, HEADER + "# %%\na = 1\n\n# %%\nb = 2\n\n# %%\na = 1\n", "one")
    two = write_twin(tmp_path, HEADER + "# %%\na = 1\n\n# %%\nnew = 0\n\n# %%\nb = 2\n\n# %%\na = 1\n", "two")
    ids = [cell.id for cell in notebooks.from_twin(one).cells]
    assert len(set(ids)) == 3
    assert [cell.id for cell in notebooks.from_twin(two).cells if "new" not in cell.source] == ids


def test_an_edited_twin_is_found_with_the_cell_that_changed(twin: Path) -> None:
    twin.write_text(TWIN.replace("forty-two", "forty-three"))
    assert notebooks.problems(twin) == [
        """one.ipynb: cell 4 differs from its text twin ('print("forty-three")'); run `make sync`"""
    ]


def test_a_cell_more_in_the_twin_is_found(twin: Path) -> None:
    twin.write_text(TWIN + "\n# %%\n1 + 1\n")
    assert notebooks.problems(twin) == ["one.ipynb: has 4 cells, its text twin 5; run `make sync`"]


def test_text_turned_into_code_is_found(twin: Path) -> None:
    twin.write_text(TWIN.replace("# %% [markdown]\n# # A question", "# %%\n# # A question"))
    assert "cell 1 differs" in notebooks.problems(twin)[0]


def spoil_execution(notebook: NotebookNode) -> None:
    notebook.cells[3].execution_count = None


def spoil_state(notebook: NotebookNode) -> None:
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}


def spoil_size(notebook: NotebookNode) -> None:
    notebook.cells[3].outputs[0].text = "x\n" * notebooks.LARGEST_OUTPUTS


def spoil_path(notebook: NotebookNode) -> None:
    notebook.cells[3].outputs[0].text = f"saved to /{'home'}/somebody/runs/1\n"


def spoil_line(notebook: NotebookNode) -> None:
    notebook.cells[3].outputs[0].text = f"short\n{'x' * 121}\n"


def spoil_error(notebook: NotebookNode) -> None:
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
    notebook.cells[3].outputs = [error]


def spoil_id(notebook: NotebookNode) -> None:
    notebook.cells[0].id = "another"


def spoil_metadata(notebook: NotebookNode) -> None:
    notebook.metadata.kernelspec.name = "my-own-kernel"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_execution, "cell 4 was never run"),
        (spoil_state, "widget state"),
        (spoil_size, "more than 250,000"),
        (spoil_path, f"/{'home'}/somebody/runs/1"),
        (spoil_line, "cell 4 prints a line of 121 characters"),
        (spoil_error, "cell 4 stores an error: ValueError"),
        (spoil_id, "cell ids"),
        (spoil_metadata, "metadata"),
    ],
)
def test_what_must_not_be_committed_is_one_clear_message(
    twin: Path, spoil: Callable[[NotebookNode], None], message: str
) -> None:
    change_notebook(twin, spoil)
    (problem,) = notebooks.problems(twin)
    assert problem.startswith("one.ipynb: ")
    assert message in problem


def test_relative_paths_and_addresses_are_no_machine_paths() -> None:
    for text in ("results/home/x", "../data/tmp/x", "https://example.org/home/x", "and/or", "n/a"):
        assert notebooks.MACHINE_PATH.search(text) is None


def test_a_missing_and_a_damaged_notebook_are_told(twin: Path) -> None:
    notebooks.notebook_of(twin).write_text("{")
    assert "cannot be read" in notebooks.problems(twin)[0]
    notebooks.notebook_of(twin).unlink()
    assert notebooks.problems(twin) == ["one.ipynb is missing; run `make sync`"]


def test_a_notebook_without_twin_is_an_orphan(twin: Path) -> None:
    folder = notebooks.notebook_of(twin).parent
    (folder / "two.ipynb").write_text("{}")
    assert [path.name for path in notebooks.orphans(folder)] == ["two.ipynb"]


def test_a_failing_cell_stops_the_sync_and_leaves_the_old_notebook(twin: Path) -> None:
    before = notebooks.notebook_of(twin).read_bytes()
    twin.write_text(HEADER + "# %%\nassert 1 == 2\n")
    with pytest.raises(CellExecutionError, match="AssertionError"):
        notebooks.sync(twin)
    assert notebooks.notebook_of(twin).read_bytes() == before


def test_a_name_without_a_twin_is_told(twin: Path) -> None:
    folder = notebooks.notebook_of(twin).parent
    assert notebooks.twins(folder) == [twin]
    with pytest.raises(FileNotFoundError, match=r"three\.py: no such text twin"):
        notebooks.twins(folder, ["three"])
