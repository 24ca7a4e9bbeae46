"""Estimate of the time, memory and disk space of a run, from a few trial steps.

No file is left, and none appears in any folder: the time to write a checkpoint is measured on a temporary file without
a name. The steps are taken with a model and an optimiser of their own, and torch's random state is restored, so that a
run started afterwards in the same process computes the same.
"""

from __future__ import annotations

import io
import math
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import NamedTuple

import torch

from bcl_edu.counting import counted
from bcl_edu.recipe import Recipe
from bcl_edu.run_options import RunOptions
from bcl_edu.training.batches import BatchLoader, Loaded
from bcl_edu.training.compile_choice import decide_compile
from bcl_edu.training.data import TrainingData, fitted_to, prepare_data
from bcl_edu.training.device import choose_device
from bcl_edu.training.display import duration, protocol_note
from bcl_edu.training.distributed import Rank
from bcl_edu.training.evaluation import evaluate_method
from bcl_edu.training.loop import is_evaluated
from bcl_edu.training.precision import slow_precision, with_precision
from bcl_edu.training.run import run_folder
from bcl_edu.training.stage_run import build_seeded, refuse_impossible_stages, set_up_stage
from bcl_edu.training.start import read_start, stages_from

WARM_UP_STEPS = 2
STEPS = 20
"""Steps that are measured at most."""
FEWEST_STEPS = 3
"""Steps that are measured at least, however long they take."""
EVALUATED_IMAGES = 2000
"""Test images of the measured evaluation, at most."""
RECORD_BYTES = 5000
"""Approximate size of the record and the metrics, which are written with each checkpoint."""


class Cost(NamedTuple):
    """Wall-clock time and this process's CPU time, summed over its threads, in seconds."""

    clock: float
    processor: float

    def times(self, factor: float) -> Cost:
        """Multiply both times by `factor`."""
        return Cost(self.clock * factor, self.processor * factor)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Expected cost of a run; times in seconds, sizes in bytes.

    Attributes:
        recipe: of the run.
        device: "cpu" or "cuda".
        steps: steps of an epoch.
        step_images: images of a full step.
        start: until the first step: opening the data, building the model.
        step: one step on a full batch.
        epoch_steps: all steps of an epoch.
        evaluation: of the whole test set and of the validation images, after each epoch that is evaluated.
        checkpoint: of writing one, with record and metrics, to the disk, once an epoch at least.
        memory: peak resident memory of the process; None where the system does not tell.
        workers_memory: of the worker processes together, pages that they share counted once; 0 without workers.
        device_memory: peak memory of tensors on a GPU; None on the CPU.
        checkpoint_bytes: size of checkpoint.pt. Twice this is needed while it is being replaced.
        measured_steps: how many steps were measured.
        evaluated_images: how many test images were evaluated.
        first_epochs: of the first stage, whose steps are measured.
        later_epochs: of all stages after it.
        epochs_of_first: how many epochs of the first stage all stages together are, by their images.
        evaluations: how many epochs of all stages are evaluated.
        notes: what was decided for the run, and what makes it slow, one line each.
    """

    recipe: Recipe
    device: str
    steps: int
    step_images: int
    start: Cost
    step: Cost
    epoch_steps: Cost
    evaluation: Cost
    checkpoint: Cost
    memory: int | None
    workers_memory: int
    device_memory: int | None
    checkpoint_bytes: int
    measured_steps: int
    evaluated_images: int
    first_epochs: int
    later_epochs: int
    epochs_of_first: float
    evaluations: int
    notes: tuple[str, ...] = ()

    @property
    def epoch(self) -> Cost:
        """One epoch of the first stage: its steps, the evaluation, the checkpoint."""
        parts = (self.epoch_steps, self.evaluation, self.checkpoint)
        return Cost(sum(part.clock for part in parts), sum(part.processor for part in parts))

    @property
    def run(self) -> float:
        """Seconds of the whole run by the clock, from its start to its end."""
        return (
            self.start.clock
            + self.epochs_of_first * self.epoch_steps.clock
            + self.evaluations * self.evaluation.clock
            + (self.first_epochs + self.later_epochs) * self.checkpoint.clock
        )

    def _epochs_in_words(self) -> str:
        words = counted(self.first_epochs, "epoch")
        if self.later_epochs:
            words += f", {self.later_epochs} of later stages, an image as costly there"
        if self.evaluations != self.first_epochs + self.later_epochs:
            words += f", {counted(self.evaluations, 'evaluation')}"
        return words

    def table(self) -> str:
        """The estimate as lines of text."""
        recipe = self.recipe
        rows = [
            ("start", duration(self.start.clock), "data and model, until the first step"),
            (
                "step",
                _seconds(self.step.clock),
                f"{counted(self.step_images, 'image')}, {counted(self.measured_steps, 'step')} measured",
            ),
            (
                "evaluation",
                _seconds(self.evaluation.clock),
                f"from {self.evaluated_images} of the test images",
            ),
            (
                "epoch",
                _seconds(self.epoch.clock),
                f"{counted(self.steps, 'step')}, evaluation and checkpoint",
            ),
            ("run", duration(self.run), self._epochs_in_words()),
            ("memory", "n/a" if self.memory is None else _size(self.memory), "peak of the process"),
        ]
        if self.workers_memory:
            rows.append(("", _size(self.workers_memory), "worker processes, all together"))
        if self.device_memory is not None:
            rows.append(("", _size(self.device_memory), "peak of tensors on the GPU"))
        rows.append(("disk", _size(self.checkpoint_bytes), "checkpoint.pt; twice that while it is replaced"))
        method = f"{recipe.method.name}{protocol_note(recipe.protocol)}"
        head = (
            f"{recipe.name}, method {method}, on {self.device} in {recipe.precision}: estimated, "
            "nothing was written"
        )
        lines = [head, *(f"  {name:<12}{value:>10}   {note}" for name, value, note in rows)]
        return "\n".join([*lines, *(f"  {line}" for line in self.notes)])


def estimate(recipe: Recipe, options: RunOptions, *, seconds: float = 15.0) -> Estimate:
    """Estimate the cost of a run from a few of its steps and a part of an evaluation.

    Args:
        recipe: of the run.
        options: of the run; its device, workers and data folder are used, its output folder is left alone.
        seconds: how long steps are measured, unless that would make fewer than three. Two more go before them, and
            with worker processes as many as lie ready in their queues, whose loading would seem to take no time.

    Returns:
        The estimate, for the rest of the machine as busy as it is now.

    Raises:
        ValueError: bad options, data that is missing or unusable, several processes, or a run that is resumed.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError("an estimate is for one process; start it without torchrun")
    if options.resume:
        raise ValueError(
            "an estimate (--dry-run) is of a whole run, from its first epoch; leave out --resume, or --dry-run to go on"
        )
    device = choose_device(options.device)
    recipe = with_precision(recipe, device)
    with torch.random.fork_rng(enabled=True):
        return _Estimator(recipe, options, device).estimate(seconds)


