"""Loading: from images to the batches of a training step or an evaluation, on the device.

Images in memory have their views made in batches on the device; image files are decoded, and their views
made, by worker processes. Only this file knows which of the two a data set is.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data._utils import signal_handling

from bcl_edu.augment import (
    BatchedTrainingViews,
    EvalImages,
    FileBatch,
    FileViews,
    ViewPolicy,
    identity_collate,
)
from bcl_edu.counting import counted
from bcl_edu.data import ImageFiles, Images
from bcl_edu.training.batches import EpochBatches, Loaded


class UnreadableImage(ValueError):
    """An image file is missing or damaged; the message names it."""


class UnreadableImageWarning(UserWarning):
    """An image file that cannot be read was replaced by another of its class."""


class WorkersLost(ValueError):
    """A worker process died, or none delivers anything; the message says what may help."""


class LoadingStopped(Exception):
    """Loading ended before its last image, because `stop` returned True."""


POLL_SECONDS = 2.0
"""Interval at which a wait for worker processes is interrupted to see whether it should end."""

SECONDS_TO_SPEAK, SECONDS_TO_GIVE_UP = 30.0, 300.0
"""Seconds of waiting for images after which a message says so, and after which the run ends."""

SECONDS_TO_LET_GO = 5.0
"""Time that workers have to end by themselves, once they are no longer needed."""

PREFETCHED = 2
"""Batches that each worker process keeps ready."""

SHARED_MEMORY = Path("/dev/shm")
"""Folder of the memory that processes share on Linux."""


class BatchLoader:
    """Loads the batches of one epoch after another, with those of the stage's further streams; closed at the end.

    Args:
        train: the training set.
        policy: how views are made.
        batches: which images are in which batch.
        device: where the step is computed.
        workers: processes that decode image files and make their views; they live from epoch to epoch.
        replace_unreadable: whether an image file that cannot be read is replaced by the next one of its class.
        streams: further streams by name, each with its images, views and batches, which have as many steps.

    Attributes:
        unreadable: what is wrong with each image file that could not be read so far.
        working: how many worker processes there are; none for images in memory.
    """

    def __init__(
        self,
        train: Images,
        policy: ViewPolicy,
        batches: EpochBatches,
        device: torch.device,
        workers: int,
        *,
        replace_unreadable: bool = False,
        streams: Mapping[str, tuple[Images, ViewPolicy, EpochBatches]] | None = None,
    ) -> None:
        self.batches, self.device = batches, device
        self.unreadable: list[str] = []
        self.loader: DataLoader[Any] | None = None
        self.working = 0
        self.views: BatchedTrainingViews | FileViews
        if isinstance(train, ImageFiles):
            self.views = FileViews(train, policy, replace=replace_unreadable)
            _require_shared_memory(workers, len(policy.views) * batches.share_size(0), policy.image_size)
            self.loader = _data_loader(self.views, device, workers, batch_sampler=batches)
            self.working = workers
        else:
            self.views = BatchedTrainingViews(train.images, train.labels, policy, device)
        self.streams = {
            name: BatchLoader(
                images, views, its_batches, device, workers, replace_unreadable=replace_unreadable
            )
            for name, (images, views, its_batches) in (streams or {}).items()
        }

    def close(self) -> None:
        """End the worker processes, which an error that keeps the loader alive would leave running."""
        for loader in self.streams.values():
            loader.close()
        if self.loader is not None:
            _let_workers_go(self.loader._iterator)

    def all_unreadable(self) -> list[str]:
        """Problems with the image files of all streams that could not be read so far."""
        found = [
            *self.unreadable,
            *(reason for loader in self.streams.values() for reason in loader.unreadable),
        ]
        return list(dict.fromkeys(found))

    def epoch(
        self, epoch: int, first_step: int = 0, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Loaded]:
        """This rank's share of each batch of an epoch, from a step on.

        A share is empty where a last batch is too small for all ranks.

        Args:
            epoch: counted over all stages.
            first_step: steps of it that are done.
            stop: asked while worker processes are waited for; the epoch ends early if it says so.

        Raises:
            UnreadableImage: an image file cannot be read, and is not to be replaced or cannot be.
            WorkersLost: a worker process died, or nothing has come for SECONDS_TO_GIVE_UP.
        """
        self.batches.set_position(epoch, first_step)
        streams = {name: loader.epoch(epoch, first_step, stop) for name, loader in self.streams.items()}
        for step, (images, labels, indices) in enumerate(self._loaded(stop), start=first_step):
            of_streams = {
                name: loaded for name, stream in streams.items() if (loaded := next(stream, None)) is not None
            }
            if len(of_streams) < len(streams):
                return  # a stream was told to stop while it waited
            shares = self.batches.shares(step)
            n = self.batches.share_size(step)
            yield Loaded(
                images[:, :n].to(self.device, non_blocking=True),
                labels[:n].to(self.device, non_blocking=True),
                indices[:n],
                shares,
                of_streams,
            )

    def _loaded(self, stop: Callable[[], bool]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        if isinstance(self.views, BatchedTrainingViews):
            yield from map(self.views.__getitems__, self.batches)
            return
        assert self.loader is not None
        with closing(_batches(self.loader, stop)) as batches:
            for batch in batches:
                self._report(batch)
                yield batch.images, batch.labels, batch.indices

    def _report(self, batch: FileBatch) -> None:
        """Warn once about each unreadable file that was replaced; raise for one that was not."""
        new = [reason for reason in batch.unreadable if reason not in self.unreadable]
        self.unreadable += new
        if batch.num_failed:
            hint = "--unreadable-images replace takes the next image of its class instead"
            if isinstance(self.views, FileViews) and self.views.replace:
                hint = "no other image of its class can be read either"
            raise UnreadableImage(f"{batch.unreadable[-1]}; {hint}. {_CHECK}")
        for reason in new:
            warnings.warn(
                f"{reason}; replaced by the next image of its class", UnreadableImageWarning, stacklevel=3
            )


def load_images(
    images: Images,
    positions: Int64[Tensor, " m"],
    device: torch.device,
    workers: int = 0,
    batch_size: int = 1000,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Int64[Tensor, " n"], UInt8[Tensor, "n c height width"]]]:
    """Images as evaluation sees them, in batches: their positions, and the images on the device.

    Args:
        images: the test set; of image files the centre square is taken.
        positions: which of them, in this order, shape (m,).
        device: where to bring them.
        workers: processes that decode image files.
        batch_size: images at a time; of image files at most 256.
        stop: asked before each batch, and while worker processes are waited for.

    Raises:
        UnreadableImage: an image file cannot be read. A test image is never replaced.
        WorkersLost: a worker process died, or nothing has come for SECONDS_TO_GIVE_UP.
        LoadingStopped: `stop` said so.
    """
    if not isinstance(images, ImageFiles):
        for chosen in positions.split(batch_size):
            if stop():
                raise LoadingStopped
            yield chosen, images.images[chosen].to(device)
        return
    parts = [chosen.tolist() for chosen in positions.split(min(batch_size, 256))]
    _require_shared_memory(workers, max(map(len, parts), default=0), images.image_size)
    loader = _data_loader(EvalImages(images), device, workers, batch_sampler=parts, lasting=False)
    left = len(positions)
    with closing(_batches(loader, stop)) as batches:
        for batch in batches:
            if stop():
                break
            if batch.num_failed:
                raise UnreadableImage(f"{batch.unreadable[0]}; a test image is never replaced. {_CHECK}")
            left -= len(batch.indices)
            yield batch.indices, batch.images.to(device, non_blocking=True)
    if left:
        raise LoadingStopped


_CHECK = "`python -m bcl_edu.data check NAME --decode` finds all such files"


def _batches(loader: DataLoader[Any], stop: Callable[[], bool]) -> Generator[FileBatch]:
    """The batches of a DataLoader. Signals are handled while it waits for workers, and a wait ends when `stop` returns
    True or after SECONDS_TO_GIVE_UP."""
    if loader.num_workers == 0:
        yield from loader
        return
    loaded = loader._iterator if loader.persistent_workers else None
    if loaded is None:
        loaded = iter(
            loader
        )  # starts the workers and waits for nothing; here, so that torch reports their death
    else:
        _patiently(partial(iter, loader), loaded, stop)
    try:
        while (batch := _patiently(partial(next, loaded, None), loaded, stop)) is not None:
            yield batch
    finally:
        if not loader.persistent_workers:
            _let_workers_go(loaded)


def _patiently(call: Callable[[], Any], loaded: Any, stop: Callable[[], bool]) -> Any:
    """The result of a call that may wait for the workers of a DataLoader's iterator; None where `stop` ended the wait.

    The call is made in a thread. torch waits in places that its own timeout does not cover: it reads a batch by asking
    the worker for the memory, and a stopped worker does not answer.

    Raises:
        WorkersLost: a worker died, or there is no result after SECONDS_TO_GIVE_UP; the workers are killed then.
    """
    answers: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def answer() -> None:
        try:
            answers.put((call(), None))
        except BaseException as error:
            answers.put((None, error))

    began, spoken = time.monotonic(), False
    Thread(target=answer, daemon=True).start()
    with named_worker_errors():
        while True:
            with suppress(Empty):
                result, error = answers.get(timeout=POLL_SECONDS)
                if isinstance(error, (EOFError, ConnectionError, FileNotFoundError)):
                    raise RuntimeError("DataLoader worker ended while it handed over a batch") from error
                if error is not None:
                    raise error
                return result
            if stop():
                return None
            waited = time.monotonic() - began
            if waited > SECONDS_TO_GIVE_UP:
                _kill_workers(loaded)
                raise WorkersLost(
                    f"no image has come from the worker processes for {waited:.0f} s; {_WHY_NONE_COME}"
                )
            if waited > SECONDS_TO_SPEAK and not spoken:
                print(f"waiting for images from worker processes, {waited:.0f} s so far", file=sys.stderr)
                spoken = True


_WHY_NONE_COME = (
    "is the disk of the images reached, and /dev/shm large enough (docker run --shm-size=8g)? --workers 0 loads images "
    "without other processes"
)


@contextmanager
def named_worker_errors() -> Iterator[None]:
    """Turn torch's report of a dead worker process, which may come at any moment inside the block, into
    WorkersLost."""
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        said = str(error).partition("\n")[0].rstrip(". ")
        raise WorkersLost(
            f"{said}. Most often memory was too little (fewer --workers need less), or /dev/shm was (docker run "
            "--shm-size=8g); --workers 0 needs neither. What was saved stays: continue with --resume"
        ) from error


def _require_shared_memory(workers: int, images: int, size: int) -> None:
    """Refuse to start workers if the batches that they keep ready do not fit into shared memory.

    A worker that finds it full cannot tell, and the run would wait for ever.

    Raises:
        ValueError: with what is there, what is needed, and what to do.
    """
    if workers == 0 or not SHARED_MEMORY.is_dir():
        return
    needed = workers * PREFETCHED * images * 3 * size * size
    free = shutil.disk_usage(SHARED_MEMORY).free
    if free < needed:
        raise ValueError(
            f"{counted(workers, 'worker')} would keep {needed / 1e6:,.0f} MB of images ready in {SHARED_MEMORY}, but "
            f"{free / 1e6:,.0f} MB are free there; start the container with more (docker run --shm-size=8g, or "
            "--ipc=host), or use fewer --workers (0 needs none) or a smaller --batch-size"
        )


def _kill_workers(loaded: Any) -> None:
    """End workers that do not listen, such as stopped ones: Python would wait for them at its end."""
    if getattr(loaded, "_worker_pids_set", False):  # else torch reports their end as an error
        signal_handling._remove_worker_pids(id(loaded))
        loaded._worker_pids_set = False
    for worker in getattr(loaded, "_workers", []):
        worker.kill()


def _data_loader(
    views: FileViews | EvalImages,
    device: torch.device,
    workers: int,
    *,
    batch_sampler: Any,
    lasting: bool = True,
) -> DataLoader[Any]:
    return DataLoader(
        views,
        batch_sampler=batch_sampler,
        num_workers=workers,
        collate_fn=identity_collate,  # type: ignore[arg-type]
        pin_memory=device.type == "cuda",
        persistent_workers=lasting and workers > 0,
        prefetch_factor=PREFETCHED if workers > 0 else None,
        worker_init_fn=partial(_in_a_worker, _ending),
        generator=torch.Generator().manual_seed(0),  # else each loader draws from the global generator
    )


def _let_workers_go(iterator: Any) -> None:
    """End the worker processes of a DataLoader's iterator, if it has any; those that do not listen are killed."""
    shutdown = getattr(iterator, "_shutdown_workers", None)  # torch has no public way
    if shutdown is None:
        return
    ending = Thread(target=shutdown, daemon=True)
    ending.start()
    try:
        ending.join(SECONDS_TO_LET_GO)
    finally:
        _kill_workers(iterator)
        ending.join(SECONDS_TO_LET_GO)


# Whether the main process is at its end; shared with the workers. Python ends what is left of them with SIGTERM then.
_ending = torch.zeros((), dtype=torch.bool).share_memory_()
atexit.register(_ending.fill_, True)


def _in_a_worker(ending: Tensor, worker: int) -> None:
    """Leave signals to the main process, which lets its workers go when it has saved.

    Ctrl-C and a scheduler's SIGTERM reach the whole group of processes.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0) if ending else None)
    # some of ImageNet's photographs have damaged EXIF data, which are taken as none
    warnings.filterwarnings("ignore", "Corrupt EXIF data", module="PIL")
