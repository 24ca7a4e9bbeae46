"""How much of the processor a training step uses: its arithmetic a second, against plain matrix products.

    python benchmarks/throughput.py                        five minutes, one of them for compiling
    python benchmarks/throughput.py --rounds 1 --images 8 --size 64 --eager     that it works

The step of BCL on CIFAR-100-LT's recipe: ResNet-32 with both branches, 256 images in three views each, made before.
Its floating-point operations are those of convolutions and matrix products, counted by torch as the step runs. In
turns with it, square matrices are multiplied in float32: what the processor can do. The compiled step in bfloat16 is
measured where the processor has units for it. One thread, and processor time, so that what others do on the machine
counts little.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from common import RESULTS, facts, in_turns, package_step, ratios, spread, table, verdict, write
from torch.utils.flop_counter import FlopCounterMode

from bcl_edu.augment import Normalisation
from bcl_edu.recipe import Precision
from bcl_edu.run_options import CompileMode
from bcl_edu.training import RECIPES
from bcl_edu.training.precision import computes_bfloat16

CLASSES, SIDE, VIEWS = 100, 32, 3
CPU = torch.device("cpu")


def bcl_step(images: int, precision: Precision, compile: CompileMode | None) -> Callable[[], object]:
    """A step on random images, kept."""
    recipe = replace(RECIPES["cifar100-lt"][1], precision=precision)
    labels = torch.arange(images) % CLASSES
    views = torch.randint(256, (VIEWS, images, 3, SIDE, SIDE), dtype=torch.uint8)
    counts = torch.full((CLASSES,), 10)
    step = package_step(recipe, counts, Normalisation((0.5,) * 3, (0.25,) * 3), CPU, compile=compile)
    return lambda: step(views, labels)


def operations(run: Callable[[], object]) -> int:
    """Floating-point operations of one call, a multiplication and an addition each counting as one."""
    with FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--images", type=int, default=256, help="of a batch")
    parser.add_argument("--size", type=int, default=2048, help="of the matrices")
    parser.add_argument(
        "--eager", action="store_true", help="leave out what is compiled, and the verdicts on it"
    )
    parser.add_argument("--output", type=Path, default=RESULTS / "throughput.json")
    options = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(0)
    record = {**facts(), "images": options.images, "matrix_size": options.size}
    a, b = torch.randn(2, options.size, options.size)
    eager = bcl_step(options.images, "float32", None)
    of_step, of_product = operations(eager), 2 * options.size**3
    products = max(of_step // of_product // 4, 1)  # about as long as a quarter of a step

    def multiply() -> None:
        for _ in range(products):
            a @ b

    sides: dict[str, Callable[[], object]] = {
        "matrix products": multiply,
        "float32": eager,
    }
    if not options.eager:
        sides["float32, compiled"] = bcl_step(options.images, "float32", "default")
    if not options.eager and computes_bfloat16(CPU):
        sides["bfloat16, compiled"] = bcl_step(options.images, "bfloat16", "default")
    seconds = in_turns(sides, options.rounds, clock=time.process_time, warm_up=2)
    done = {name: of_product * products if name == "matrix products" else of_step for name in sides}
    rates = {name: [done[name] / s / 1e9 for s in taken] for name, taken in seconds.items()}
    shares = {name: ratios(rate, rates["matrix products"]) for name, rate in rates.items()}
    rows = [
        [name, spread(seconds[name])["median"], spread(rates[name], 1)["median"], shares[name]["median"]]
        for name in sides
        if name != "matrix products"
    ]
    rows.append(["matrix products", "", spread(rates["matrix products"], 1)["median"], 1.0])
    record["operations_of_a_step"] = of_step
    record["seconds"] = {name: spread(taken) for name, taken in seconds.items()}
    record["share_of_matrix_products"] = shares
    record["tables"] = [
        table(
            f"A step of BCL on {options.images} images, {of_step / 1e9:.0f} billion operations, one thread",
            ["step", "processor seconds", "billion operations a second", "share of matrix products"],
            rows,
        )
    ]
    record["verdicts"] = []
    if not options.eager:
        goal = "BCL's compiled float32 step, its operations a second over those of matrix products"
        record["verdicts"].append(verdict(goal, shares["float32, compiled"]["median"], at_least=0.75))
    if "bfloat16, compiled" in sides:
        gain = ratios(seconds["float32, compiled"], seconds["bfloat16, compiled"])["median"]
        goal = "BCL's compiled step, float32 over bfloat16 on a processor with units for it, time"
        record["verdicts"].append(verdict(goal, gain, at_least=3.0))
    write(record, options.output)


if __name__ == "__main__":
    main()
