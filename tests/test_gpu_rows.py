"""A pack has the pictures that rows see, and the minutes of a machine are spent on jobs in their order."""

from __future__ import annotations

import dataclasses
import json
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from bcl_edu import evaluate
from bcl_edu.data import cifar, open_dataset
from bcl_edu.option_values import parse_options
from bcl_edu.recipe import Recipe
from bcl_edu.rows.registry import RECIPES
from bcl_edu.run_options import RunOptions
from bcl_edu.training.data import prepare_data
from tools.gpu_pack import Unpacked, pack
from tools.gpu_rows import ROWS, Clock, Job, Machine

EACH = {"train": 6, "test": 1}


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CIFAR-10 in its binary version, but with six images a class, and a cache of its own."""
    monkeypatch.setenv("BCL_EDU_CACHE", str(tmp_path / "cache"))
    whole = cifar.CIFAR["cifar10"]
    monkeypatch.setitem(cifar.CIFAR, "cifar10", dataclasses.replace(whole, images_a_class=EACH))
    folder = tmp_path / "data" / whole.versions[0].folder
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for name in whole.versions[0].files:
        labels = np.arange(10).repeat(1 if "test" in name else 6 // 5 + (name == "data_batch_1.bin"))
        records = [labels[:, None], random.integers(1, 256, (len(labels), 3072))]
        (folder / name).write_bytes(np.hstack(records).astype(np.uint8).tobytes())
    return tmp_path / "data"


def tailed(imbalance_factor: float) -> Recipe:
    return RECIPES["cifar10-lt"][1].change(head_count=6, imbalance_factor=imbalance_factor)


def test_an_unpacked_subset_has_the_same_pictures_and_the_same_hashes(data_dir: Path, tmp_path: Path) -> None:
    recipe = tailed(6)
    expected = prepare_data(recipe, RunOptions(data_dir=data_dir))
    pack([recipe, recipe.change(method="lc")], data_dir, tmp_path / "pack" / "data.npz")
    unpacked = Unpacked(tmp_path / "pack" / "data.npz", tmp_path / "there", tmp_path / "cache")
    unpacked.require(recipe)
    found = prepare_data(recipe, RunOptions(data_dir=tmp_path / "there"))
    assert found.facts == expected.facts
    torch.testing.assert_close(found.train.images, expected.train.images, rtol=0, atol=0)
    torch.testing.assert_close(found.test.images, expected.test.images, rtol=0, atol=0)
    assert len(unpacked.kept) == len(expected.train) < len(open_dataset("cifar10", data_dir).train)


def test_a_row_that_needs_other_pictures_is_refused(data_dir: Path, tmp_path: Path) -> None:
    pack([tailed(6)], data_dir, tmp_path / "data.npz")
    unpacked = Unpacked(tmp_path / "data.npz", tmp_path / "there", tmp_path / "cache")
    unpacked.require(tailed(6))
    with pytest.raises(ValueError, match="cifar10-lt"):
        unpacked.require(tailed(1))
    with pytest.raises(ValueError, match="cifar100"):
        unpacked.require(RECIPES["cifar100-lt"][1])


def test_another_file_is_no_pack(tmp_path: Path) -> None:
    (tmp_path / "data.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"data\.npz"):
        Unpacked(tmp_path / "data.npz", tmp_path, tmp_path)


def test_every_job_is_a_recipe_and_waits_for_an_earlier_one_at_most() -> None:
    names = [job.name for job in ROWS]
    assert len(set(names)) == len(names)
    for number, job in enumerate(ROWS):
        assert job.row in RECIPES
        assert job.after is None or job.after in names[:number]


@pytest.mark.parametrize("job", [job for job in ROWS if job.evaluations], ids=lambda job: job.name)
def test_what_a_job_is_evaluated_with_is_an_evaluation(job: Job) -> None:
    for arguments in job.evaluations:
        command = parse_options(evaluate.Command, "evaluate", "", ["run", *arguments])
        assert command.prior_shift == command.tau_norm == "1"


TRAINS = """
import pathlib, sys, time
job, output = sys.argv[1], pathlib.Path(sys.argv[sys.argv.index("--output") + 1])
output.mkdir(parents=True)
(output / "run.json").write_text(" ".join(sys.argv[1:]))
with open(output.parent.parent / "order", "a") as order:
    order.write(job + "\\n")
time.sleep(60 if job == "slow" else 0)
sys.exit(job == "broken")
"""


def test_jobs_run_in_order_and_all_is_kept_when_the_time_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated: list[tuple[str, str]] = []

    class UntilTwoHaveEnded(Clock):
        left = property(lambda self: 0.0 if len(evaluated) == 4 else 60.0)

    (tmp_path / "trains.py").write_text(TRAINS)
    clock = UntilTwoHaveEnded(seconds=0)
    machine = Machine(tmp_path / "out", tmp_path / "data", {}, clock, ["--epochs", "2"])
    machine.command = [sys.executable, str(tmp_path / "trains.py")]

    def python(name: str, *arguments: str) -> int:
        evaluated.append((name, arguments[1]))
        return int((name, arguments[1]) == ("third", "bcl_edu.export"))

    monkeypatch.setattr(machine, "python", python)
    names = ["first", "broken", "slow", "third"]
    jobs = [Job(name, (name,), after={"third": "first"}.get(name)) for name in names]
    machine.train([*jobs, Job("never", ("never",), after="broken")], at_once=2)
    facts = json.loads((tmp_path / "out" / "facts.json").read_text())["jobs"]
    states = {name: job["state"] for name, job in facts.items()}
    assert states == {
        "first": "ended",
        "broken": "failed",
        "slow": "stopped",
        "third": "ended",
        "never": "not begun",
    }
    began = (tmp_path / "out" / "order").read_text().split()
    assert sorted(began[:2]) == sorted(names[:2])
    assert sorted(began[2:]) == sorted(names[2:])
    assert evaluated == [
        ("first", "bcl_edu.evaluate"),
        ("first", "bcl_edu.export"),
        ("third", "bcl_edu.evaluate"),
        ("third", "bcl_edu.export"),
    ]
    told = (tmp_path / "out" / "runs" / "third" / "run.json").read_text()
    assert told.endswith(f"--init-from {tmp_path / 'out' / 'runs' / 'first'}")
    assert "--epochs" not in told  # which a run on finished weights would refuse
    assert "--epochs 2" in (tmp_path / "out" / "runs" / "first" / "run.json").read_text()
    ends = {name: (job.get("evaluated"), job.get("exported")) for name, job in facts.items()}
    assert ends == {
        "first": ([0], 0),
        "third": ([0], 1),
        "broken": (None, None),
        "slow": (None, None),
        "never": (None, None),
    }
    with tarfile.open(tmp_path / "out" / "gpu_rows.tar.gz") as archive:
        assert {"facts.json", "slow.log", "runs/slow/run.json"} <= set(archive.getnames())
