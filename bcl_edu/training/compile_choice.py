"""Decision whether to compile a long run, from a few trial steps with and without torch.compile.

On some processors and GPUs torch.compile makes the step 1.4 to 1.7 times as fast, on others it gains nothing,
and it takes a minute or more to begin (benchmarks/results has what was measured where).
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from bcl_edu.recipe import Recipe
from bcl_edu.run_options import RunOptions
from bcl_edu.training.data import TrainingData
from bcl_edu.training.distributed import Rank
from bcl_edu.training.record import RECORD_NAME, read_record
from bcl_edu.training.stage_run import build_seeded, set_up_stage

LONG = 600.0
"""Length of a run in seconds from which a measurement is worth its time."""
STEPS = 3
"""Steps measured with and without compilation, each after a first one that is not counted."""


class Seconds(NamedTuple):
    """Measured seconds: of a step with and without compilation, and of compiling."""

    plain: float
    compiled: float
    compiling: float

    def summary(self) -> str:
        """The measurements in one line."""
        return (
            f"compiled, a step takes {self.compiled:.2g} s; as it is, {self.plain:.2g} s; "
            f"compiling takes {self.compiling:.0f} s"
        )


def pays(seconds: Seconds, steps: int) -> bool:
    """True if compiling saves more over `steps` steps than twice the time it takes."""
    return (seconds.plain - seconds.compiled) * steps > 2 * seconds.compiling


def decide_compile(
    recipe: Recipe,
    options: RunOptions,
    data: TrainingData,
    device: torch.device,
    rank: Rank,
    resumed: Path | None,
) -> tuple[RunOptions, Seconds | None]:
    """Replace `--compile auto` by on or off.

    Args:
        recipe: of the run.
        options: of the run.
        data: that it learns from.
        device: that computes.
        rank: this process.
        resumed: folder of the run that continues, which goes on as it began, so as to compute the same bits.

    Returns:
        The options, decided, and what was measured; None if nothing was.

    Raises:
        ValueError: several processes would have to decide alike.
    """
    if options.compile != "auto":
        return options, None
    if rank.world_size > 1:
        raise ValueError("compile 'auto' measures in one process; say on or off where several share a run")
    if resumed is not None and (resumed / RECORD_NAME).exists():
        sessions = read_record(resumed).get("sessions", [])
        return _chosen(options, bool(sessions and sessions[0].get("compile"))), None
    with torch.random.fork_rng(enabled=True):
        steps, plain, _ = _steps_and_seconds(recipe, options, data, device, compiled=False)
        if plain * steps < LONG:
            return _chosen(options, False), None
        _, compiled, first = _steps_and_seconds(recipe, options, data, device, compiled=True)
    seconds = Seconds(plain, compiled, first)
    return _chosen(options, pays(seconds, steps)), seconds


def _chosen(options: RunOptions, compiled: bool) -> RunOptions:
    return replace(options, compile="on" if compiled else "off")


def _steps_and_seconds(
    recipe: Recipe, options: RunOptions, data: TrainingData, device: torch.device, *, compiled: bool
) -> tuple[int, float, float]:
    """Number of steps of the run's first stage, seconds of one step (the least of a few), and seconds of the first."""
    method = build_seeded(recipe, data)
    stage_run = set_up_stage(
        method.stages()[0], recipe, data, method, device, Rank(), _chosen(options, compiled)
    )
    method.begin(stage_run.stage)
    stage_run.step.train_mode()
    loader = stage_run.loader(recipe, data, device, options.workers)
    taken: list[float] = []
    try:
        for number, loaded in enumerate(loader.epoch(0)):
            began = time.perf_counter()
            clock = stage_run.stage.clock(recipe.seed, 0, number, stage_run.batches.steps)
            losses = stage_run.step(loaded, clock)
            losses["loss"].item()  # waits for the device
            taken.append(time.perf_counter() - began)
            if len(taken) > STEPS:
                break
    finally:
        loader.close()
    first, *others = taken
    return stage_run.stage.epochs * stage_run.batches.steps, min(others, default=first), first
