"""Every figure in results/README.md is in the record it points to, and kept weights are those of their record."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from bcl_edu.evaluate import evaluate_checkpoint
from bcl_edu.stored_forms import epochs_of
from bcl_edu.training import CheckpointError, load_pretrained
from bcl_edu.training.display import format_number
from bcl_edu.training.weights import SMALL_ENOUGH
from benchmarks.digits_methods import read, table

RESULTS = Path(__file__).parent.parent / "results"
ROWS = re.findall(
    r"^\| \[.*?\]\((?P<record>.*?)\) \| .*? \| (?P<epochs>\d+) \| (?P<seed>\d+) \| (?P<top1>[\d.]+) \| "
    r"(?P<groups>[^|]*) \| (?P<deviation>[^|]*) \|$",
    (RESULTS / "README.md").read_text(),
    flags=re.MULTILINE,
)


def test_every_kept_run_is_listed() -> None:
    listed = {row[0] for row in ROWS}
    assert listed == {str(path.relative_to(RESULTS)) for path in RESULTS.rglob("run.json")}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_row_says_what_the_record_says(row: tuple[str, ...]) -> None:
    path, epochs, seed, top1, groups, deviation = row
    record = json.loads((RESULTS / path).read_text())
    last = record["last"]
    assert (epochs_of(record), record["recipe"]["seed"], last["epoch"]) == (
        int(epochs),
        int(seed),
        int(epochs),
    )
    assert f"{last['top1']:.1f}" == top1
    assert " / ".join(format_number(last[name]) for name in ("many", "medium", "few")) == groups
    assert f"{last['feature_simplex_deviation']:.3f} (features)" in deviation


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_metrics_end_with_the_last_epoch(row: tuple[str, ...]) -> None:
    folder = (RESULTS / row[0]).parent
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1] == json.loads((folder / "run.json").read_text())["last"]
    assert [entry["epoch"] for entry in rows] == list(range(1, len(rows) + 1))


def test_the_table_of_methods_on_the_digits_is_that_of_its_runs() -> None:
    folder = RESULTS / "digits-lt-methods"
    assert table(read(folder / "runs.jsonl")) in (folder / "README.md").read_text()


WEIGHTS = sorted(RESULTS.rglob("model.safetensors"))


def test_weights_are_kept() -> None:
    assert RESULTS / "digits-lt" / "bcl" / "model.safetensors" in WEIGHTS


@pytest.mark.parametrize("path", WEIGHTS, ids=lambda path: path.parent.name)
def test_kept_weights_are_small_and_load_with_their_record(path: Path) -> None:
    assert path.stat().st_size <= SMALL_ENOUGH
    record = json.loads((path.parent / "run.json").read_text())
    assert load_pretrained(path.parent).epoch == record["epochs_finished"] == epochs_of(record)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_record_has_the_hashes_of_what_is_kept_beside_it(row: tuple[str, ...]) -> None:
    path = RESULTS / row[0]
    kept = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in path.parent.iterdir()
        if file != path
    }
    assert json.loads(path.read_text())["sha256"] == kept


def test_one_changed_bit_of_kept_weights_is_noticed(tmp_path: Path) -> None:
    kept = shutil.copytree(RESULTS / "digits-lt" / "bcl", tmp_path / "kept")
    content = bytearray((kept / "model.safetensors").read_bytes())
    content[65319] ^= 1 << 6  # which once cost 77 points of accuracy, without a word
    (kept / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
        evaluate_checkpoint(kept, device="cpu")


@pytest.mark.parametrize("loss", ["bcl", "lc"])
def test_the_weights_of_the_digits_come_to_the_figures_of_their_record(loss: str) -> None:
    folder = RESULTS / "digits-lt" / loss
    found, last = (
        evaluate_checkpoint(folder, device="cpu"),
        json.loads((folder / "run.json").read_text())["last"],
    )
    for name, images in (("top1", 400), ("many", 40), ("medium", 160), ("few", 200)):
        # another processor rounds otherwise: one image of the group may fall on the other side
        assert found[name] == pytest.approx(last[name], abs=100 / images + 1e-9)
    assert found["simplex_deviation"] == pytest.approx(last["simplex_deviation"], abs=1e-3)
