"""Time and memory of the balanced contrastive loss, forward and backward, on one thread.

    python benchmarks/loss.py                      all sizes of the goals (two minutes)
    python benchmarks/loss.py --rounds 5 --sizes 256,100,128

Everything is measured in this process, in turns; ratios are medians over the rounds of the ratio within a round. Times
are processor time of this process, so that other work on the machine only counts for what it evicts from the cache.
The sides:

    floor       the three matrix products that no implementation can do without: logits, and the derivatives with
                respect to anchors and keys, each of the shapes (2B, 2B + K, D)
    kernel      bcl_edu.losses.balanced_contrastive_loss, as training calls it (check=False)
    definition  plain autograd on bcl_edu.losses.definition
    published   plain autograd on Eq. 9 the way the authors' code goes about it: a K x K identity to count classes,
                a number at a time to weigh them, exp and later log; written here from its description
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault(
    "KINETO_LOG_LEVEL", "5"
)  # the profiler, which counts memory, is silent about missing GPUs

import torch
from torch import Tensor
from torch.nn.functional import normalize

from bcl_edu.losses import balanced_contrastive_loss
from bcl_edu.losses.definition import anchor_losses, mean_over_anchors

RESULTS = Path(__file__).parent / "results" / "loss.json"
TEMPERATURE = 0.1

# B, K, D: at most this many floors, at most this much extra memory (MB)
GOALS: dict[tuple[int, int, int], tuple[float | None, float | None]] = {
    (256, 10, 128): (2.0, None),
    (256, 100, 128): (2.0, None),
    (256, 1000, 1024): (1.15, None),
    (256, 8142, 1024): (1.15, 80.0),
    (2048, 100, 128): (1.0, 20.0),
}


def definition(z: Tensor, labels: Tensor, c: Tensor) -> Tensor:
    losses = anchor_losses(z, labels, c, averaging="outside", complement=True, temperature=TEMPERATURE)
    return mean_over_anchors(losses, labels)


def published(z: Tensor, labels: Tensor, c: Tensor) -> Tensor:
    key_labels = torch.cat([labels, torch.arange(len(c))])
    counts = torch.eye(len(c))[key_labels].sum(dim=0)
    group_size = torch.tensor([counts[label] for label in key_labels])
    others = 1 - torch.eye(len(z), len(key_labels))
    positives = (labels[:, None] == key_labels).float() * others
    logits = z @ torch.cat([z, c]).T / TEMPERATURE
    logits = logits - logits.amax(dim=1, keepdim=True).detach()
    denominator = (logits.exp() * others / (group_size - positives)).sum(dim=1, keepdim=True)
    log_probability = logits - denominator.log()
    return -((positives * log_probability).sum(dim=1) / positives.sum(dim=1)).mean()


def kernel(z: Tensor, labels: Tensor, c: Tensor) -> Tensor:
    return balanced_contrastive_loss(z, labels, c, temperature=TEMPERATURE, check=False)


def batch(batch_size: int, num_classes: int, dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """Two views of a long-tailed batch, and the prototypes."""
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(batch_size, generator=generator) ** 3 * num_classes).long().repeat(2)
    z = normalize(torch.randn(2 * batch_size, dim, generator=generator), dim=1)
    c = normalize(torch.randn(num_classes, dim, generator=generator), dim=1)
    return z.requires_grad_(), labels, c.requires_grad_()


def sides(z: Tensor, labels: Tensor, c: Tensor) -> dict[str, Callable[[], None]]:
    keys = torch.cat([z, c]).detach()
    anchors = z.detach()
    probabilities = torch.rand(len(z), len(keys))

    def floor() -> None:
        _ = anchors @ keys.T
        _ = probabilities @ keys
        _ = probabilities.T @ anchors

    def step(loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[[], None]:
        def forward_and_backward() -> None:
            z.grad = c.grad = None
            loss(z, labels, c).backward()

        return forward_and_backward

    return {
        "floor": floor,
        "kernel": step(kernel),
        "definition": step(definition),
        "published": step(published),
    }


def peak_megabytes(run: Callable[[], None]) -> float:
    """Largest sum of what torch's allocator held at once during the run, the gradients included."""
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profiler:
        run()
    events = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak / 1e6


def measure(size: tuple[int, int, int], rounds: int) -> dict:
    z, labels, c = batch(*size)
    runs = sides(z, labels, c)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()  # warm up
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.process_time()
            run()
            seconds[name].append(time.process_time() - start)

    def summary(values: list[float], digits: int) -> dict[str, float]:
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return {"median": round(median, digits), "quartiles": [round(low, digits), round(high, digits)]}

    def ratio(name: str, to: str) -> dict[str, float]:
        return summary([a / b for a, b in zip(seconds[name], seconds[to], strict=True)], 3)

    z.grad = c.grad = None
    memory = {}
    for name in ("kernel", "definition", "published"):
        memory[name] = round(peak_megabytes(runs[name]), 1)
        z.grad = c.grad = None
    goal_floor, goal_memory = GOALS.get(size, (None, None))
    return {
        "B": size[0],
        "K": size[1],
        "D": size[2],
        "n": rounds,
        "milliseconds": {name: summary([1e3 * s for s in values], 3) for name, values in seconds.items()},
        "kernel_to_floor": ratio("kernel", "floor"),
        "published_to_kernel": ratio("published", "kernel"),
        "definition_to_kernel": ratio("definition", "kernel"),
        "peak_extra_megabytes": memory,
        "goal_kernel_to_floor": goal_floor,
        "goal_peak_extra_megabytes": goal_memory,
    }


def machine() -> dict[str, str | int | float]:
    cpu = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    return {
        "cpu": cpu,
        "cores": os.cpu_count() or 0,
        "load_average_1min": round(os.getloadavg()[0], 2),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "dtype": "float32",
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=0, help="measurements of each side (default: 9 to 101)")
    parser.add_argument("--sizes", nargs="*", help="B,K,D (default: those of the goals)")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    sizes = [tuple(map(int, size.split(","))) for size in arguments.sizes or []] or list(GOALS)
    report = {"machine": machine(), "sizes": []}
    print(", ".join(f"{name} {value}" for name, value in report["machine"].items()))
    print(
        f"{'B, K, D':>16} {'n':>4}   median ms: floor  kernel  definition  published   kernel/floor (quartiles)"
    )
    for size in sizes:
        result = measure(size, arguments.rounds or (101 if size[0] * size[1] * size[2] < 1e7 else 9))
        report["sizes"].append(result)
        ms = {name: value["median"] for name, value in result["milliseconds"].items()}
        print(
            f"{result['B']:5},{result['K']:5},{result['D']:5} {result['n']:4} "
            f"{ms['floor']:10.2f} {ms['kernel']:10.2f} {ms['definition']:10.2f} {ms['published']:10.2f}   "
            f"{result['kernel_to_floor']['median']:5.2f} {result['kernel_to_floor']['quartiles']} "
            f"(goal {result['goal_kernel_to_floor']})   {result['definition_to_kernel']['median']:5.1f} "
            f"{result['published_to_kernel']['median']:5.1f}   {result['peak_extra_megabytes']['kernel']:5.1f} MB "
            f"(goal {result['goal_peak_extra_megabytes']})",
            flush=True,
        )
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    temporary = arguments.output.with_suffix(".tmp")
    temporary.write_text(json.dumps(report, indent=1) + "\n")
    os.replace(temporary, arguments.output)


if __name__ == "__main__":
    main()
