"""The training loop: one run from its recipe to its record, interruptible at any moment.

The loop knows a method through `methods.protocol` only. Which images a step sees, in which views and at which learning
rate is decided by (recipe, stage, epoch, step) alone; the checkpoint holds the rest.
"""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import torch
from torch import Tensor

from bcl_edu.counting import counted
from bcl_edu.data import Images
from bcl_edu.escape import for_terminal
from bcl_edu.methods.protocol import Batch, Clock, Method
from bcl_edu.methods.stage import Stage, Stream, extended
from bcl_edu.models import parameter_count
from bcl_edu.recipe import Recipe
from bcl_edu.run_options import RunOptions
from bcl_edu.training.batches import BatchLoader, EpochBatches, Loaded, LoadingStopped
from bcl_edu.training.checkpoint import BEST_NAME, CHECKPOINT_NAME, CheckpointError
from bcl_edu.training.compile_choice import decide_compile
from bcl_edu.training.data import fitted_to, prepare_data
from bcl_edu.training.device import choose_device
from bcl_edu.training.display import Progress, StepDisplay, epoch_line, first_line
from bcl_edu.training.distributed import (
    Rank,
    all_gather_unique,
    any_rank,
    broadcast_object,
    main_process_first,
    process_group,
)
from bcl_edu.training.evaluation import Evaluation, evaluate_method
from bcl_edu.training.precision import slow_precision, with_precision
from bcl_edu.training.run import (
    RunFiles,
    RunState,
    chosen_epoch,
    claim_folder,
    next_folder,
    refuse_other_data,
    restored_state,
    session_facts,
    what_is_kept,
)
from bcl_edu.training.stage_run import (
    StageRun,
    build_seeded,
    images_of,
    refuse_impossible_stages,
    set_up_stage,
)
from bcl_edu.training.start import (
    StartRun,
    format_names,
    names_taken_over,
    read_start,
    stages_from,
    take_over,
)
from bcl_edu.training.workers import named_worker_errors

EVALUATED_AT_THE_END = 10
"""Number of last epochs of a stage that are evaluated whatever `--evaluate-every` says."""

SHORT_STEPS = 64
"""Height and width of images up to which a step counts as short."""


class LossNotFinite(RuntimeError):
    """A step's loss was NaN or infinite; the message holds the batch's facts."""


class Interrupted(Exception):
    """The run was asked to stop (Ctrl-C), and did; the message says what is saved and how to go on."""


@dataclass(frozen=True)
class EpochReport:
    """Argument of `on_epoch`: the metrics row, the evaluation with its class means, and the method as it is now.

    The method is the one in training, which the next epoch changes. Only epochs that are evaluated are reported.
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
        was_finished: whether it was finished already, and only loaded.
    """

    folder: Path
    record: dict[str, Any]
    metrics: list[dict[str, Any]]
    evaluation: Evaluation
    method: Method
    was_finished: bool = False


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
        on_epoch: called after each evaluated epoch in the main process, for live pictures.
        on_steps: given the steps of the whole run and those already done, returns what is told of every step in
            the main process, in place of the progress bar.

    Raises:
        ValueError: bad options, data that is missing or unusable, or a folder that holds another run, or that
            another process is training into.
        CheckpointError: the checkpoint to resume is missing, damaged, or of another recipe or data.
        LossNotFinite: training diverged; the last good checkpoint stays.
        Interrupted: SIGINT or SIGTERM arrived; a checkpoint was saved.
        KeyboardInterrupt: SIGINT arrived twice, or when no step was under way; the message says what is kept.
        ProcessLost: another process of the run died; the last checkpoint stays.
        WorkersLost: a worker process that loads images died, or none delivers any; likewise.
    """
    device = choose_device(options.device)
    with process_group(device) as rank, ExitStack() as at_end, named_worker_errors():
        if device.type == "cuda":
            device = torch.device("cuda", rank.local_rank)
        run = _Run(recipe, options, device, rank, at_end)
        try:
            return run.train(on_epoch, on_steps)
        except KeyboardInterrupt as at_once:
            raise KeyboardInterrupt(f"stopped at once; {what_is_kept(run.folder)}") from at_once


class _Step(NamedTuple):
    """A step that was taken, with what an error message about it needs."""

    number: int
    names: tuple[str, ...]
    values: Tensor
    loaded: Loaded
    learning_rate: float


def is_evaluated(stage: Stage, epoch: int, every: int) -> bool:
    """True if an epoch, counted from 1, is evaluated: each Nth, a stage's last ten, the last before a milestone."""
    return stage.evaluated and (
        epoch % every == 0
        or epoch > stage.epochs - EVALUATED_AT_THE_END
        or epoch in stage.schedule.milestones
    )


