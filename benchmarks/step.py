"""Time of a whole training step (views, forward, loss, backward, optimiser), from what people do today to ours.

    python benchmarks/step.py                     print a table, write benchmarks/results/step.json
    python benchmarks/step.py --threads 2         wall-clock time counts only on a machine with nothing else to do
    python benchmarks/step.py --sides plain ours  leave out the steps in between
    python benchmarks/step.py --sides ours compiled "denormals flushed" --output benchmarks/results/step_tried.json
    python benchmarks/step.py --profile           where the time of `ours` goes; writes step_profile.json (a minute)

ResNet-32 with both branches, 256 images in three views each. The first side is a plain implementation: float32,
contiguous images, torchvision's transforms on Pillow images sample by sample in two DataLoader workers, Eq. 9 and
Eq. 10 by autograd, torch.optim.SGD. Each further side changes one thing more; `ours` is what `bcl_edu.train` does.
The last two were tried and are not what it does; compiling takes minutes, so they run on demand.

All sides are timed in turns in this process: two steps of the plain side, whose workers make the views of the
second during the first, and one of each other, which makes its views itself. The figure that counts is
processor time, of this process and of its workers together: what other programs do on the machine is not in
it. On a machine that is busy with nothing else, and whose cores the step fills, wall-clock ratios are the
same.
"""

import argparse
import ctypes
import os
import platform
import random
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from common import RESULTS, facts, in_turns, package_step, ratios, spread, table, verdict, write
from torch import Tensor, nn
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.functional import to_pil_image
from views import MEAN, STD, pictures, torchvision_triple

from bcl_edu.augment import BatchedTrainingViews, Normalisation, normalise, view_policy, view_seeds
from bcl_edu.losses import balanced_contrastive_loss, logit_compensated_cross_entropy
from bcl_edu.methods import bcl, build_method
from bcl_edu.rows.bcl_rows import BCL
from bcl_edu.training import RECIPES
from bcl_edu.training.device import M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, keep_freed_memory
from bcl_edu.training.step import autocast

CLASSES = 100
RECIPE = RECIPES["cifar100-lt"][1]
OPTIONS = RECIPE.method
assert isinstance(OPTIONS, BCL)
CPU = torch.device("cpu")
TRIED = {"compiled": "compiled", "denormals flushed": "denormals_flushed"}


@dataclass(frozen=True)
class Side:
    """One way to take a step."""

    batched_views: bool = False
    channels_last: bool = False
    bfloat16: bool = False
    loss_kernel: bool = False
    fused_optimizer: bool = False
    keep_memory: bool = False
    package: bool = False
    """The step of the package, TrainingStep, rather than the loop of this file."""
    compiled: bool = False
    denormals_flushed: bool = False


def sides() -> dict[str, Side]:
    """From plain to ours, then what was tried; each name says what is new in it."""
    ladder = {"plain": Side()}
    for name, change in (
        ("batched views", "batched_views"),
        ("channels-last", "channels_last"),
        ("bfloat16", "bfloat16"),
        ("loss kernel", "loss_kernel"),
        ("fused optimiser", "fused_optimizer"),
        ("kept memory", "keep_memory"),
        ("ours", "package"),
    ):
        ladder[name] = replace(list(ladder.values())[-1], **{change: True})
    for name, change in TRIED.items():
        ladder[name] = replace(ladder["ours"], **{change: True})
    return ladder