class _Estimator:
    """A run's parts, built as a run builds them, without its folder."""

    def __init__(self, recipe: Recipe, options: RunOptions, device: torch.device) -> None:
        self.device = device
        self.began = self._now()
        _forget_peak()
        self.data: TrainingData = prepare_data(recipe, options)
        self.recipe = recipe = fitted_to(self.data, recipe)
        options, self.compile_seconds = decide_compile(recipe, options, self.data, device, Rank(), None)
        self.options = options
        self.method = build_seeded(recipe, self.data)
        self.stages = self.method.stages()
        if options.init_from is not None:
            start = read_start(options.init_from, recipe, self.data)
            self.stages = stages_from(self.method, start)
        refuse_impossible_stages(self.stages, recipe, self.data, self.method, Rank())
        self.main = set_up_stage(self.stages[0], recipe, self.data, self.method, device, Rank(), options)
        self.method.begin(self.main.stage)
        self.start = self._since(self.began)

    def _now(self) -> Cost:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return Cost(time.monotonic(), time.process_time())

    def _since(self, began: Cost) -> Cost:
        now = self._now()
        return Cost(now.clock - began.clock, now.processor - began.processor)

    def estimate(self, seconds: float) -> Estimate:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        of_an_image, measured, workers_memory = self._steps(seconds)
        evaluation, evaluated = self._evaluation()
        checkpoint, checkpoint_bytes = self._checkpoint()
        images = self.main.batches.images
        if self.main.stage.drop_last:
            images = self.main.batches.steps * self.main.stage.batch_size
        step_images = min(self.main.stage.batch_size, images)
        every = self.options.evaluate_every
        return Estimate(
            recipe=self.recipe,
            device=self.device.type,
            steps=self.main.batches.steps,
            step_images=step_images,
            start=self.start,
            step=of_an_image.times(step_images),
            epoch_steps=of_an_image.times(images),
            evaluation=evaluation,
            checkpoint=checkpoint,
            memory=peak_memory(),
            workers_memory=workers_memory,
            device_memory=torch.cuda.max_memory_allocated(self.device)
            if self.device.type == "cuda"
            else None,
            checkpoint_bytes=checkpoint_bytes,
            measured_steps=measured,
            evaluated_images=evaluated,
            first_epochs=self.stages[0].epochs,
            later_epochs=sum(stage.epochs for stage in self.stages[1:]),
            epochs_of_first=sum(
                stage.epochs * (stage.images or len(self.data.train)) for stage in self.stages
            )
            / (self.stages[0].images or len(self.data.train)),
            evaluations=sum(
                is_evaluated(stage, epoch, every)
                for stage in self.stages
                for epoch in range(1, stage.epochs + 1)
            ),
            notes=self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        notes = [] if self.compile_seconds is None else [self.compile_seconds.summary()]
        return tuple(filter(None, [*notes, slow_precision(self.recipe.precision, self.device)]))

    def _steps(self, seconds: float) -> tuple[Cost, int, int]:
        """Time of a step divided by its images, how many steps that is the mean of, and the workers' memory."""
        loader = self.main.loader(self.recipe, self.data, self.device, self.options.workers)
        try:
            return self._timed_steps(loader, seconds)
        finally:
            loader.close()

    def _timed_steps(self, loader: BatchLoader, seconds: float) -> tuple[Cost, int, int]:
        self.main.step.train_mode()
        warm_up = WARM_UP_STEPS + 2 * loader.working
        costs: list[Cost] = []
        images = 0
        before = self._now()
        for number, (step, loaded) in enumerate(self._batches(loader)):
            clock = self.main.stage.clock(self.recipe.seed, 0, step, self.main.batches.steps)
            losses = self.main.step(loaded, clock)
            torch.stack(list(losses.values())).tolist()
            taken, before = self._since(before), self._now()
            if number < warm_up:
                continue
            costs.append(taken)
            images += len(loaded.labels)
            enough = sum(cost.clock for cost in costs) > seconds and len(costs) >= FEWEST_STEPS
            if enough or len(costs) == STEPS:
                break
        total = Cost(sum(cost.clock for cost in costs), sum(cost.processor for cost in costs))
        return total.times(1 / images), len(costs), _memory_of_children()

    def _batches(self, loader: BatchLoader) -> Iterator[tuple[int, Loaded]]:
        """One epoch after the other, with the step within the epoch."""
        for epoch in count():
            yield from enumerate(loader.epoch(epoch))

    def _evaluation(self) -> tuple[Cost, int]:
        """Time of an epoch's evaluation, and from how many images, spread over the test set, it is computed."""
        test = self.data.test
        number = min(len(test), EVALUATED_IMAGES)
        chosen = torch.arange(number) * len(test) // number
        sample = test.select(chosen)
        for part in (sample.select(torch.arange(min(number, 256))), sample):  # the first warms up
            before = self._now()
            evaluate_method(
                self.method,
                part,
                self.data.class_counts,
                self.data.normalisation,
                device=self.device,
                precision=self.recipe.precision,
                workers=self.options.workers,
            )
        validation = 0 if self.data.validation is None else len(self.data.validation)
        return self._since(before).times((len(test) + validation) / number), number

    def _checkpoint(self) -> tuple[Cost, int]:
        """Time and size of a checkpoint; in the time, the record and the metrics that are written with it."""
        output = run_folder(self.recipe, self.options)
        folder = next(place for place in (output, *output.parents) if place.is_dir())
        for _ in range(2):  # the first warms up
            before = self._now()
            buffer = io.BytesIO()
            torch.save(self.main.step.state(), buffer)
            for content in (buffer.getvalue(), bytes(RECORD_BYTES), bytes(RECORD_BYTES)):
                _wait_for_disk(content, folder)
        return self._since(before), len(buffer.getbuffer())


def _wait_for_disk(content: bytes, folder: Path) -> None:
    """Write a file without a name to the folder's disk; do nothing if the folder is not writable."""
    with suppress(OSError), tempfile.TemporaryFile(dir=folder) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _forget_peak() -> None:
    """Reset a process's peak memory, on Linux; elsewhere it counts from the process's start."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int | None:
    """Largest resident memory of this process, in bytes."""
    with suppress(OSError):
        return _kilobytes(Path("/proc/self/status"), "VmHWM")
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _memory_of_children() -> int:
    """Resident memory of the processes that this one has started, in bytes; 0 where the system does not tell."""
    total = 0
    for child in multiprocessing.active_children():
        with suppress(OSError):
            total += _kilobytes(Path(f"/proc/{child.pid}/smaps_rollup"), "Pss")
    return total


def _kilobytes(file: Path, name: str) -> int:
    """A line `name:  123 kB` of one of Linux's files, in bytes."""
    line = next(line for line in file.read_text().splitlines() if line.startswith(f"{name}:"))
    return 1024 * int(line.split()[1])


def _seconds(value: float) -> str:
    return f"{value:.2g} s" if value < 10 else duration(value)


def _size(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{math.ceil(number / 1e5) / 10:.1f} MB"
