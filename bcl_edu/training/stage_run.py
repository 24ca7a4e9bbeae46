"""A stage set up to run: its batches, its further streams, and its training step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from bcl_edu.augment import ViewPolicy
from bcl_edu.augment.draws import derive_seed
from bcl_edu.data import Images
from bcl_edu.methods.protocol import Method, build_method
from bcl_edu.methods.stage import Stage, Stream
from bcl_edu.recipe import Recipe
from bcl_edu.run_options import RunOptions
from bcl_edu.training.batches import BatchLoader, EpochBatches
from bcl_edu.training.data import TrainingData
from bcl_edu.training.distributed import Rank
from bcl_edu.training.step import TrainingStep


class StageRun(NamedTuple):
    """A stage with its batches and its training step."""

    stage: Stage
    batches: EpochBatches
    step: TrainingStep
    streams: dict[str, tuple[Stream, EpochBatches]]

    def loader(self, recipe: Recipe, data: TrainingData, device: torch.device, workers: int) -> BatchLoader:
        """A loader of the stage's batches, with those of its streams."""
        return BatchLoader(
            data.train,
            self.stage.views,
            self.batches,
            device,
            workers,
            replace_unreadable=recipe.unreadable_images == "replace",
            streams=stream_sources(self.streams, data),
        )


def stage_batches(
    stage: Stage, recipe: Recipe, data: TrainingData, rank: Rank
) -> tuple[EpochBatches, dict[str, tuple[Stream, EpochBatches]]]:
    """Batches of a stage, and of its further streams by name.

    Raises:
        ValueError: a batch cannot be cut as asked, or there is none.
    """
    try:
        batches = EpochBatches(
            data.train.labels,
            stage.batch_size,
            recipe.seed,
            sampler=stage.sampler,
            images=stage.images,
            drop_last=stage.drop_last,
            micro_batches=recipe.accumulate,
            rank=rank.rank,
            world_size=rank.world_size,
        )
        streams = {
            name: (
                stream,
                EpochBatches(
                    images_of(stream, data).labels,
                    stream.batch_size,
                    recipe.seed,
                    sampler=stream.sampler,
                    images=batches.steps * stream.batch_size,
                    stream=name,
                    rank=rank.rank,
                    world_size=rank.world_size,
                ),
            )
            for name, stream in stage.streams.items()
        }
    except ValueError as error:
        if stage.name == "main":
            raise
        raise ValueError(f"the stage {stage.name}: {error}") from error
    return batches, streams


def refuse_impossible_stages(
    stages: Sequence[Stage], recipe: Recipe, data: TrainingData, method: Method, rank: Rank
) -> None:
    """Check the batches of all stages before the first step, since a later stage would fail after hours.

    Raises:
        ValueError: a batch cannot be cut as asked, there is none, or the method cannot compute one in micro-batches.
    """
    for stage in stages:
        if recipe.accumulate > 1 and (method.forward_changes_state or method.owns_gradients or stage.streams):
            raise ValueError(
                f"accumulate is {recipe.accumulate}, but a step of the method {recipe.method.name} cannot be computed "
                "in micro-batches, because it changes the method's state or has further batches; use --accumulate 1"
            )
        stage_batches(stage, recipe, data, rank)


def set_up_stage(
    stage: Stage,
    recipe: Recipe,
    data: TrainingData,
    method: Method,
    device: torch.device,
    rank: Rank,
    options: RunOptions,
) -> StageRun:
    """Build the batches and the training step of a stage.

    Raises:
        ValueError: as `refuse_impossible_stages`.
    """
    refuse_impossible_stages([stage], recipe, data, method, rank)
    batches, streams = stage_batches(stage, recipe, data, rank)
    step = TrainingStep(
        method,
        stage,
        data.normalisation,
        device,
        precision=recipe.precision,
        rank=rank,
        compile=options.compiled_as,
    )
    return StageRun(stage, batches, step, streams)


def images_of(stream: Stream, data: TrainingData) -> Images:
    """The images that a stream draws from.

    Raises:
        ValueError: it draws from images set aside, but there are none.
    """
    if not stream.set_aside:
        return data.train
    if data.set_aside is None:
        raise ValueError("a stream draws from images set aside, but the method's options set none aside")
    return data.set_aside


def stream_sources(
    streams: Mapping[str, tuple[Stream, EpochBatches]], data: TrainingData
) -> dict[str, tuple[Images, ViewPolicy, EpochBatches]]:
    """Images, views and batches of a stage's further streams, as `BatchLoader` takes them."""
    return {
        name: (images_of(stream, data), stream.views, batches) for name, (stream, batches) in streams.items()
    }


def build_seeded(recipe: Recipe, data: TrainingData) -> Method:
    """The recipe's method with initial weights from its seed."""
    torch.manual_seed(derive_seed(recipe.seed, "initial weights"))
    return build_method(recipe, data.class_counts, data.train.image_shape)