class _Run:
    """One run: its stages, one after the other."""

    def __init__(
        self, recipe: Recipe, options: RunOptions, device: torch.device, rank: Rank, at_end: ExitStack
    ) -> None:
        self.folder = broadcast_object(lambda: next_folder(recipe, options))
        resumed = self.folder if options.resume else None
        recipe = broadcast_object(lambda: with_precision(recipe, device, resumed))
        with main_process_first(rank):
            self.data = prepare_data(recipe, options)
        recipe = fitted_to(self.data, recipe)
        if options.extend_to is not None:
            recipe = extended(recipe, options.extend_to)
        options, self.compile_seconds = decide_compile(recipe, options, self.data, device, rank, resumed)
        self.recipe, self.options, self.device, self.rank = recipe, options, device, rank
        self.asked_to_stop: Callable[[], bool] = lambda: False
        self.method = build_seeded(recipe, self.data)
        parameters = parameter_count(self.method)  # before a stage freezes some
        start = None
        if options.init_from is not None:
            start = read_start(options.init_from, recipe, self.data)
            self.recipe = recipe = replace(recipe, start_from=start.facts["sha256"])
        self.stages = self.method.stages() if start is None else stages_from(self.method, start)
        if options.extend_to is not None and not (self.method.extendable and len(self.stages) == 1):
            raise ValueError(
                f"extend_to is {options.extend_to}, but what the method {recipe.method.name} trains depends on the "
                "number of epochs; start anew from the run's weights with --init-from"
            )
        refuse_impossible_stages(self.stages, recipe, self.data, self.method, rank)
        self.current = self._set_up(0)
        # lock the folder last, so that a mistyped option is reported before a folder that is in use
        stored = broadcast_object(
            lambda: claim_folder(
                self.folder, recipe, resume=options.resume, at_end=at_end, extend_to=options.extend_to
            )
        )
        refuse_other_data(self.data, stored, rank)
        # On a GPU, looking at each loss would make the host wait for every step. Steps with photographs take long, and
        # it is when looking that the run notices that it is to stop.
        small = max(self.data.train.image_shape[1:]) <= SHORT_STEPS
        self.loss_interval = 1 if device.type == "cpu" else 20 if small else 4
        self.state = RunState() if stored is None else restored_state(stored)
        self.files = RunFiles(
            self.folder,
            recipe,
            self.data,
            self.state,
            rank,
            epochs=self.total_epochs,
            parameters=parameters,
        )
        if stored is not None:
            self._resume(stored)
        else:
            if start is not None:
                self._begin_from(start)
            self.method.begin(self.current.stage)

    # ---- beginning

    def _set_up(self, number: int) -> StageRun:
        return set_up_stage(
            self.stages[number], self.recipe, self.data, self.method, self.device, self.rank, self.options
        )

    def _resume(self, stored: dict[str, Any]) -> None:
        if self.state.stage >= len(self.stages):
            raise CheckpointError(
                f"{self.folder / CHECKPOINT_NAME} was changed: its stage is {self.state.stage}, but the recipe has "
                f"{counted(len(self.stages), 'stage')}"
            )
        if self.state.stage:
            self.current = self._set_up(self.state.stage)
        limits = {"epoch": self.current.stage.epochs, "step": self.current.batches.steps}
        for name, most in limits.items():
            if (found := getattr(self.state, name)) > most:
                raise CheckpointError(
                    f"{self.folder / CHECKPOINT_NAME} was changed: its {name} is {found}, but the stage has {most}"
                )
        self.files.restore(stored, self.current.step)

    def _begin_from(self, start: StartRun) -> None:
        take_over(self.method, start)
        self.state.start = start.facts | {"weights": format_names(names_taken_over(self.method, start))}

    @property
    def total_epochs(self) -> int:
        """Epochs of all stages."""
        return sum(stage.epochs for stage in self.stages)

    # ---- the run

    def train(
        self,
        on_epoch: Callable[[EpochReport], None] | None,
        on_steps: Callable[[int, int], StepDisplay] | None,
    ) -> RunResult:
        """Train the remaining stages."""
        state = self.state
        was_finished = len(state.history) >= self.total_epochs  # it is only loaded
        if not was_finished:
            facts = session_facts(
                self.options, len(state.history), self.rank, self.device, self.compile_seconds
            )
            state.sessions = [*state.sessions, facts]
        self.files.write_record()
        events = self._tensorboard()
        total, done = self._steps_in_all()
        progress: StepDisplay
        if on_steps is not None and self.rank.is_main:
            progress = on_steps(total, done)
        else:
            progress = Progress(total, done, enabled=self.options.progress and self.rank.is_main)
        evaluation: Evaluation | None = None
        try:
            if done < total and self.rank.is_main:
                progress.log(self._first_line())
                if state.start is not None and done == 0 and "weights" in state.start:
                    progress.log(
                        f"it begins with weights of {state.start['folder']}: {state.start['weights']}"
                    )
                if warning := slow_precision(self.recipe.precision, self.device):
                    progress.log(warning)
            with _interrupt_flag() as interrupted:
                # what one rank of several hears while it waits, the others do not: they hear it after the step
                if self.rank.world_size == 1:
                    self.asked_to_stop = interrupted.is_set
                while state.stage < len(self.stages):
                    loader = self._loader()
                    try:
                        while state.epoch < self.current.stage.epochs:
                            evaluation = self._epoch(loader, progress, interrupted)
                            self._tell(progress, events, evaluation, on_epoch)
                    finally:
                        loader.close()
                    if not self._next_stage():
                        break
        finally:
            progress.close()
            if events is not None:
                events.close()
            self.asked_to_stop = lambda: False
        if evaluation is None:  # resumed after its last epoch
            evaluation = self._evaluate(self.data.test)
        return RunResult(self.folder, self.files.record, state.history, evaluation, self.method, was_finished)

    def _next_stage(self) -> bool:
        """Begin the next stage, with a checkpoint from which it can be resumed; False after the last one."""
        state = self.state
        if state.stage + 1 == len(self.stages):
            return False
        state.stage, state.epoch, state.step = state.stage + 1, 0, 0
        self.current = self._set_up(state.stage)
        self.method.begin(self.current.stage)
        self.files.save_checkpoint(self.current.step)
        return True

    def _tell(
        self,
        progress: StepDisplay,
        events: Any,
        evaluation: Evaluation | None,
        on_epoch: Callable[[EpochReport], None] | None,
    ) -> None:
        row = self.state.history[-1]
        if not self.rank.is_main:
            return
        progress.log(epoch_line(row, self.total_epochs))
        _log_events(events, row)
        if on_epoch is not None and evaluation is not None:
            on_epoch(EpochReport(row, evaluation, self.method))

    def _steps_in_all(self) -> tuple[int, int]:
        """Steps of the whole run, and those that are done."""
        state, counts = self.state, []
        for stage in self.stages:
            images = stage.images or len(self.data.train)
            full, rest = divmod(images, stage.batch_size)
            counts.append(stage.epochs * (full + (not stage.drop_last and rest > 0)))
        done = sum(counts[: state.stage]) + state.epoch * self.current.batches.steps + state.step
        return sum(counts), done

    def _loader(self) -> BatchLoader:
        return self.current.loader(self.recipe, self.data, self.device, self.options.workers)

    def _first_line(self) -> str:
        ranks = self.rank.world_size
        return first_line(
            self.files.record["recipe"],
            self.data.facts,
            epochs=self.total_epochs,
            steps=self.current.batches.steps,
            where=self.device.type if ranks == 1 else f"{self.device.type} in {counted(ranks, 'process')}",
            folder=self.folder,
            epoch=len(self.state.history),
            step=self.state.step,
        )

    def _epoch(
        self, loader: BatchLoader, progress: StepDisplay, interrupted: threading.Event
    ) -> Evaluation | None:
        """Finish the current epoch from the current step on, evaluate, save."""
        state, stage_run = self.state, self.current
        began = time.monotonic() - state.seconds
        saved = time.monotonic()
        number = len(state.history)  # the epoch, counted over all stages
        if state.step == 0:
            self._before_epoch()
        stage_run.step.train_mode()
        clock = self._clock()
        taken: list[_Step] = []  # steps that are taken, but not looked at yet
        for loaded in loader.epoch(number, state.step, self.asked_to_stop):
            clock = self._clock()
            losses = stage_run.step(loaded, clock)
            values = torch.stack(list(losses.values()))
            taken.append(_Step(state.step, tuple(losses), values, loaded, clock.learning_rate))
            state.step += 1
            state.seconds = time.monotonic() - began
            if len(taken) < self.loss_interval and state.step < stage_run.batches.steps:
                continue
            loss = self._read_losses(taken)
            progress.update(len(taken), number + 1, loss)
            taken = []
            if any_rank(interrupted.is_set(), self.device):
                self._stop(loader)
            if time.monotonic() - saved > 60 * self.options.checkpoint_minutes:
                self._note_unreadable(loader.all_unreadable())  # the other ranks may not be saving now
                self.files.save_checkpoint(stage_run.step)
                saved = time.monotonic()

        if state.step < stage_run.batches.steps:  # stopped while it waited for images
            if taken:
                self._read_losses(taken)
            self._stop(loader)
        self._note_unreadable(all_gather_unique(loader.all_unreadable()))
        evaluation = validation = None
        if is_evaluated(stage_run.stage, state.epoch + 1, self.options.evaluate_every):
            try:
                evaluation = self._evaluate(self.data.test)
                if self.data.validation is not None:
                    validation = self._evaluate(self.data.validation)
            except LoadingStopped:
                self._stop(loader)
        self._close_epoch(evaluation, validation, clock.learning_rate, time.monotonic() - began)
        return evaluation

    def _stop(self, loader: BatchLoader) -> NoReturn:
        """Save everything, and stop.

        Raises:
            Interrupted: always.
        """
        self._note_unreadable(all_gather_unique(loader.all_unreadable()))
        self.files.save_checkpoint(self.current.step)
        raise Interrupted(
            f"stopped in epoch {len(self.state.history) + 1} after step {self.state.step} of "
            f"{self.current.batches.steps}; everything is in {self.folder / CHECKPOINT_NAME}: continue with --resume"
        )

    def _clock(self) -> Clock:
        state, steps = self.state, self.current.batches.steps
        return self.current.stage.clock(self.recipe.seed, state.epoch, state.step, steps)

    @torch.no_grad()
    def _before_epoch(self) -> None:
        """Call the method's `before_epoch`.

        Raises:
            Interrupted: stopped in it. Nothing is saved: the last checkpoint is of this moment, and the method may have
                changed its state in part.
        """
        self.method.eval()
        try:
            self.method.before_epoch(self._clock(), self._training_pass)
        except LoadingStopped:
            raise Interrupted(
                f"stopped before epoch {len(self.state.history) + 1}; {what_is_kept(self.folder)}"
            ) from None

    def _training_pass(self, stream: Stream) -> Iterator[Batch]:
        """One pass over the training images of a stream, each rank over all of them."""
        number = len(self.state.history)
        images = images_of(stream, self.data)
        batches = EpochBatches(
            images.labels,
            stream.batch_size,
            self.recipe.seed,
            sampler=stream.sampler,
            images=stream.images,
            stream="training pass",
        )
        loader = BatchLoader(images, stream.views, batches, self.device, self.options.workers)
        left = batches.steps
        try:
            for loaded in loader.epoch(number, stop=self.asked_to_stop):
                if self.asked_to_stop():
                    break
                left -= 1
                yield self.current.step.whole_batch(loaded)
        finally:
            loader.close()
        if left:
            raise LoadingStopped

    def _note_unreadable(self, found: list[str]) -> None:
        """Keep in the record which image files could not be read in this stretch of the run."""
        session = self.state.sessions[-1]
        if known := {*session.get("unreadable_images", []), *found}:
            session["unreadable_images"] = sorted(known)

    def _read_losses(self, steps: list[_Step]) -> float:
        """Add the steps' losses to the epoch's sums and return the last; refuse one that is not finite.

        Only here does the host wait for the device, once for all the steps.
        """
        sums = self.state.sums
        for step, values in zip(steps, torch.stack([step.values for step in steps]).tolist(), strict=True):
            losses = dict(zip(step.names, values, strict=True))
            if not all(map(math.isfinite, values)):
                raise LossNotFinite(self._bad_batch(step, losses))
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + value
        return losses["loss"]

    def _evaluate(self, images: Images) -> Evaluation:
        return evaluate_method(
            self.method,
            images,
            self.data.class_counts,
            self.data.normalisation,
            device=self.device,
            precision=self.recipe.precision,
            rank=self.rank,
            workers=self.options.workers,
            stop=self.asked_to_stop,
        )

    def _close_epoch(
        self,
        evaluation: Evaluation | None,
        validation: Evaluation | None,
        learning_rate: float,
        seconds: float,
    ) -> None:
        """Add the epoch's row, move to the next epoch, save checkpoint, then record."""
        state = self.state
        means = {name: total / self.current.batches.steps for name, total in state.sums.items()}
        row: dict[str, Any] = {"epoch": len(state.history) + 1}
        if len(self.stages) > 1:
            row["stage"] = self.current.stage.name
        row["loss"] = means.pop("loss")
        row |= {f"loss_{name}": value for name, value in means.items()}
        if evaluation is not None:
            row |= evaluation.summary()
        if validation is not None:
            validated = validation.accuracy
            row |= {"val_top1": validated.top1, "val_class_average": validated.class_average}
        row |= {"learning_rate": learning_rate, "seconds": round(seconds, 3)}
        state.history.append(row)
        if "top1" in row and (state.best is None or row["top1"] > state.best["top1"]):
            state.best = row
        state.epoch, state.step, state.sums, state.seconds = state.epoch + 1, 0, {}, 0.0
        if self.options.keep_best and chosen_epoch(state.history) is row:
            self.files.save_checkpoint(self.current.step, BEST_NAME)
        self.files.save_checkpoint(self.current.step)
        self.files.write_record()

    def _bad_batch(self, step: _Step, losses: Mapping[str, float]) -> str:
        labels = step.loaded.labels
        counts = torch.bincount(labels.cpu(), minlength=self.data.train.num_classes)
        checkpoint = self.folder / CHECKPOINT_NAME
        kept = f"the last good checkpoint is {checkpoint}" if checkpoint.exists() else "nothing was saved yet"
        return (
            f"the loss is not finite ({', '.join(f'{name} {value}' for name, value in losses.items())}) in epoch "
            f"{len(self.state.history) + 1}, step {step.number + 1} of {self.current.batches.steps}, learning rate "
            f"{step.learning_rate:.4g}, {counted(len(labels), 'sample')} (first indices "
            f"{step.loaded.indices[:8].tolist()}) of "
            f"{counted(int((counts > 0).sum()), 'class')}, largest {int(counts.max())}; {kept}. "
            "A lower learning rate, a longer warm-up or float32 may help"
        )

    def _tensorboard(self) -> Any:
        if not (self.options.tensorboard and self.rank.is_main):
            return None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:  # an extra: the record and the metrics hold the same figures
            return None
        try:
            return SummaryWriter(str(self.folder / "tensorboard"), purge_step=len(self.state.history) + 1)
        except UnicodeError:
            print(
                f"warning: TensorBoard cannot write below {for_terminal(self.folder)}, whose name is not UTF-8 here; "
                "metrics.jsonl has the same figures",
                file=sys.stderr,
            )
            return None


def _log_events(events: Any, row: Mapping[str, Any]) -> None:
    if events is None:
        return
    for name, value in row.items():
        if isinstance(value, float):
            events.add_scalar(name.replace("loss_", "loss/"), value, row["epoch"])


@contextmanager
def _interrupt_flag() -> Iterator[threading.Event]:
    """Make SIGINT and SIGTERM only set the flag inside the block; a second SIGINT acts at once, as before.

    A second SIGTERM does not: under torchrun it comes from the scheduler and from torchrun, for the same
    reason. Both send SIGKILL after a grace period.

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