class PlainBlock(nn.Module):
    """A residual block as one finds it in most repositories."""

    def __init__(self, in_planes: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.planes, self.stride = planes, stride

    def forward(self, x: Tensor) -> Tensor:
        out = functional.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.stride > 1:
            x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.planes // 4, self.planes // 4))
        return functional.relu(out + x)


class PlainNet(nn.Module):
    """ResNet-32, classifier, projection head and prototype head."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
        in_planes = 16
        for planes in (16, 32, 64):
            for block in range(5):
                layers.append(PlainBlock(in_planes, planes, 2 if block == 0 and planes > 16 else 1))
                in_planes = planes
        self.encoder = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.fc = nn.Linear(64, CLASSES)
        self.head, self.head_fc = (
            nn.Sequential(nn.Linear(64, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 128))
            for _ in range(2)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        feature = self.encoder(x)
        third = len(x) // 3
        z = functional.normalize(self.head(feature[third:]).float(), dim=1)
        centers = functional.normalize(self.head_fc(self.fc.weight).float(), dim=1)
        return self.fc(feature[:third]), z, centers


def plain_loss(logits: Tensor, z: Tensor, centers: Tensor, labels: Tensor, prior: Tensor) -> Tensor:
    """Eq. 9, 10 and 11 as the paper prints them."""
    compensated = functional.cross_entropy(logits + prior.log(), labels)
    own = labels.repeat(2)
    targets = torch.cat([own, torch.arange(len(centers))])
    similarity = torch.exp(z @ torch.cat([z, centers]).T / OPTIONS.temperature)
    itself = torch.eye(len(z), len(targets), dtype=torch.bool)
    positive = (own[:, None] == targets) & ~itself
    group = (
        torch.bincount(targets)[targets] - positive.int()
    )  # |B_j| + 1, without the anchor in its own class
    denominator = (similarity.masked_fill(itself, 0) / group).sum(dim=1, keepdim=True)
    contrastive = -((similarity / denominator).log() * positive).sum(dim=1) / positive.sum(dim=1)
    return OPTIONS.lambda_ * compensated + OPTIONS.mu * contrastive.mean()


class PlainDataset(Dataset[tuple[Tensor, int]]):
    """Three views of an image, through Pillow."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = [to_pil_image(image) for image in images], labels.tolist()
        self.triple = torchvision_triple()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.triple(self.images[index]), self.labels[index]


class Bench:
    """The same images and classes for all sides."""

    def __init__(self, batch_size: int, steps: int, workers: int) -> None:
        self.batch_size, self.steps, self.workers = batch_size, steps, workers
        self.images = pictures(batch_size * steps)
        self.labels = torch.arange(len(self.images)) % CLASSES
        self.counts = torch.bincount(self.labels, minlength=CLASSES).clamp(min=1)

    def batches(self, side: Side) -> Iterator[tuple[Tensor, Tensor]]:
        """Normalised views (3, n, c, h, w), or their bytes for the package's step, and labels."""
        if not side.batched_views:
            data = PlainDataset(self.images, self.labels)
            for views, labels in DataLoader(data, self.batch_size, shuffle=True, num_workers=self.workers):
                yield views.transpose(0, 1), labels
            return
        data = BatchedTrainingViews(self.images, self.labels, view_policy("cifar", image_size=32))
        for chosen in torch.randperm(len(data)).split(self.batch_size):
            indices = chosen.tolist()
            views, labels, _ = data.views(indices, view_seeds(0, 0, indices))
            yield views if side.package else normalise(views, MEAN, STD), labels

    def step(self, side: Side) -> Callable[[Tensor, Tensor], None]:
        """A step with a network of its own."""
        torch.manual_seed(0)
        if side.package:
            compile = "default" if side.compiled else None
            ours = package_step(RECIPE, self.counts, Normalisation(MEAN, STD), CPU, compile=compile)
            return lambda views, labels: float(ours(views, labels)["loss"])

        model = PlainNet()
        if side.channels_last:
            model.to(memory_format=torch.channels_last)
        optimizer = torch.optim.SGD(
            model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, fused=side.fused_optimizer or None
        )

        def take(views: Tensor, labels: Tensor) -> None:
            images = views.reshape(-1, 3, 32, 32)
            if side.channels_last:
                images = images.contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=side.bfloat16):
                logits, z, centers = model(images)
            logits = logits.float()
            if side.loss_kernel:
                loss = OPTIONS.lambda_ * logit_compensated_cross_entropy(
                    logits, labels, self.counts, check=False
                ) + OPTIONS.mu * balanced_contrastive_loss(
                    z, labels.repeat(2), centers, temperature=OPTIONS.temperature, check=False
                )
            else:
                loss = plain_loss(logits, z, centers, labels, self.counts)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()

        return take


def set_process(side: Side) -> None:
    """Flush denormals or not; keep freed memory, or what glibc does by itself once it has seen blocks of 32 MB."""
    torch.set_flush_denormal(side.denormals_flushed)
    if platform.libc_ver()[0] != "glibc":
        return
    if side.keep_memory:
        keep_freed_memory()
    else:
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, 32 * 2**20)
        libc.mallopt(M_TRIM_THRESHOLD, 64 * 2**20)
        libc.malloc_trim(0)


def processor_seconds() -> float:
    """User and system time of this process and of the workers that have ended."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(of.ru_utime + of.ru_stime for of in usage)


# Of an operator and all that called it, the outermost that is named here says what its time is spent on.
PARTS = {
    "views": ("views",),
    "loss, forward and backward": ("loss", "autograd::engine::evaluate_function: _ContrastiveLossBackward"),
    "optimiser": ("Optimizer.",),
    "convolution, backward": ("autograd::engine::evaluate_function: ConvolutionBackward",),
    "batch normalisation, backward": ("autograd::engine::evaluate_function: NativeBatchNormBackward",),
    "ReLU, backward": ("autograd::engine::evaluate_function: ReluBackward",),
    "convolution, forward": ("aten::conv2d",),
    "batch normalisation, forward": ("aten::batch_norm",),
    "ReLU, forward": ("aten::relu",),
}
REST = "all other operators (casts, sums of the blocks, heads, normalising pixels)"
PYTHON = "between the operators (Python, autograd)"
STEP = "whole step"


def part_of(event: Any) -> str:
    """What an event of the profiler is part of."""
    names = []
    while event is not None:
        names.append(event.name)
        event = event.cpu_parent
    if names[0] == STEP:
        return PYTHON
    for name in reversed(names):
        for part, prefixes in PARTS.items():
            if name.startswith(prefixes):
                return part
    return REST


def named(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, its time told apart in a profile under the name of a part."""

    def recorded(*arguments: Any, **options: Any) -> Any:
        with record_function(part):
            return function(*arguments, **options)

    return recorded


