"""What a GPU makes of the training step: one command, one table to send back.

    python benchmarks/gpu.py                  # the table, and the same as JSON; five to ten minutes
    python benchmarks/gpu.py --only eager     # without compilation, under a minute
    python benchmarks/gpu.py --device cpu --batch-size 8 --steps 1 --rounds 1 --only eager   # that it works

ResNet-32 with both branches and the loss of Eq. 11, random images kept on the device. Each row is one way to
run the package's own step: its precision, and how torch compiles the network. A row that fails says why, and
the rest goes on. Times are wall-clock, waiting for the device at both ends of a round. "waits" counts how
often making the views of a batch, and a step, made the host wait for the device: both should be 0.
"""

import argparse
import json
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from common import package_step

from bcl_edu.augment import BatchedTrainingViews, Normalisation, view_policy, view_seeds
from bcl_edu.recipe import Precision
from bcl_edu.run_options import CompileMode
from bcl_edu.training import RECIPES
from bcl_edu.training.device import choose_device

CLASSES, IMAGES = 100, 10_847  # CIFAR-100-LT with imbalance factor 100


class Row(NamedTuple):
    """One way to take a step."""

    name: str
    precision: Precision
    compile: CompileMode | None = None
    products: str = "highest"
    """torch.set_float32_matmul_precision: "high" lets matrix products use TF32, as convolutions do by default."""


ROWS = [
    Row("eager, float32", "float32"),
    Row("eager, float32, TF32 products", "float32", products="high"),
    Row("eager, float16", "float16"),
    Row("eager, bfloat16", "bfloat16"),
    Row("compiled, bfloat16", "bfloat16", "default"),
    Row("compiled, CUDA graphs, bfloat16", "bfloat16", "reduce-overhead"),
]


class Device:
    """The device under test, and what only a GPU has."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.is_gpu = device, device.type == "cuda"

    def wait(self) -> None:
        if self.is_gpu:
            torch.cuda.synchronize()

    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "device": platform.processor() or platform.machine(),
            "torch": torch.__version__,
        }
        if self.is_gpu:
            of = torch.cuda.get_device_properties(self.device)
            found |= {
                "device": of.name,
                "memory_GB": round(of.total_memory / 1e9, 1),
                "compute_capability": f"{of.major}.{of.minor}",
                "cuda": torch.version.cuda,
                "cudnn": torch.backends.cudnn.version(),
            }
        return found | {"python": platform.python_version(), "system": platform.platform()}

    def milliseconds(self, run: Callable[[], object], steps: int, rounds: int) -> dict[str, float]:
        """Of one call, from rounds of several calls each."""
        times = []
        for _ in range(rounds):
            self.wait()
            began = time.perf_counter()
            for _ in range(steps):
                run()
            self.wait()
            times.append((time.perf_counter() - began) * 1e3 / steps)
        return {"median": statistics.median(times), "min": min(times), "max": max(times)}

    def waits(self, run: Callable[[], object]) -> int | None:
        """How often a call makes the host wait; None where nothing can be waited for."""
        if not self.is_gpu:
            return None
        torch.cuda.set_sync_debug_mode("warn")
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                run()
        finally:
            torch.cuda.set_sync_debug_mode("default")
        return sum("synchroniz" in str(warning.message) for warning in caught)


def measure(row: Row, device: Device, batch_size: int, steps: int, rounds: int) -> dict[str, Any]:
    """Time of the views of a batch, of a step on them, of both, and the step's peak memory."""
    torch.set_float32_matmul_precision(row.products)
    torch.manual_seed(0)
    recipe = replace(RECIPES["cifar100-lt"][1], precision=row.precision, batch_size=batch_size)
    labels = torch.arange(IMAGES) % CLASSES
    images = torch.randint(256, (IMAGES, 3, 32, 32), dtype=torch.uint8)
    normalisation = Normalisation((0.5,) * 3, (0.25,) * 3)
    step = package_step(recipe, torch.bincount(labels), normalisation, device.device, compile=row.compile)
    data = BatchedTrainingViews(images, labels, view_policy("cifar", image_size=32), device=device.device)
    chosen = torch.randperm(IMAGES)[:batch_size].tolist()

    def views() -> tuple[torch.Tensor, torch.Tensor]:
        triples, classes, _ = data.views(chosen, view_seeds(0, 0, chosen))
        return triples, classes

    batch = views()

    def take() -> None:
        step(*batch)

    def both() -> None:
        step(*views())

    began = time.perf_counter()
    for _ in range(3):  # chooses kernels, compiles, records graphs
        both()
    device.wait()
    first = time.perf_counter() - began
    if device.is_gpu:
        torch.cuda.reset_peak_memory_stats()
    figures: dict[str, Any] = {
        "views_ms": device.milliseconds(views, steps, rounds),
        "step_ms": device.milliseconds(take, steps, rounds),
        "both_ms": device.milliseconds(both, steps, rounds),
        "first_three_steps_s": first,
        "waits_of_views": device.waits(views),
        "waits_of_step": device.waits(take),
        "peak_memory_MB": torch.cuda.max_memory_allocated() / 1e6 if device.is_gpu else None,
    }
    figures["images_per_second"] = 1e3 * batch_size / figures["both_ms"]["median"]
    return figures


def table(rows: dict[str, dict[str, Any]]) -> str:
    """In Markdown, to paste as it is."""

    def cell(value: float | None, form: str) -> str:
        return "n/a" if value is None else format(value, form)

    lines = [
        "| | views, ms | step, ms | both, ms (min to max) | images/s | first three steps, s | peak, MB | waits |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        if "failed" in row:
            lines.append(f"| {name} | failed: {row['failed']} | | | | | | |")
            continue
        both = row["both_ms"]
        lines.append(
            f"| {name} | {row['views_ms']['median']:.2f} | {row['step_ms']['median']:.2f} "
            f"| {both['median']:.2f} ({both['min']:.2f} to {both['max']:.2f}) | {row['images_per_second']:,.0f} "
            f"| {row['first_three_steps_s']:.1f} | {cell(row['peak_memory_MB'], ',.0f')} "
            f"| {cell(row['waits_of_views'], 'd')} + {cell(row['waits_of_step'], 'd')} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=20, help="in a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--output", type=Path, default=Path("gpu.json"))
    options = parser.parse_args()

    device = Device(choose_device(options.device))
    facts = device.facts() | {name: getattr(options, name) for name in ("batch_size", "steps", "rounds")}
    rows: dict[str, dict[str, Any]] = {}
    for row in ROWS:
        if options.only not in row.name:
            continue
        try:
            rows[row.name] = measure(row, device, options.batch_size, options.steps, options.rounds)
        except (
            Exception
        ) as error:  # a compiler that is not there, too little memory: the other rows still count
            rows[row.name] = {"failed": f"{type(error).__name__}: {str(error).splitlines()[0][:100]}"}
    print("ResNet-32, " + ", ".join(f"{name} {value}" for name, value in facts.items()), end="\n\n")
    print(table(rows))
    temporary = options.output.with_suffix(".tmp")
    temporary.write_text(json.dumps(facts | {"rows": rows}, indent=1) + "\n")
    temporary.replace(options.output)
    print(f"\nplease send this table, or {options.output}, to the authors of bcl_edu")


if __name__ == "__main__":
    main()
