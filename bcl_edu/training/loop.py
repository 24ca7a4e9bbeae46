"""The training loop: one run from its recipe to its record, interruptible at any moment.

What the loop may touch: a method through `methods.Method`, a run's folder, its device. Which samples a step sees,
in which views and at which learning rate is decided by (recipe, epoch, step) alone; the checkpoint holds the rest.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from bcl_edu.methods import Method, build_method
from bcl_edu.models import parameter_count
from bcl_edu.recipe import Recipe, recipe_as_dict, recipe_differences, recipe_from_dict
from bcl_edu.seeds import derive_seed
from bcl_edu.training.batches import EpochBatches
from bcl_edu.training.checkpoint import (
    CHECKPOINT_NAME,
    CheckpointError,
    load_run_checkpoint,
    save_checkpoint,
)
from bcl_edu.training.data import TrainingData, prepare_data
from bcl_edu.training.display import Progress, StepDisplay, epoch_line, first_line
from bcl_edu.training.distributed import (
    Processes,
    any_process,
    from_all_processes,
    from_main_process,
    main_process_first,
    process_group,
)
from bcl_edu.training.evaluation import Evaluation, evaluate_method
from bcl_edu.training.loading import SMALL, BatchLoader
from bcl_edu.training.options import RunOptions, choose_device
from bcl_edu.training.record import (
    RECORD_NAME,
    command_line,
    git_revision,
    hardware,
    read_record,
    versions,
    write_metrics,
    write_record,
)
from bcl_edu.training.schedule import learning_rate
from bcl_edu.training.step import TrainingStep

LOCK_NAME = ".lock"
"""Under which a run's folder has the lock of the process that writes into it."""

SECONDS_TO_WAIT_FOR_A_FOLDER = 15.0


class LossNotFinite(RuntimeError):
    """A step's loss was NaN or infinite; the message holds the batch's facts."""


class Interrupted(Exception):
    """The run was asked to stop (Ctrl-C) and has saved a checkpoint."""


@dataclass(frozen=True)
class EpochReport:
    """What `on_epoch` is told: the metrics row, the evaluation with its class means, and the model as it is now.

    The method is the one in training: look at it before you return, since the next epoch changes it.
    """

    metrics: Mapping[str, Any]
    evaluation: Evaluation
    method: Method


@dataclass(frozen=True)
class RunResult:
    """A finished run.

    Attributes:
        folder: where its checkpoint, record and metrics lie.
        record: the run record, as in run.json.
        metrics: one row an epoch.
        evaluation: after the last epoch.
        method: the trained method, on the run's device.
    """

    folder: Path
    record: dict[str, Any]
    metrics: list[dict[str, Any]]
    evaluation: Evaluation
    method: Method


def run_folder(recipe: Recipe, options: RunOptions, runs: Path | str = "runs") -> Path:
    """The folder of a run; the loss is said once, as in table2-bcl-seed0 and cifar100-lt-bcl-seed0."""
    loss = "" if recipe.name.endswith(f"-{recipe.loss}") else f"-{recipe.loss}"
    return options.output or Path(runs) / f"{recipe.name}{loss}-seed{recipe.seed}"


def train(
    recipe: Recipe,
    options: RunOptions,
    on_epoch: Callable[[EpochReport], None] | None = None,
    on_steps: Callable[[int, int], StepDisplay] | None = None,
) -> RunResult:
    """Train a recipe to its end, or continue an interrupted run.

    Args:
        recipe: decides the result.
        options: where and how.
        on_epoch: called after each epoch in the main process, for live pictures.
        on_steps: given the steps of the whole run and those already done, returns what is told of every step in
            the main process, in place of the progress bar.

    Raises:
        ValueError: bad options, data that is missing or unusable, or a folder that holds another run, or that another
            process is training into.
        CheckpointError: the checkpoint to resume is missing, damaged, or of another recipe or data.
        LossNotFinite: training diverged; the last good checkpoint stays.
        Interrupted: SIGINT or SIGTERM arrived; a checkpoint was saved.
        ProcessLost: another process of the run died; the last checkpoint stays.
    """
    device = choose_device(options.device)
    with process_group(device) as processes, ExitStack() as at_end:
        if device.type == "cuda":
            device = torch.device("cuda", processes.local_rank)
        return _Run(recipe, options, device, processes, at_end).train(on_epoch, on_steps)


