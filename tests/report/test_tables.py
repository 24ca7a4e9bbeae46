"""Figures are means over seeds of the last epoch; nothing is mixed in that differs in more than the seed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bcl_edu.report import as_html_page, as_markdown, as_text, build_report, records
from bcl_edu.report.row_tables import Report, TableEntry
from tests.report.conftest import StoreRun


def lines_of(report: Report, recipe: str) -> list[TableEntry]:
    return [line for lines in report.tables.values() for line in lines if line.row.recipe.name == recipe]


def test_ours_is_the_mean_of_the_last_epoch_and_best_stands_beside_it(
    store_run: StoreRun, tmp_path: Path
) -> None:
    for seed, top1 in enumerate((50.0, 51.0, 53.5)):
        store_run(f"seed{seed}", "table2-lc", top1, seed=seed)
    (line,) = lines_of(build_report([tmp_path]), "table2-lc")
    assert str(line.figure("top1")) == "51.50 ± 1.80"  # deviations -1.5, -0.5, 2: variance 6.5 / 2
    assert str(line.figure("few")) == "41.50 ± 1.80"
    assert str(line.figure("top1", "best")) == "52.50 ± 1.80"
    assert line.difference == pytest.approx(51.5 - 50.8)
    assert line.facts(lambda run: run.recipe.seed) == "0, 1, 2"


def test_one_seed_has_no_deviation(store_run: StoreRun, tmp_path: Path) -> None:
    store_run("a", "table2-lc", 50.0)
    (line,) = lines_of(build_report([tmp_path]), "table2-lc")
    assert str(line.figure("top1")) == "50.00"


def test_a_table_with_a_run_shows_all_its_rows_and_others_on_demand_only(
    store_run: StoreRun, tmp_path: Path
) -> None:
    store_run("a", "table2-lc", 50.0)
    report = build_report([tmp_path])
    (title,) = report.tables
    assert title.startswith("Table 2")
    assert [len(line.runs) for line in report.tables[title]] == [1, 0, 0, 0, 0]
    assert len(build_report([tmp_path], all_tables=True).tables) > 8


def test_a_row_without_a_figure_of_the_paper_has_no_difference(store_run: StoreRun, tmp_path: Path) -> None:
    store_run("a", "cifar10-lt-if10-focal", 80.0)
    (line,) = lines_of(build_report([tmp_path]), "cifar10-lt-if10-focal")
    assert line.figure("top1") is not None
    assert line.difference is None


def test_choices_of_ours_get_a_line_of_their_own_below_the_recipe(
    store_run: StoreRun, tmp_path: Path
) -> None:
    store_run("a", "table2-bcl", 52.0, classifier="cosine")
    store_run("b", "table2-bcl", 50.0)
    store_run("c", "table2-bcl", 53.0, classifier="cosine", seed=1)
    report = build_report([tmp_path])
    recipe, cosine = lines_of(report, "table2-bcl")
    assert (recipe.choices, cosine.choices) == ((), ("classifier cosine",))
    assert (len(recipe.runs), len(cosine.runs)) == (1, 2)
    assert report.apart == []


def test_a_repeated_seed_is_listed_apart_and_a_copy_of_a_record_once(
    store_run: StoreRun, tmp_path: Path
) -> None:
    first = store_run("a", "table2-lc", 50.0)
    store_run("b", "table2-lc", 51.0)
    copied = tmp_path / "runs" / "copy"
    copied.mkdir()
    (copied / "run.json").write_bytes((first / "run.json").read_bytes())
    report = build_report([tmp_path])
    (line,) = lines_of(report, "table2-lc")
    assert [run.folder.name for run in line.runs] == ["a"]
    (apart,) = report.apart
    assert (apart.folder.name, apart.reasons) == (
        "b",
        (f"seed 0 of this row is already taken, by {tmp_path / 'runs' / 'a'}",),
    )


def test_two_subsets_are_not_mixed_where_the_published_one_is_unknown(
    store_run: StoreRun, tmp_path: Path
) -> None:
    for seed, subset in enumerate("aba"):
        store_run(f"seed{seed}", "inaturalist2018", 60.0, seed=seed, data={"subset_sha256": subset * 64})
    report = build_report([tmp_path])
    (line,) = lines_of(report, "inaturalist2018-resnet50-bcl")
    assert [run.recipe.seed for run in line.runs] == [0, 2]
    (apart,) = report.apart
    assert apart.reasons[0].startswith("training subset bbbbbbbbbbbb, but aaaaaaaaaaaa")


def test_a_run_given_twice_is_read_once(store_run: StoreRun, tmp_path: Path) -> None:
    store_run("a", "table2-lc", 50.0)
    report = build_report([tmp_path, tmp_path / "runs", tmp_path / "runs" / "a"])
    assert len(lines_of(report, "table2-lc")[0].runs) == 1
    assert report.apart == []


def test_unfinished_damaged_and_unknown_runs_are_listed_with_the_reason(
    store_run: StoreRun, tmp_path: Path
) -> None:
    store_run("a", "table2-lc", 0.0, finished=0)
    store_run("b", "digits-lt", 80.0)
    (store_run("c", "table2-lc", 50.0) / "run.json").write_text("{")
    (store_run("d", "table2-lc", 50.0) / "run.json").write_text(
        '{"recipe": {"nu": 1}, "data": {}, "epochs_finished": 0, "last": null}'
    )
    for name, part in (("e", "sessions"), ("f", "data"), ("g", "best")):
        path = store_run(name, "table2-lc", 50.0) / "run.json"
        record = json.loads(path.read_text())
        record[part] = type(record[part])() if part != "best" else None
        path.write_text(json.dumps(record))
    for name, part, value in (
        ("h", "last", {"top1": "high"}),
        ("i", "epochs_finished", "400"),
        ("j", "epochs_finished", 999),
        ("k", "data", {"training_images": "many"}),
    ):
        path = store_run(name, "table2-lc", 50.0) / "run.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {part: value}))
    report = build_report([tmp_path])
    assert report.tables == {}
    for written in (as_text(report), as_markdown(report), as_html_page(report)):
        assert "11 runs" in written
    reasons = {one.folder.name: " ".join(one.reasons) for one in report.apart}
    assert reasons["a"] == "unfinished, 0 of 400 epochs"
    assert reasons["b"].endswith("digits and method bcl")
    assert "is damaged" in reasons["c"]
    assert "another version of bcl_edu" in reasons["d"]
    assert "the run computed" in reasons["e"]
    assert "on which images" in reasons["f"]
    assert "no figures" in reasons["g"]
    assert "its 'last' is" in reasons["h"]
    assert "its 'epochs_finished' is \"400\"" in reasons["i"]
    assert reasons["j"].endswith("999 finished epochs of 400")
    assert "its 'data' is" in reasons["k"]


def test_records_hold_numbers_and_none(store_run: StoreRun, tmp_path: Path) -> None:
    store_run("a", "cifar100-lt-if100-400-epochs-bcl", 52.0)
    by_recipe = {record["recipe"]: record for record in records(build_report([tmp_path]))}
    ours = by_recipe["cifar100-lt-if100-400-epochs-bcl"]
    assert (ours["paper_top1"], ours["paper_few"], ours["top1"], ours["top1_std"]) == (53.9, 35.5, 52.0, None)
    assert ours["difference"] == pytest.approx(-1.9)
    assert by_recipe["table2-bcl"]["top1"] == 52.0  # the same training fills both rows
    assert by_recipe["table2-scl"]["top1"] is None


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"there is no folder .*nowhere"):
        build_report([tmp_path / "nowhere"])


def test_a_folder_that_may_not_be_searched_is_listed_with_the_reason(
    store_run: StoreRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_run("a", "table2-lc", 50.0)
    (tmp_path / "runs" / "closed").mkdir()
    scandir = os.scandir

    def closed(path: str) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    report = build_report([tmp_path])
    assert len(lines_of(report, "table2-lc")[0].runs) == 1
    (apart,) = report.apart
    assert apart.folder == tmp_path / "runs" / "closed"
    assert "Permission denied" in apart.reasons[0]


def test_runs_under_the_common_protocol_stand_in_tables_of_their_own(
    store_run: StoreRun, tmp_path: Path
) -> None:
    for seed, top1 in enumerate((44.0, 46.0)):
        store_run(f"ldam{seed}", "cifar100-lt-if100-ldam-drw", top1, protocol="common", seed=seed)
    store_run("faithful", "cifar100-lt-if100-ldam-drw", 42.0)
    store_run("crt", "cifar100-lt", 47.0, method="crt", protocol="common")
    store_run("wider", "cifar100-lt", 48.0, method="crt", protocol="common", batch_size=128)
    store_run("unfinished", "cifar100-lt", 1.0, method="lws", protocol="common", finished=3)
    report = build_report([tmp_path])
    (title,) = (title for title in report.tables if "Common protocol" in title)
    crt, wider, ldam = report.tables[title]
    assert (str(ldam.figure("top1")), ldam.difference) == ("45.00 ± 1.41", None)
    assert (str(crt.figure("top1")), crt.choices) == ("47.00", ())
    assert wider.choices == ("batch size 128",)
    (faithful,) = lines_of(report, "cifar100-lt-if100-ldam-drw")[:1]
    assert [run.folder.name for run in faithful.runs] == ["faithful"]
    assert [one.folder.name for one in report.apart] == ["unfinished"]


def test_runs_of_ones_own_are_averaged_over_their_seeds(store_run: StoreRun, tmp_path: Path) -> None:
    for seed, top1 in ((0, 60.0), (1, 64.0)):
        store_run(f"own{seed}", "folder", top1, seed=seed)
    store_run("again", "folder", 10.0, seed=1, data={"test_images": 2})
    store_run("longer", "folder", 70.0, epochs=200)
    store_run("unfinished", "folder", 70.0, finished=3, epochs=150)
    found = [record for record in records(build_report([tmp_path])) if record["table"] == ""]
    assert [(one["epochs"], one["seeds"], one["top1"]) for one in found] == [
        (100, [1, 0], 35.0),
        (200, [0], 70.0),
    ]
    assert found[0]["dataset"] == "folder"


def test_a_run_of_ones_own_is_told_apart_by_what_differs_from_its_recipe(
    store_run: StoreRun, tmp_path: Path
) -> None:
    store_run("usual", "digits-lt", 80.0)
    store_run("other", "digits-lt", 81.0, backbone="resnet32", epochs=3)
    store_run("started", "digits-lt", 82.0, start_from="0123456789abcdef" * 4)
    lines = {line.choices: line.figure("top1") for line in build_report([tmp_path / "runs"]).own}
    assert {choices: figure and figure.mean for choices, figure in lines.items()} == {
        (): 80.0,
        ("backbone resnet32", "epochs 3"): 81.0,
        ("start from 0123456789ab",): 82.0,
    }