def profiled(bench: Bench, rounds: int) -> dict[str, Any]:
    """Milliseconds of `ours` by part, each operator's own time without what it calls, in each round."""
    side = sides()["ours"]
    ours = package_step(RECIPE, bench.counts, Normalisation(MEAN, STD), CPU)
    for name in ("contrastive_loss", "logit_compensated_cross_entropy"):
        setattr(bcl, name, named("loss", getattr(bcl, name)))

    def take() -> None:
        with record_function("views"):
            views, labels = next(bench.batches(side))
        ours(views, labels)["loss"].item()

    take()
    milliseconds: list[Counter[str]] = []
    for _ in range(rounds):
        with profile(activities=[ProfilerActivity.CPU]) as profiler, record_function(STEP):
            take()
        spent: Counter[str] = Counter()
        for event in profiler.events():
            spent[part_of(event)] += event.self_cpu_time_total / 1e3
        milliseconds.append(spent)
    totals = [sum(spent.values()) for spent in milliseconds]
    return {
        "milliseconds": spread(totals, 1),
        "share": {
            part: ratios([spent[part] for spent in milliseconds], totals) for part in (*PARTS, REST, PYTHON)
        },
    }


def first_layer(images: int, rounds: int) -> dict[str, Any]:
    """Milliseconds of the first convolution and its batch normalisation, forward and backward, in bfloat16."""
    conv, norm = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
    conv.to(memory_format=torch.channels_last)
    pixels = torch.randn(images, 3, 32, 32)

    def run(memory_format: torch.memory_format) -> None:
        with autocast(CPU, "bfloat16"):
            hidden = functional.relu(norm(conv(pixels.contiguous(memory_format=memory_format))))
            hidden.sum(dtype=torch.float32).backward()

    formats = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}
    seconds = in_turns({name: lambda f=f: run(f) for name, f in formats.items()}, rounds)
    return {name: spread([1e3 * s for s in values], 1) for name, values in seconds.items()}


def with_threads(bench: Bench, most: int, rounds: int) -> dict[str, Any]:
    """Seconds of a step of `ours` on one thread and on the most, by the clock and of the processors."""
    side = sides()["ours"]
    take = bench.step(side)
    clock: dict[int, list[float]] = {1: [], most: []}
    processor: dict[int, list[float]] = {threads: [] for threads in clock}
    for round_ in range(rounds + 1):
        for threads in clock:
            torch.set_num_threads(threads)
            began = time.perf_counter(), time.process_time()
            take(*next(bench.batches(side)))
            if round_ > 0:
                clock[threads].append(time.perf_counter() - began[0])
                processor[threads].append(time.process_time() - began[1])
    torch.set_num_threads(1)
    return {
        str(threads): {"seconds": spread(clock[threads]), "processor_seconds": spread(processor[threads])}
        for threads in clock
    }


def evaluation(bench: Bench, rounds: int) -> dict[str, Any]:
    """Images a second of the network in evaluation, on one thread, in both precisions."""
    method = build_method(RECIPE, bench.counts, (3, 32, 32))
    method.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    pixels = normalise(bench.images, MEAN, STD).contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def run(precision: str) -> None:
        with autocast(CPU, precision):
            features = method.features(pixels)
            method.embeddings(features)
            method.logits(features)

    precisions = ("float32", "bfloat16")
    seconds = in_turns({name: lambda name=name: run(name) for name in precisions}, rounds)
    return {name: spread([len(pixels) / s for s in seconds[name]], 0) for name in precisions}