class _Step(NamedTuple):
    """A step that was taken, and what is needed to describe it if it turns out bad."""

    number: int
    names: tuple[str, ...]
    values: Tensor
    indices: Tensor
    labels: Tensor
    rate: float


class _Run:
    """The state of one run; everything in `state()` is what a checkpoint must hold."""

    def __init__(
        self,
        recipe: Recipe,
        options: RunOptions,
        device: torch.device,
        processes: Processes,
        at_end: ExitStack,
    ) -> None:
        self.recipe, self.options, self.device, self.processes = recipe, options, device, processes
        self.folder = run_folder(recipe, options)

        with main_process_first(processes):
            self.data: TrainingData = prepare_data(recipe, options)
        self.normalisation = self.data.normalisation
        torch.manual_seed(derive_seed(recipe.seed, "initial weights"))
        self.method = build_method(recipe, self.data.class_counts, self.data.train.image_shape)
        self.training_step = TrainingStep(
            self.method, recipe, self.normalisation, device, processes, compile=options.compiled_as
        )
        self.batches = EpochBatches(
            len(self.data.train),
            recipe.batch_size,
            recipe.seed,
            drop_last=recipe.drop_last,
            parts=recipe.accumulate,
            rank=processes.rank,
            world_size=processes.world_size,
        )
        # only now, when every value has been looked at: that the folder is taken would hide a mistyped one
        stored = from_main_process(lambda: self._claim_folder(at_end))
        self._refuse_other_data(stored)
        # On a GPU, looking at each loss would make the host wait for every step. Steps with photographs take long, and
        # it is when looking that the run notices that it is to stop.
        small = max(self.data.train.image_shape[1:]) <= SMALL
        self.look_every = 1 if device.type == "cpu" else 20 if small else 4
        self.epoch, self.step = 0, 0  # the position: epochs finished, steps finished in the current one
        self.sums: dict[str, float] = {}  # loss parts summed over those steps
        self.seconds = 0.0  # spent in the current epoch
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Any] | None = None
        self.record = self._new_record()
        if stored is not None:
            self._restore(stored)

    # ---- beginning

    def _claim_folder(self, at_end: ExitStack) -> dict[str, Any] | None:
        """What `_look_at_folder` finds, in a folder that until the end no other process may train into.

        Such as the same command, started twice. The system lets the lock go when the process ends, however it ends;
        worker processes of a killed run live a few seconds longer, hence the wait.
        """
        stored = self._look_at_folder()
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / LOCK_NAME)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            try:
                lock.acquire(timeout=SECONDS_TO_WAIT_FOR_A_FOLDER)
            except Timeout:
                raise ValueError(
                    f"another process is training into {self.folder}; wait for its end, or choose another --output"
                ) from None
            stored = self._look_at_folder()  # the other one has gone on in the meantime
        at_end.callback(lock.release)
        return stored

    def _look_at_folder(self) -> dict[str, Any] | None:
        """The checkpoint to continue from, or None for a new run in a folder that holds no other."""
        path = self.folder / CHECKPOINT_NAME
        recorded = (self.folder / RECORD_NAME).exists()
        if not path.exists():
            if recorded and read_record(self.folder)["epochs_finished"]:
                raise ValueError(
                    f"{self.folder} holds the record of a run, but no {CHECKPOINT_NAME} to continue from, as what "
                    "`python -m bcl_edu.export` keeps; choose another --output"
                )
            if self.options.resume and not recorded:
                raise CheckpointError(
                    f"there is no checkpoint {path} to continue from; name the run's folder with --output, "
                    "or leave out --resume to begin a run"
                )
            return None  # nothing there yet, or killed before its first checkpoint: begin
        if not self.options.resume:
            raise ValueError(
                f"{self.folder} already holds a run; continue it with --resume, or choose another --output"
            )
        state = load_run_checkpoint(path)
        differences = recipe_differences(recipe_from_dict(state["recipe"]), self.recipe)
        if differences:
            raise CheckpointError(
                f"{path} was made by another recipe and cannot be continued with this one:\n  "
                + "\n  ".join(differences)
                + "\nuse the stored values, or start a new run with another --output"
            )
        return state

    def _refuse_other_data(self, stored: dict[str, Any] | None) -> None:
        """A run continues only on the images it began with."""
        for name in ("subset_sha256", "training_images_sha256", "test_images_sha256"):
            found, began_with = self.data.facts[name], stored and stored["data"].get(name)
            if stored is not None and began_with != found:
                raise CheckpointError(
                    f"the data differ from those the run began with ({name}: stored {str(began_with)[:12]}, "
                    f"found {found[:12]}); point --data-dir at the same images"
                )
        if from_main_process(lambda: self.data.facts) != self.data.facts:
            raise ValueError(
                f"process {self.processes.rank} found other data than process 0 did; "
                "every machine needs the same copy of the data set"
            )

    def _new_record(self) -> dict[str, Any]:
        return {
            "recipe": recipe_as_dict(self.recipe),
            "data": self.data.facts,
            "parameters": parameter_count(self.method.model),
            "normalisation": {"mean": list(self.normalisation.mean), "std": list(self.normalisation.std)},
            "sessions": [],
            "epochs_finished": 0,
            "last": None,
            "best": None,
            "seconds": 0.0,
        }

    def _session(self) -> dict[str, Any]:
        """Facts of this stretch of the run; a resumed run has several."""
        return {
            "command": command_line(),
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "from_epoch": self.epoch,
            "processes": self.processes.world_size,
            "compile": self.options.compiled_as,
            "workers": self.options.workers,
            "git_revision": git_revision(),
            "versions": versions(),
            "hardware": hardware(self.device),
        }

    # ---- the checkpoint

    def state(self) -> dict[str, Any]:
        """Everything needed to continue, as tensors and plain values."""
        return {
            "recipe": recipe_as_dict(self.recipe),
            "data": self.data.facts,
            "normalisation": {"mean": list(self.normalisation.mean), "std": list(self.normalisation.std)},
            "image_shape": list(self.data.train.image_shape),
            **self.training_step.state(),
            "random": {"torch": torch.get_rng_state()},  # nothing draws on a device
            "epoch": self.epoch,
            "step": self.step,
            "sums": self.sums,
            "seconds": self.seconds,
            "history": self.history,
            "best": self.best,
            "sessions": self.record["sessions"],
        }

    def _restore(self, state: dict[str, Any]) -> None:
        try:
            self.training_step.restore(state)
            torch.set_rng_state(state["random"]["torch"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                f"{self.folder / CHECKPOINT_NAME} is of another version of bcl_edu, or was changed: "
                f"its state does not fit ({type(error).__name__}: {error})"
            ) from error
        self.epoch, self.step, self.seconds = state["epoch"], state["step"], state["seconds"]
        self.sums, self.history, self.best = state["sums"], state["history"], state["best"]
        self.record["sessions"] = state["sessions"]

    def _save(self) -> None:
        if self.processes.is_main:
            save_checkpoint(self.folder / CHECKPOINT_NAME, self.state())

    def _write_record(self) -> None:
        """Bring the record, run.json and metrics.jsonl up to the last finished epoch."""
        self.record |= {
            "epochs_finished": len(self.history),
            "last": self.history[-1] if self.history else None,
            "best": self.best,
            "seconds": round(sum(row["seconds"] for row in self.history), 1),
        }
        if self.processes.is_main:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_metrics(self.folder, self.history)
            write_record(self.folder, self.record)

    # ---- the run

    def train(
        self,
        on_epoch: Callable[[EpochReport], None] | None,
        on_steps: Callable[[int, int], StepDisplay] | None,
    ) -> RunResult:
        if self.epoch < self.recipe.epochs:  # a finished run is only loaded
            self.record["sessions"] = [*self.record["sessions"], self._session()]
        self._write_record()
        loader = BatchLoader(
            self.data.train,
            self.method.view_policy,
            self.batches,
            self.recipe.seed,
            self.device,
            self.options.workers,
            replace_unreadable=self.recipe.unreadable_images == "replace",
        )
        events = self._tensorboard()
        total, done = self.recipe.epochs * self.batches.steps, self.epoch * self.batches.steps + self.step
        progress: StepDisplay
        if on_steps is not None and self.processes.is_main:
            progress = on_steps(total, done)
        else:
            progress = Progress(total, done, enabled=self.options.progress and self.processes.is_main)
        evaluation: Evaluation | None = None
        try:
            if done < total and self.processes.is_main:
                progress.say(self._first_line())
            with _interrupt_flag() as interrupted:
                while self.epoch < self.recipe.epochs:
                    evaluation = self._epoch(loader, progress, interrupted)
                    row = self.history[-1]
                    if self.processes.is_main:
                        progress.say(epoch_line(row, self.recipe.epochs))
                        _log_events(events, row)
                        if on_epoch is not None:
                            on_epoch(EpochReport(row, evaluation, self.method))
        finally:
            loader.close()
            progress.close()
            if events is not None:
                events.close()
        if evaluation is None:  # resumed after its last epoch
            evaluation = self._evaluate()
        return RunResult(self.folder, self.record, self.history, evaluation, self.method)

    def _first_line(self) -> str:
        processes = self.processes.world_size
        return first_line(
            self.record["recipe"],
            self.data.facts,
            steps=self.batches.steps,
            where=self.device.type if processes == 1 else f"{self.device.type} in {processes} processes",
            folder=self.folder,
            epoch=self.epoch,
            step=self.step,
        )

    def _epoch(
        self,
        loader: BatchLoader,
        progress: StepDisplay,
        interrupted: threading.Event,
    ) -> Evaluation:
        """Finish the current epoch from the current step on, evaluate, save."""
        began = time.monotonic() - self.seconds
        saved = time.monotonic()
        self.method.model.train()
        rate = 0.0
        steps: list[_Step] = []  # taken, but not looked at yet
        for images, labels, indices in loader.epoch(self.epoch, self.step):
            rate = learning_rate(self.recipe, self.epoch * self.batches.steps + self.step, self.batches.steps)
            losses = self.training_step.take(images, labels, rate, self.batches.parts_of(self.step))
            values = torch.stack(list(losses.values()))
            steps.append(_Step(self.step, tuple(losses), values, indices, labels, rate))
            self.step += 1
            self.seconds = time.monotonic() - began
            if len(steps) < self.look_every and self.step < self.batches.steps:
                continue
            loss = self._look_at(steps)
            progress.advance(len(steps), self.epoch + 1, loss)
            steps = []
            if any_process(interrupted.is_set(), self.device):
                self._note_unreadable(from_all_processes(loader.unreadable))
                self._save()
                raise Interrupted(
                    f"stopped in epoch {self.epoch + 1} after step {self.step} of {self.batches.steps}; "
                    f"everything is in {self.folder / CHECKPOINT_NAME}: continue with --resume"
                )
            if time.monotonic() - saved > 60 * self.options.checkpoint_minutes:
                self._note_unreadable(loader.unreadable)  # the other processes may not be saving now
                self._save()
                saved = time.monotonic()

        self._note_unreadable(from_all_processes(loader.unreadable))
        evaluation = self._evaluate()
        self._close_epoch(evaluation, rate, time.monotonic() - began)
        return evaluation

    def _note_unreadable(self, found: list[str]) -> None:
        """Keep in the record which image files could not be read in this stretch of the run."""
        session = self.record["sessions"][-1]
        if known := {*session.get("unreadable_images", []), *found}:
            session["unreadable_images"] = sorted(known)

    def _look_at(self, steps: list[_Step]) -> float:
        """Add the steps' losses to the epoch's sums and return the last; refuse one that is not finite.

        Only here does the host wait for the device, once for all the steps.
        """
        for step, values in zip(steps, torch.stack([step.values for step in steps]).tolist(), strict=True):
            losses = dict(zip(step.names, values, strict=True))
            if not all(map(math.isfinite, values)):
                raise LossNotFinite(self._bad_batch(step, losses))
            for name, value in losses.items():
                self.sums[name] = self.sums.get(name, 0.0) + value
        return losses["loss"]

    def _evaluate(self) -> Evaluation:
        return evaluate_method(
            self.method,
            self.data.test,
            self.data.class_counts,
            self.normalisation,
            device=self.device,
            precision=self.recipe.precision,
            processes=self.processes,
            workers=self.options.workers,
        )

    def _close_epoch(self, evaluation: Evaluation, rate: float, seconds: float) -> None:
        """Add the epoch's row, move to the next epoch, save checkpoint, then record."""
        means = {name: total / self.batches.steps for name, total in self.sums.items()}
        row = {"epoch": self.epoch + 1, "loss": means.pop("loss")}
        row |= {f"loss_{name}": value for name, value in means.items()}
        row |= evaluation.summary() | {"learning_rate": rate, "seconds": round(seconds, 3)}
        self.history.append(row)
        if self.best is None or row["top1"] > self.best["top1"]:
            self.best = row
        self.epoch, self.step, self.sums, self.seconds = self.epoch + 1, 0, {}, 0.0
        self._save()
        self._write_record()

    def _bad_batch(self, step: _Step, losses: Mapping[str, float]) -> str:
        counts = torch.bincount(step.labels.cpu(), minlength=self.data.train.num_classes)
        checkpoint = self.folder / CHECKPOINT_NAME
        kept = f"the last good checkpoint is {checkpoint}" if checkpoint.exists() else "nothing was saved yet"
        return (
            f"the loss is not finite ({', '.join(f'{name} {value}' for name, value in losses.items())}) in epoch "
            f"{self.epoch + 1}, step {step.number + 1} of {self.batches.steps}, learning rate {step.rate:.4g}, "
            f"{len(step.labels)} samples (first indices {step.indices[:8].tolist()}) of {int((counts > 0).sum())} "
            f"classes, largest {int(counts.max())}; {kept}. "
            "A lower learning rate, a longer warm-up or float32 may help"
        )

    def _tensorboard(self) -> Any:
        if not (self.options.tensorboard and self.processes.is_main):
            return None
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.folder / "tensorboard"), purge_step=self.epoch + 1)


def _log_events(events: Any, row: Mapping[str, Any]) -> None:
    if events is None:
        return
    for name, value in row.items():
        if isinstance(value, float):
            events.add_scalar(name.replace("loss_", "loss/"), value, row["epoch"])


@contextmanager
def _interrupt_flag() -> Iterator[threading.Event]:
    """Within, SIGINT and SIGTERM only set the flag; a second SIGINT acts at once, as it did before.

    A second SIGTERM does not: under torchrun it comes from the scheduler and from torchrun, for the same reason. Both
    send SIGKILL to who takes too long.

    In a thread other than the main one Python delivers no signals, and the flag stays unset.
    """
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(number: int, frame: Any) -> None:
        flag.set()
        if number == signal.SIGINT:
            signal.signal(number, before[signal.SIGINT])

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
