"""From images on disk to batches, and to a message where one cannot be read."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from bcl_edu.augment import EvalImages, FileViews, view_policy, view_seeds
from bcl_edu.data import ImageFiles, LabelledImages
from bcl_edu.training.batches import (
    BatchLoader,
    EpochBatches,
    Loaded,
    LoadingStopped,
    UnreadableImage,
    UnreadableImageWarning,
    load_images,
)
from bcl_edu.training.workers import WorkersLost, named_worker_errors
from tests.data.small_imagenet import small_training_files

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
CPU = torch.device("cpu")
POLICY = view_policy("sim-rand", image_size=32)


@pytest.fixture
def files(tmp_path: Path) -> ImageFiles:
    return small_training_files(tmp_path)


def loader(files: ImageFiles, workers: int = 0, *, replace_unreadable: bool = False) -> BatchLoader:
    batches = EpochBatches(files.labels, 3, seed=0)
    return BatchLoader(files, POLICY, batches, CPU, workers, replace_unreadable=replace_unreadable)


@pytest.mark.parametrize("workers", [0, 2])
def test_every_sample_of_an_epoch_comes_once_and_another_start_gives_the_rest(
    workers: int, files: ImageFiles
) -> None:
    batches = loader(files, workers)
    whole = list(batches.epoch(4))
    assert sorted(i for loaded in whole for i in loaded.indices.tolist()) == list(range(7))
    rest = list(batches.epoch(4, first_step=1))
    assert len(rest) == len(whole) - 1
    for loaded, again in zip(whole[1:], rest, strict=True):
        assert torch.equal(loaded.views, again.views)
        assert torch.equal(loaded.indices, again.indices)
        assert torch.equal(loaded.labels, files.labels[loaded.indices])
        chosen = loaded.indices.tolist()
        expected = FileViews(files, POLICY).views(chosen, view_seeds(0, 4, chosen))
        assert torch.equal(loaded.views, expected.images)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_image_stops_the_epoch_with_its_name_and_what_to_do(
    workers: int, files: ImageFiles
) -> None:
    files.file(2).write_text("no image")
    message = (
        rf"^cannot read the image {files.file(2)}: .*--unreadable-images replace takes .*check NAME --decode"
    )
    with pytest.raises(UnreadableImage, match=message):
        list(loader(files, workers).epoch(0))


@pytest.mark.parametrize("workers", [0, 1])
def test_replaced_images_are_told_of_once_and_kept_count_of(workers: int, files: ImageFiles) -> None:
    for index in (1, 4):
        files.file(index).write_text("no image")
    batches = loader(files, workers, replace_unreadable=True)
    with pytest.warns(UnreadableImageWarning, match="replaced") as told:
        images = torch.cat([loaded.views for loaded in batches.epoch(0)], dim=1)
    assert len(told) == len(batches.unreadable) == 2
    assert {str(files.file(1)), str(files.file(4))} == {
        reason.split()[4][:-1] for reason in batches.unreadable
    }
    assert all(view.any() for view in images.flatten(0, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(batches.epoch(1))


def test_a_class_that_has_no_other_image_is_refused_all_the_same(files: ImageFiles) -> None:
    files.file(6).write_text("no image")
    with pytest.raises(UnreadableImage, match=r"n01484850_0\.JPEG.*no other image"):
        list(loader(files, replace_unreadable=True).epoch(0))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_pinned_batches_arrive_on_the_gpu_as_they_were_made(files: ImageFiles) -> None:
    batches = BatchLoader(files, POLICY, EpochBatches(files.labels, 3, seed=0), torch.device("cuda"), 1)
    for loaded, expected in zip(batches.epoch(0), loader(files).epoch(0), strict=True):
        assert loaded.views.is_cuda
        assert loaded.labels.is_cuda
        assert torch.equal(loaded.views.cpu(), expected.views)
        assert torch.equal(loaded.labels.cpu(), files.labels[expected.indices])
        assert loaded.views.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
    batches.close()


@pytest.mark.slow
def test_python_ends_even_where_nobody_closed_the_loader(files: ImageFiles) -> None:
    script = """
from pathlib import Path
import torch
from bcl_edu.data import open_dataset
from bcl_edu.training.batches import BatchLoader, EpochBatches, Loaded
from bcl_edu.augment import view_policy
lists = {"train": Path("train.txt"), "test": Path("test.txt")}
files = open_dataset("imagenet-lt", ".", lists=lists, image_size=32).train
policy = view_policy("sim-rand", image_size=32)
loader = BatchLoader(files, policy, EpochBatches(files.labels, 3, seed=0), torch.device("cpu"), 1)
kept = loader.epoch(0)
next(kept)
raise SystemExit(3)
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=files.root, env=ENVIRONMENT, timeout=120)
    assert ended.returncode == 3


