"""Worker processes that decode image files: started, waited for with patience, and let go again."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data._utils import signal_handling

from bcl_edu.augment import EvalImages, FileBatch, FileViews, identity_collate
from bcl_edu.counting import counted

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


class WorkersLost(ValueError):
    """A worker process died, or none delivers anything; the message says what may help."""


def delivered(loader: DataLoader[Any], stop: Callable[[], bool]) -> Generator[FileBatch]:
    """The batches of a DataLoader.

    Signals are handled while it waits for workers, and a wait ends when `stop` returns True or after
    SECONDS_TO_GIVE_UP.
    """
    if loader.num_workers == 0:
        yield from loader
        return
    loaded = loader._iterator if loader.persistent_workers else None
    if loaded is None:
        # starts the workers and waits for nothing; here, so that torch reports their death
        loaded = iter(loader)
    else:
        _patiently(partial(iter, loader), loaded, stop)
    try:
        while (batch := _patiently(partial(next, loaded, None), loaded, stop)) is not None:
            yield batch
    finally:
        if not loader.persistent_workers:
            let_workers_go(loaded)


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


def require_shared_memory(workers: int, images: int, size: int) -> None:
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


def data_loader(
    views: FileViews | EvalImages,
    device: torch.device,
    workers: int,
    *,
    batch_sampler: Any,
    lasting: bool = True,
) -> DataLoader[Any]:
    """A DataLoader of images' views, in batches as `batch_sampler` lists them.

    Args:
        views: makes a batch from its list.
        device: where the batches go; for a GPU their memory is pinned.
        workers: number of processes that decode; 0 decodes in this one.
        batch_sampler: lists of what each batch holds.
        lasting: whether the workers live from one epoch to the next.
    """
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


def let_workers_go(iterator: Any) -> None:
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