def write_profile(batch_size: int, rounds: int, most_threads: int, output: Path) -> None:
    """Where the time of a step goes, and what was tried on its parts."""
    torch.set_num_threads(1)
    record = facts()
    set_process(sides()["ours"])
    bench = Bench(batch_size, 1, 0)
    parts = profiled(bench, rounds)
    layer, threads = first_layer(3 * batch_size, 3 * rounds), with_threads(bench, most_threads, rounds)
    images = evaluation(bench, 3 * rounds)

    of_step = [
        [
            part,
            f"{100 * share['median']:.1f} %",
            "{:.1f} to {:.1f}".format(*(100 * q for q in share["quartiles"])),
        ]
        for part, share in parts["share"].items()
    ]
    tried = [
        ("first layer, forward and backward, ms", layer),
        ("a step, seconds by the clock", {f"{n} threads": row["seconds"] for n, row in threads.items()}),
        (
            "a step, processor seconds",
            {f"{n} threads": row["processor_seconds"] for n, row in threads.items()},
        ),
        ("evaluation, images a processor second", images),
    ]
    lines = [
        [
            what,
            name.replace("1 threads", "1 thread"),
            row["n"],
            row["median"],
            "{} to {}".format(*row["quartiles"]),
        ]
        for what, sides_ in tried
        for name, row in sides_.items()
    ]
    total = parts["milliseconds"]
    title = f"Where a step of ours goes, one thread, {total['median'] / 1e3:.2f} s in the profiler, n {total['n']}"
    tables = [
        table(title, ["part", "share", "quartiles"], of_step),
        table("Tried on its parts", ["what", "side", "n", "median", "quartiles"], lines),
    ]
    measured = {"profile": parts, "first_layer": layer, "threads": threads, "evaluation": images}
    write(record | {"tables": tables, "batch_size": batch_size} | measured, output)


def main() -> None:
    ladder = [name for name in sides() if name not in TRIED]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=2, help="of the side with workers in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--threads", type=int, help="default: 1; what the profile compares with 1, as many as cores"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sides", nargs="+", default=ladder, choices=list(sides()))
    parser.add_argument(
        "--profile", action="store_true", help="where the time of ours goes, instead of the sides"
    )
    parser.add_argument(
        "--output", type=Path, help="default: results/step.json, or results/step_profile.json"
    )
    options = parser.parse_args()
    output = options.output or RESULTS / ("step_profile.json" if options.profile else "step.json")
    if options.profile:
        write_profile(options.batch_size, options.rounds, options.threads or os.cpu_count() or 1, output)
        return

    torch.set_num_threads(options.threads or 1)
    record = facts()
    random.seed(0)
    with_workers = Bench(options.batch_size, options.steps, options.workers)
    alone = Bench(options.batch_size, 1, 0)
    chosen = {name: side for name, side in sides().items() if name in options.sides}
    takes = {name: alone.step(side) for name, side in chosen.items()}
    processor: dict[str, list[float]] = {name: [] for name in chosen}
    wall: dict[str, list[float]] = {name: [] for name in chosen}
    for _ in range(options.rounds):
        for name, side in chosen.items():
            set_process(side)
            bench = alone if side.batched_views else with_workers
            wake_up = bench if side.compiled else Bench(8, 1, 0)  # what is compiled depends on the batch size
            for views, labels in wake_up.batches(side):
                takes[name](views, labels)
            began = time.perf_counter(), processor_seconds()
            for views, labels in bench.batches(side):
                takes[name](views, labels)
            wall[name].append((time.perf_counter() - began[0]) / bench.steps)
            processor[name].append((processor_seconds() - began[1]) / bench.steps)

    first = options.sides[0]
    rows, before = {}, processor[first]
    for name in chosen:
        rows[name] = {
            "processor_seconds": spread(processor[name]),
            "wall_seconds": spread(wall[name]),
            "over_first": ratios(processor[first], processor[name]),
            "own_gain": ratios(before, processor[name]),
            "wall_over_first": ratios(wall[first], wall[name]),
        }
        before = processor[name]
    measured = {
        "workers of the plain side": options.workers,
        "batch_size": options.batch_size,
        "steps a round of the side with workers": options.steps,
        "sides": rows,
    }
    write(record | summary(rows) | measured, output)


def summary(rows: dict[str, dict]) -> dict:
    """What the page shows."""
    cells = [
        [
            name,
            row["processor_seconds"]["n"],
            f"{row['processor_seconds']['median']:.2f}",
            "{:.2f} to {:.2f}".format(*row["processor_seconds"]["quartiles"]),
            f"{row['own_gain']['median']:.2f}",
            f"{row['over_first']['median']:.2f}",
            f"{row['wall_seconds']['median']:.1f}",
        ]
        for name, row in rows.items()
    ]
    columns = ["each side adds", "n", "processor seconds a step", "quartiles", "own gain"]
    columns += ["times as fast as the first", "seconds by the clock"]
    verdicts = []
    if {"plain", "ours"} <= rows.keys():
        faster = rows["ours"]["over_first"]["median"]
        goal = "step: times as fast as a plain float32 implementation, processor time"
        verdicts.append(verdict(goal, faster, at_least=3.0))
    title = "From a plain step to ours" if "plain" in rows else "Tried, beside ours"
    return {"verdicts": verdicts, "tables": [table(title, columns, cells)]}


if __name__ == "__main__":
    main()