@pytest.mark.parametrize("workers", [0, 1])
def test_a_share_of_the_test_images_comes_in_its_order(workers: int, files: ImageFiles) -> None:
    share = torch.tensor([5, 0, 3, 6])
    loaded = list(load_images(files, share, CPU, workers, batch_size=3))
    assert [positions.tolist() for positions, _ in loaded] == [[5, 0, 3], [6]]
    assert torch.equal(loaded[1][1], EvalImages(files)[6].images)


def test_a_test_image_is_never_replaced(files: ImageFiles) -> None:
    files.file(0).write_text("no image")
    with pytest.raises(UnreadableImage, match=r"test image .*never replaced"):
        list(load_images(files, torch.arange(7), CPU))


# ---- workers that deliver nothing


def test_too_little_shared_memory_is_said_before_anything_waits_for_it(
    files: ImageFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = 2 * 2 * 3 * 3 * (3 * 32 * 32)  # workers, batches of each, views, images
    usage = shutil.disk_usage("/")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=needed - 1))
    monkeypatch.setattr("bcl_edu.training.workers.SHARED_MEMORY", files.root)
    with pytest.raises(ValueError, match=r"2 workers would keep 0 MB .*--shm-size=8g.*--workers"):
        loader(files, 2)
    loader(files, 0)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=needed))
    loader(files, 2)


def signalled(batches: BatchLoader, number: int) -> Iterator[Loaded]:
    """An epoch whose worker gets a signal after the first batch."""
    epoch = batches.epoch(0)
    yield next(epoch)
    assert batches.loader is not None
    os.kill(batches.loader._iterator._workers[0].pid, number)  # type: ignore[union-attr]
    with named_worker_errors():
        yield from epoch


def one_by_one(files: ImageFiles) -> BatchLoader:
    return BatchLoader(files, POLICY, EpochBatches(files.labels, 1, seed=0), CPU, 1)


def test_who_waits_for_images_can_be_stopped(files: ImageFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bcl_edu.training.workers.POLL_SECONDS", 0.1)
    batches = one_by_one(files)
    heard: list[str] = []
    epoch = batches.epoch(0, stop=lambda: bool(heard))
    next(epoch)
    heard.append("SIGTERM")
    assert batches.loader is not None
    workers = batches.loader._iterator
    os.kill(workers._workers[0].pid, signal.SIGSTOP)  # type: ignore[union-attr]
    assert len(list(epoch)) < 6  # what was ready, and not the rest
    monkeypatch.setattr("bcl_edu.training.workers.SECONDS_TO_LET_GO", 0.5)
    batches.close()
    workers._workers[0].join(10)  # type: ignore[union-attr]
    assert not workers._workers[0].is_alive()  # type: ignore[union-attr]


@pytest.mark.parametrize("workers", [0, 1])
def test_an_evaluation_that_loads_images_can_be_stopped(
    workers: int, files: ImageFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bcl_edu.training.workers.POLL_SECONDS", 0.01)  # a worker needs longer to begin
    with pytest.raises(LoadingStopped):
        list(load_images(files, torch.arange(7), CPU, workers, stop=lambda: True))
    images = LabelledImages(torch.zeros(7, 3, 8, 8, dtype=torch.uint8), files.labels, files.class_names)
    with pytest.raises(LoadingStopped):
        list(load_images(images, torch.arange(7), CPU, stop=lambda: True))


def test_workers_that_deliver_nothing_end_the_run_with_what_may_help(
    files: ImageFiles, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, seconds in (("POLL_SECONDS", 0.1), ("SECONDS_TO_SPEAK", 0.1), ("SECONDS_TO_GIVE_UP", 0.3)):
        monkeypatch.setattr(f"bcl_edu.training.workers.{name}", seconds)
    with pytest.raises(WorkersLost, match=r"no image has come .*--workers 0"):
        list(signalled(one_by_one(files), signal.SIGSTOP))
    assert "waiting for images" in capsys.readouterr().err


def test_a_worker_that_was_killed_is_one_message_with_what_may_help(files: ImageFiles) -> None:
    with pytest.raises(WorkersLost, match=r"(killed by signal|exited unexpectedly).*--workers"):
        list(signalled(one_by_one(files), signal.SIGKILL))
