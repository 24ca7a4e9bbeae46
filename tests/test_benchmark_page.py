"""The page of benchmarks is what their records give, and each record can be trusted to be whole."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tools import benchmark_page
from tools.benchmark_page import (
    PLOTS,
    QUICK,
    WHOLE,
    figure,
    page_text,
    plot_file,
    problems,
    records,
    run_all,
    scripts,
    whole,
)

RECORDS = records()


def test_the_page_and_its_plots_are_what_the_records_give() -> None:
    assert list(problems()) == []


def test_a_changed_record_makes_the_page_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    changed: dict[str, Any] = copy.deepcopy(dict(RECORDS))
    changed["loss"]["verdicts"][0]["measured"] = 123.456
    changed["growth"]["plots"][0]["series"]["K changes"]["y"][0] *= 2
    monkeypatch.setattr(benchmark_page, "records", lambda: changed)
    found = list(problems())
    assert any("docs/benchmarks.md " in problem for problem in found)
    assert any("the plot 'Time of the loss" in problem for problem in found)


def test_no_plot_lies_around_that_the_page_does_not_show() -> None:
    shown = set(re.findall(r"\(benchmarks/(.*?\.svg)\)", page_text(RECORDS)))
    assert {path.name for path in PLOTS.glob("*.svg")} == shown


def test_what_a_script_measured_on_demand_stands_in_its_section() -> None:
    """Such a record is called after the script, NAME_BESIDE.json."""
    section = page_text(RECORDS).split("\n## step\n")[1].split("\n## ")[0]
    tables = [table for beside in ("step_tried", "step_profile") for table in RECORDS[beside]["tables"]]
    assert len(tables) == 3
    for table in tables:
        assert f"*{table['title']}*" in section
        for row in table["rows"]:
            assert "| " + " | ".join(str(cell) for cell in row) + " |" in section


def test_every_script_is_on_the_page() -> None:
    page = page_text(RECORDS)
    for name, script in scripts().items():
        if name in RECORDS or name not in QUICK:
            assert f"../benchmarks/{script.name})" in page


def test_what_takes_longer_is_shown_and_judged_too() -> None:
    page = page_text(RECORDS)
    last = page.split("\n## Not part of `make bench`\n")[1]
    (table,) = RECORDS["convergence"]["tables"]
    assert "### convergence\n\n[Script](../benchmarks/convergence.py)" in last
    assert f"*{table['title']}*" in last
    goals = page.split("\n## loss\n")[0]
    for verdict in RECORDS["convergence"]["verdicts"]:
        assert verdict["goal"].replace("|", "\\|") in goals


def test_the_page_says_how_long_all_of_it_took() -> None:
    record = whole({"loss": 61.4, "views": 28.6}) | {
        "measured": "2026-01-01",
        "machine": {"cores": 2},
        "versions": {},
    }
    page = page_text({**RECORDS, WHOLE: record})
    assert "| 1.5 | at most 15 | met |" in page
    assert "| loss | 61 |\n| views | 29 |" in page.split("\n## make bench\n")[1]


@pytest.mark.parametrize("breaks", [False, True])
def test_only_a_whole_run_says_how_long_it_took(
    breaks: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in QUICK:
        (tmp_path / f"{name}.py").write_text("raise SystemExit(1)" if breaks and name == "views" else "")
    monkeypatch.setattr(benchmark_page, "BENCHMARKS", tmp_path)
    monkeypatch.setattr(benchmark_page, "write", lambda: None)
    assert run_all() == breaks
    record = tmp_path / "results" / f"{WHOLE}.json"
    assert record.exists() != breaks
    if not breaks:
        assert json.loads(record.read_text())["seconds"].keys() == set(QUICK)


@pytest.mark.parametrize("name", [name for name, record in RECORDS.items() if "verdicts" in record])
def test_a_verdict_follows_from_its_figures(name: str) -> None:
    for verdict in RECORDS[name]["verdicts"]:
        sign, bound = re.fullmatch(r"(at most|at least) (\S+)", verdict["bound"]).groups()  # type: ignore[union-attr]
        over = verdict["measured"] - float(bound)
        assert verdict["met"] == (over <= 0 if sign == "at most" else over >= 0), verdict


def test_a_missed_goal_stands_first_and_in_bold() -> None:
    record = {
        "loss": {
            "verdicts": [
                {"goal": "first", "measured": 1, "bound": "at most 2", "met": True},
                {"goal": "second", "measured": 3, "bound": "at most 2", "met": False},
            ]
        }
    }
    page = page_text(record)
    assert "1 of 2 are met." in page
    assert page.index("| second | 3 | at most 2 | **missed** |") < page.index(
        "| first | 1 | at most 2 | met |"
    )


def test_a_plot_draws_its_points_on_logarithmic_axes() -> None:
    plot = {
        "title": "t",
        "look_at": "l",
        "x": "K",
        "y": "ms",
        "series": {"a": {"x": [1, 10], "y": [2, 20]}, "b": {"x": [1, 10], "y": [3, 5]}},
    }
    drawn = figure(plot)
    assert [(trace.name, list(trace.x), list(trace.y)) for trace in drawn.data] == [
        ("a", [1, 10], [2, 20]),
        ("b", [1, 10], [3, 5]),
    ]
    assert (drawn.layout.xaxis.type, drawn.layout.yaxis.type) == ("log", "log")
    other = json.loads(json.dumps(plot))
    other["series"]["b"]["y"][1] = 6
    assert plot_file("x", plot) != plot_file("x", other)
