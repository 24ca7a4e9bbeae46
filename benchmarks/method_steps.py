"""What a training step of each method takes, in processor time and memory, against one of cross-entropy.

    python benchmarks/method_steps.py                         print a table, write results/method_steps.json
    python benchmarks/method_steps.py --methods ce bcl kcl    these alone; ce is always among them

CIFAR-100-LT with ResNet-32 under the common protocol, in float32 on one thread, 32 images for every method and
stage, further streams in proportion, queues as published. Images are noise, and making their views is not
timed. All steps are taken in turns in this process; a ratio is that of a round. Memory is what torch's
allocator holds at once beyond what it held before the step. A method of several stages has a line for each.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from common import RESULTS, facts, in_turns, peak_megabytes, ratios, spread, table, write

from bcl_edu.augment import Normalisation
from bcl_edu.data import exponential_profile
from bcl_edu.methods import Clock, Method, build_method
from bcl_edu.methods.protocol import Batch
from bcl_edu.methods.stage import Stage, Stream
from bcl_edu.rows import METHODS, RECIPES
from bcl_edu.training.batches import Loaded
from bcl_edu.training.step import TrainingStep

BATCH_SIZE = 32
CLASSES = 100
CPU = torch.device("cpu")
NORMALISATION = Normalisation((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


def noise(views: int, number: int, streams: dict[str, Loaded] | None = None) -> Loaded:
    """A batch of images that show nothing, more of them of the first classes."""
    images = torch.randint(0, 256, (views, number, 3, 32, 32), dtype=torch.uint8)
    labels = torch.multinomial(exponential_profile(500, CLASSES, 100.0).double(), number, replacement=True)
    return Loaded(images, labels, torch.arange(number), streams=streams)


def step_of(method: Method, stage: Stage) -> Callable[[], None]:
    """Takes a step of a stage, late in it, where a method does all that it ever does."""
    step = TrainingStep(method, stage, NORMALISATION, CPU)
    method.begin(stage)
    late = int(0.9 * stage.epochs)
    clock = Clock(0, stage.name, late, stage.epochs, 0, 100, 0.001)
    streams = {
        name: noise(len(one.views.views), one.batch_size * BATCH_SIZE // stage.batch_size)
        for name, one in stage.streams.items()
    }
    loaded = noise(len(stage.views.views), BATCH_SIZE, streams)

    def training_pass(stream: Stream) -> Iterator[Batch]:
        yield step.whole_batch(noise(len(stream.views.views), BATCH_SIZE))

    def take() -> None:
        # other stages of the method, timed in turns, choose other parameters
        for name, parameter in method.named_parameters():
            parameter.requires_grad_(name in learning)
        step.train_mode()
        step(loaded, clock)

    learning = {name for name, parameter in method.named_parameters() if parameter.requires_grad}
    with torch.no_grad():
        method.eval()
        method.before_epoch(clock, training_pass)
    return take


def steps_of(name: str) -> dict[str, Callable[[], None]]:
    """A step of each stage of a method, by "method" or "method, stage"."""
    values: dict[str, Any] = {"method": name, "protocol": "common", "precision": "float32"}
    recipe = RECIPES["cifar100-lt"][1].change(**values)
    torch.manual_seed(0)
    counts = exponential_profile(500, CLASSES, 100.0)
    stages = build_method(recipe, counts, (3, 32, 32)).stages()
    return {
        name if len(stages) == 1 else f"{name}, {stage.name}": step_of(
            build_method(recipe, counts, (3, 32, 32)), stage
        )
        for stage in stages
    }


def main() -> None:
    """Time, weigh, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=RESULTS / "method_steps.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    record = facts()
    sides: dict[str, Callable[[], None]] = {}
    for name in dict.fromkeys(["ce", *arguments.methods]):
        sides |= steps_of(name)
    seconds = in_turns(sides, arguments.rounds)
    megabytes = {name: round(peak_megabytes(side), 1) for name, side in sides.items()}
    results = {
        name: {
            "milliseconds": spread([1e3 * one for one in of], 1),
            "over_cross_entropy": ratios(of, seconds["ce"], 2),
            "megabytes": megabytes[name],
            "memory_over_cross_entropy": round(megabytes[name] / megabytes["ce"], 2),
        }
        for name, of in seconds.items()
    }
    rows = [
        [
            name,
            one["over_cross_entropy"]["median"],
            " to ".join(map(str, one["over_cross_entropy"]["quartiles"])),
            one["memory_over_cross_entropy"],
        ]
        for name, one in results.items()
    ]
    title = f"A step on {BATCH_SIZE} images, as multiples of cross-entropy's"
    columns = ["method, stage", "processor time", "quartiles", "memory"]
    write(
        record | {"batch_size": BATCH_SIZE, "steps": results, "tables": [table(title, columns, rows)]},
        arguments.output,
    )


if __name__ == "__main__":
    main()
