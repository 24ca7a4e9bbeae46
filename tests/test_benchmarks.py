"""The benchmarks that others run where we cannot: that they run at all, on sizes too small to say anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bcl_edu.losses.named import CONTRASTIVE_LOSSES

ROOT = Path(__file__).parents[1]


def run(script: str, output: Path, *arguments: str) -> tuple[str, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / script), *arguments, "--output", str(output)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(output.read_text())
    return done.stdout, result


def test_the_gpu_benchmark_prints_a_table_and_says_which_row_failed(tmp_path: Path) -> None:
    sizes = ("--device", "cpu", "--batch-size", "4", "--steps", "1", "--rounds", "1")
    printed, result = run("gpu.py", tmp_path / "gpu.json", *sizes, "--only", "TF32")
    assert result["rows"].keys() == {"eager, float32, TF32 products"}
    assert all(row["step_ms"]["median"] > 0 for row in result["rows"].values())
    assert printed.count("| eager, float32") == 1
    printed, result = run(
        "gpu.py", tmp_path / "gpu.json", "--device", "cpu", "--batch-size", "0", "--only", "16"
    )
    assert all("failed" in row for row in result["rows"].values())
    assert printed.count("failed: ") == len(result["rows"]) > 0


def test_the_loss_benchmark_times_every_loss_that_the_kernel_offers(tmp_path: Path) -> None:
    sizes = ("--sizes", "8,10,4", "--sizes-of-others", "8,10,4")
    _, result = run("loss.py", tmp_path / "loss.json", "--rounds", "1", *sizes)
    (timed,) = result["sizes"][:1]
    assert set(timed["milliseconds"]) == {"floor", "kernel", "definition", "published"}
    assert {row["loss"] for row in result["others"]} | {"bcl"} == set(CONTRASTIVE_LOSSES)
    assert all(row["definition_to_kernel"]["median"] > 0 for row in result["others"])


def test_the_step_benchmark_compares_the_plain_step_with_ours(tmp_path: Path) -> None:
    sizes = ("--batch-size", "4", "--steps", "1", "--rounds", "1", "--workers", "0")
    printed, result = run("step.py", tmp_path / "step.json", *sizes, "--sides", "plain", "ours")
    assert result["sides"]["plain"]["over_first"]["median"] == 1
    assert result["sides"]["ours"]["processor_seconds"]["median"] > 0
    assert "as the first" in printed
    assert "a plain float32 implementation" in printed


def test_the_profile_of_the_step_accounts_for_all_of_its_time(tmp_path: Path) -> None:
    sizes = ("--profile", "--batch-size", "4", "--rounds", "1", "--threads", "1")
    _, result = run("step.py", tmp_path / "profile.json", *sizes)
    shares = {part: share["median"] for part, share in result["profile"]["share"].items()}
    assert sum(shares.values()) == pytest.approx(1, abs=0.01)
    forward_and_backward = [part for part in shares if part.endswith((", forward", " backward"))]
    assert (
        len(forward_and_backward) == 7
    )  # of convolution, batch normalisation and ReLU both, and of the loss
    assert all(shares[part] > 0 for part in (*forward_and_backward, "views", "optimiser"))
    assert [table["title"] for table in result["tables"]][1] == "Tried on its parts"


def test_the_throughput_of_a_step_is_compared_with_that_of_matrix_products(tmp_path: Path) -> None:
    sizes = ("--images", "4", "--size", "64", "--rounds", "1", "--eager")
    _, result = run("throughput.py", tmp_path / "throughput.json", *sizes)
    assert result["share_of_matrix_products"]["matrix products"]["median"] == 1
    assert result["share_of_matrix_products"]["float32"]["median"] > 0
    convolutions = (
        2 * 3 * 3 * 16 * 16 * 32 * 32 * 10
    )  # the first of three stages, forward, one image in one view
    assert (
        result["operations_of_a_step"] > 3 * 4 * 3 * convolutions
    )  # with the gradients by images and weights


def test_each_stage_of_a_method_is_compared_with_a_step_of_cross_entropy(tmp_path: Path) -> None:
    _, result = run("method_steps.py", tmp_path / "steps.json", "--methods", "crt", "--rounds", "1")
    assert [name.partition(", ")[0] for name in result["steps"]] == ["ce", "crt", "crt"]
    assert result["steps"]["ce"]["over_cross_entropy"]["median"] == 1
    assert all(step["megabytes"] > 0 for step in result["steps"].values())


def test_other_classifiers_start_from_the_figures_of_the_run(tmp_path: Path) -> None:
    kept = ROOT / "results" / "digits-lt" / "lc"
    _, result = run("other_classifiers.py", tmp_path / "other.json", str(kept))
    found = {(row["classifier"], row["value"]): row["top1"] for row in result["rows"]}
    last = json.loads((kept / "run.json").read_text())["last"]
    assert found["as trained", 0.0] == found["prior-shift", 0.0]
    assert found["as trained", 0.0] == pytest.approx(last["top1"], abs=0.26)  # an image, on another processor
    assert {value for name, value in found if name == "tau-norm"} == {step / 4 for step in range(9)}
    assert found["prior-shift", 2.0] < found["as trained", 0.0]  # its loss has compensated the prior already


def test_class_means_of_runs_are_those_of_the_records(tmp_path: Path) -> None:
    kept = ROOT / "results" / "digits-lt"
    _, result = run("class_means_of_runs.py", tmp_path / "means.json", str(kept / "lc"), str(kept / "bcl"))
    found = {(row["run"], row["images"], row["space"]): row for row in result["rows"]}
    assert set(found) == {
        ("lc", "train", "features"),
        ("lc", "test", "features"),
        *(("bcl", images, space) for images in ("train", "test") for space in ("features", "embeddings")),
    }
    for name in ("lc", "bcl"):
        last = json.loads((kept / name / "run.json").read_text())["last"]
        row = found[name, "test", last["simplex_space"]]
        assert row["deviation"] == pytest.approx(last["simplex_deviation"], abs=0.003)
    row = found["bcl", "train", "embeddings"]
    assert row["cosines"][0][2] == row["cosines"][2][0]
    assert row["cosines"][0][0] is None  # a single class of the digits has many images
    assert all(0 < spread < 0.5 for spread in row["spread"])
