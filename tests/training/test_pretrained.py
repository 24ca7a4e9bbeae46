"""What is exported is the run: its record, its metrics, and weights that predict as the checkpoint does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from bcl_edu.rows.bcl_rows import BCL
from bcl_edu.training import CheckpointError, Recipe, RunOptions, load_pretrained, train
from bcl_edu.training.checkpoint import load_checkpoint, save_checkpoint
from bcl_edu.training.weights import export_run, from_checkpoint, load_trained


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "run"
    recipe = Recipe(
        name="digits-lt",
        dataset="digits",
        imbalance_factor=10.0,
        head_count=60,
        backbone="digits_net",
        views="digits",
        method=BCL(head_hidden=16, head_dim=8),
        epochs=1,
        schedule_epochs=1,
        warmup_epochs=0,
        milestones=(),
    )
    train(recipe, RunOptions(output=folder, workers=0, device="cpu", tensorboard=False, progress=False))
    return folder


def export_without_hashes(run: Path, kept: Path) -> Path:
    """What earlier versions exported, which a test can change."""
    path = export_run(run, kept)
    record = json.loads((kept / "run.json").read_text())
    del record["sha256"]
    (kept / "run.json").write_text(json.dumps(record))
    save_file(load_file(path), path, metadata={"format": "1", "image_shape": "[1, 8, 8]", "epoch": "1"})
    return path


def images() -> torch.Tensor:
    return torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_record_and_metrics_are_copied_and_weights_predict_the_same(run: Path, tmp_path: Path) -> None:
    kept = tmp_path / "deep" / "kept"
    assert export_run(run, kept) == kept / "model.safetensors"
    assert sorted(path.name for path in kept.iterdir()) == ["metrics.jsonl", "model.safetensors", "run.json"]
    assert (kept / "metrics.jsonl").read_bytes() == (run / "metrics.jsonl").read_bytes()
    record = json.loads((kept / "run.json").read_text())
    assert sorted(record.pop("sha256")) == ["metrics.jsonl", "model.safetensors"]
    assert record == json.loads((run / "run.json").read_text())
    loaded, original = load_pretrained(kept), from_checkpoint(run / "checkpoint.pt")
    assert (loaded.recipe, loaded.epoch, loaded.normalisation) == (
        original.recipe,
        1,
        original.normalisation,
    )
    assert loaded.class_counts.equal(original.class_counts)
    assert not loaded.method.training
    with torch.no_grad():
        same = loaded.method.logits(loaded.method.features(images()))
        assert same.equal(original.method.logits(original.method.features(images())))


def test_half_precision_halves_the_file_and_loads_as_float32(run: Path, tmp_path: Path) -> None:
    full = export_run(run, tmp_path / "full", "float32").stat().st_size
    half = export_run(run, tmp_path / "half", "float16").stat().st_size
    assert half < 0.65 * full
    loaded = load_pretrained(tmp_path / "half").method.state_dict()
    for name, weight in load_checkpoint(run / "checkpoint.pt")["model"].items():
        assert loaded[name].dtype == weight.dtype
        torch.testing.assert_close(loaded[name], weight, rtol=1e-3, atol=1e-6)


def test_loading_leaves_the_random_numbers_of_the_caller_alone(run: Path, tmp_path: Path) -> None:
    export_run(run, tmp_path / "kept")
    before = torch.get_rng_state()
    load_pretrained(tmp_path / "kept")
    assert torch.get_rng_state().equal(before)


def test_an_unfinished_run_is_not_exported(run: Path, tmp_path: Path) -> None:
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    record = json.loads((run / "run.json").read_text())
    record["epochs"] = 7
    (unfinished / "run.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"1 of 7 epochs; .*--resume"):
        export_run(unfinished, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_record_and_a_checkpoint_of_two_runs_are_not_exported(run: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    (mixed / "run.json").write_bytes((run / "run.json").read_bytes())
    state = load_checkpoint(run / "checkpoint.pt")
    state["recipe"]["seed"] = 3
    save_checkpoint(mixed / "checkpoint.pt", state)
    with pytest.raises(CheckpointError, match="the same run"):
        export_run(mixed, tmp_path / "kept")


@pytest.mark.parametrize(
    ("change", "differ"),
    [
        (lambda record: record["last"].update(top1=99.0), "last or best"),
        (lambda record: record["best"].update(top1=99.0), "last or best"),
        (lambda record: record["data"].update(subset_sha256="0" * 64), "data"),
        (lambda record: record["data"].update(class_counts=[1, 2]), "data"),
        (lambda record: record.update(sessions=[]), "sessions"),
        (lambda record: record.update(epochs_finished=999), "epochs_finished"),
        (lambda record: record.pop("normalisation"), "normalisation"),
    ],
)
def test_a_record_that_was_changed_is_not_exported(change, differ: str, run: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(run, changed)
    record = json.loads((changed / "run.json").read_text())
    change(record)
    (changed / "run.json").write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match=f"they differ in .*{differ}"):
        export_run(changed, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_weights_that_do_not_fit_are_not_exported(run: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(run, changed)
    state = load_checkpoint(changed / "checkpoint.pt")
    del state["model"]["classifier.bias"]
    save_checkpoint(changed / "checkpoint.pt", state)
    with pytest.raises(CheckpointError, match=r"the model.* (lacks|expected) "):
        export_run(changed, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_destination_that_holds_something_stays_as_it_is(run: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="already holds something"):
        export_run(run, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_failed_export_leaves_nothing_behind(run: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("run.json", "checkpoint.pt"):
        (broken / name).write_bytes((run / name).read_bytes())
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl is missing"):
        export_run(broken, tmp_path / "kept")
    (broken / "metrics.jsonl").write_text('{"epoch": 1')
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl is damaged"):
        export_run(broken, tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]


def test_a_weight_beyond_float16_is_refused(run: Path, tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    huge.mkdir()
    for name in ("run.json", "metrics.jsonl"):
        (huge / name).write_bytes((run / name).read_bytes())
    state = load_checkpoint(run / "checkpoint.pt")
    state["model"]["classifier.bias"][0] = 1e6
    save_checkpoint(huge / "checkpoint.pt", state)
    with pytest.raises(CheckpointError, match=r"classifier\.bias .*float16"):
        export_run(huge, tmp_path / "kept", "float16")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), r"there is no model\.safetensors in"),
        (
            lambda folder: (folder / "model.safetensors").write_bytes(b"no"),
            "damaged, .*safetensors",
        ),
        (lambda folder: (folder / "run.json").write_text("{"), "is damaged"),
        (lambda folder: (folder / "run.json").write_text("{}"), "is no run record"),
        (lambda folder: (folder / "run.json").unlink(), r"it has no file run\.json"),
        (
            lambda folder: (folder / "run.json").write_text(
                (folder / "run.json").read_text().replace('"normalisation"', '"normalization"')
            ),
            "lacks .*'normalisation'",
        ),
        (lambda folder: save_file({"a": torch.zeros(1)}, folder / "model.safetensors"), "format None"),
    ],
)
def test_damage_is_one_clear_error(damage, message: str, run: Path, tmp_path: Path) -> None:
    export_without_hashes(run, tmp_path / "kept")
    damage(tmp_path / "kept")
    with pytest.raises(CheckpointError, match=message):
        load_pretrained(tmp_path / "kept")


def test_weights_of_another_model_are_refused(run: Path, tmp_path: Path) -> None:
    path = export_without_hashes(run, tmp_path / "kept")
    weights = load_file(path)
    del weights["classifier.bias"]
    metadata = {"format": "1", "image_shape": "[1, 8, 8]", "epoch": "1"}
    save_file(weights, path, metadata=metadata)
    with pytest.raises(CheckpointError, match=r"the model.* (lacks|expected) "):
        load_pretrained(tmp_path / "kept")


@pytest.mark.parametrize("shape", ["[8, 8]", "8"])
def test_images_that_are_none_are_refused(shape: str, run: Path, tmp_path: Path) -> None:
    path = export_without_hashes(run, tmp_path / "kept")
    save_file(load_file(path), path, metadata={"format": "1", "image_shape": shape, "epoch": "1"})
    with pytest.raises(CheckpointError, match=r"stored shape .*8.*three"):
        load_pretrained(tmp_path / "kept")


def test_a_folder_a_file_and_an_export_all_load(run: Path, tmp_path: Path) -> None:
    export_run(run, tmp_path / "kept")
    recipes = {load_trained(path).recipe for path in (run, run / "checkpoint.pt", tmp_path / "kept")}
    assert len(recipes) == 1
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        load_trained(tmp_path / "nowhere")


def test_a_model_trained_before_a_field_of_the_recipe_loads(run: Path, tmp_path: Path) -> None:
    export_without_hashes(run, tmp_path / "kept")
    record = json.loads((tmp_path / "kept" / "run.json").read_text())
    del record["recipe"]["nesterov"]
    (tmp_path / "kept" / "run.json").write_text(json.dumps(record))
    assert load_pretrained(tmp_path / "kept").recipe.nesterov is False


@pytest.mark.parametrize(
    ("name", "place"), [("model.safetensors", -1000), ("metrics.jsonl", 20), ("run.json", None)]
)
def test_one_changed_byte_of_what_was_exported_is_noticed(
    name: str, place: int | None, run: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    export_run(run, kept)
    content = bytearray((kept / name).read_bytes())
    content[content.index(b"digits") if place is None else place] ^= 1
    (kept / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
        load_pretrained(kept)
