"""Every format shows the same cells; what looks like markup in a name stays text."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bcl_edu.report import __main__ as command
from bcl_edu.report import as_dataframe, as_html, as_markdown, as_text, build_report, records
from tests.report.conftest import StoreRun
from tools.readme import filled_rows

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture
def runs(store_run: StoreRun, tmp_path: Path) -> Path:
    store_run("seed0", "table2-bcl", 52.0)
    store_run("seed1", "table2-bcl", 53.0, seed=1)
    store_run("a|b & <c>", "table2-bcl", 30.0, epochs=60)
    return tmp_path / "runs"


def cells(line: str, separator: str) -> list[str]:
    return [cell.strip() for cell in line.split(separator) if cell.strip()]


def test_text_aligns_its_columns_and_loses_nothing(runs: Path) -> None:
    lines = as_text(build_report([runs])).splitlines()
    row = next(line for line in lines if line.startswith("table2-bcl"))
    expected = ["table2-bcl", "LC + SC + both (BCL)", "53.9", "52.50 ± 0.71", "62.5 / 52.5 / 42.5", "-1.40"]
    assert cells(row, "  ")[:6] == expected
    head = next(line for line in lines if line.startswith("recipe"))
    assert row.index("53.9") == head.index("paper")
    assert row.index("0, 1") == head.index("seed numbers")


def test_a_run_apart_stands_beside_its_nearest_row_and_the_reason(runs: Path) -> None:
    (line,) = [line for line in as_text(build_report([runs])).splitlines() if "<c>" in line]
    expected = ["bcl", "60", "0", "30.00", "40.00 / 30.00 / 20.00", "table2-bcl (paper 53.9)"]
    assert cells(line, "  ")[1:] == [*expected, "epochs 60, the row's 400"]


def test_markdown_tables_have_the_same_number_of_cells_in_every_row(runs: Path) -> None:
    tables = [line for line in as_markdown(build_report([runs])).splitlines() if line.startswith("|")]
    numbers = [line.replace("\\|", "").count("|") for line in tables]
    assert set(numbers) == {12, 9}
    assert any("a\\|b &amp; &lt;c&gt;" in line for line in tables)


def test_html_is_well_formed_and_escapes_names(runs: Path) -> None:
    fragment = as_html(build_report([runs]))
    root = ElementTree.fromstring(f"<div>{fragment}</div>")
    shown = [cell.text for cell in root.iter("td")]
    assert "52.50 ± 0.71" in shown
    assert str(runs / "a|b & <c>") in shown


def test_a_notebook_shows_the_html(runs: Path) -> None:
    report = build_report([runs])
    assert report._repr_html_() == as_html(report)


def test_the_dataframe_has_a_row_a_line_and_numbers_as_numbers(runs: Path) -> None:
    report = build_report([runs])
    frame = as_dataframe(report)
    assert list(frame.columns) == list(records(report)[0])
    assert frame["recipe"].tolist() == [row["recipe"] for row in records(report)]
    assert frame["top1"].dtype == float
    ours = frame.set_index("recipe")["top1"].dropna().to_dict()
    assert ours == {row["recipe"]: row["top1"] for row in records(report) if row["top1"] is not None}
    assert ours


def test_without_pandas_the_message_says_what_to_do(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install pandas"):
        as_dataframe(build_report([runs]))


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_the_command_writes_each_format_to_a_file(
    form: str, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "report"
    command.main([str(runs), "--format", form, "--output", str(file)])
    assert capsys.readouterr().out.strip() == str(file)
    assert "52.50 ± 0.71" in file.read_text()


def test_the_command_reads_the_kept_results(capsys: pytest.CaptureFixture[str]) -> None:
    command.main([str(RESULTS)])
    printed = capsys.readouterr().out
    filled = {line.row.recipe.name for line in filled_rows()}
    for path in RESULTS.rglob("run.json"):
        name = json.loads(path.read_text())["recipe"]["name"]
        assert (name if name in filled else str(path.parent)) in printed


def test_a_folder_without_runs_is_a_mistake_unless_all_tables_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"no run\.json below .*; name folders"):
        command.main([str(tmp_path)])
    command.main([str(tmp_path), "--all"])
    assert "table2-bcl" in capsys.readouterr().out


def test_a_folder_is_no_file_to_write_to(runs: Path) -> None:
    with pytest.raises(SystemExit, match="is a folder; "):
        command.main([str(runs), "--output", str(runs)])


@pytest.mark.parametrize(("arguments", "message"), [(["nowhere"], "folder nowhere"), ([], "more folders")])
def test_a_mistake_is_one_message(arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit) as end:
        command.main(arguments)
    assert message in str(end.value.code)
