"""Time and memory of the balanced contrastive loss, forward and backward, on one thread; time of the paper's others.

    python benchmarks/loss.py                      all sizes of the goals (a good minute)
    python benchmarks/loss.py --rounds 5 --sizes 256,100,128
    python benchmarks/loss.py --rounds 3 --sizes --output others.json          only the other losses

Everything is measured in this process, in turns; ratios are medians over the rounds of the ratio within a round. Times
are processor time of this process, so that other work on the machine only counts for what it evicts from the cache.
The sides:

    floor       the three matrix products that no implementation can do without: logits, and the derivatives with
                respect to anchors and keys, each of the shapes (2B, 2B + K, D)
    kernel      bcl_edu.losses.balanced_contrastive_loss, as training calls it (check=False)
    definition  plain autograd on bcl_edu.losses.definition
    published   plain autograd on Eq. 9 the way the authors' code goes about it: labels in a column, a K x K identity
                to count classes, a number at a time to weigh them, exp and later log; written here from its
                description

All is measured twice: first with the C library's allocator as it is, as other code runs; then with freed memory
kept (bcl_edu.training.device), which is how `bcl_edu.train` runs. As it is, glibc returns blocks above 32 MB to the
system at once, and every new one costs a page fault for each 4 kB. What allocates such matrices suffers most from it,
the rivals and at B = 2,048 the floor as well: kept memory makes them up to three times as fast, and ratios smaller.

The paper's other contrastive losses go through the same kernel; each is timed against its definition on the same
inputs, in turns, with freed memory kept.
"""

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from common import (
    RESULTS,
    facts,
    in_turns,
    peak_megabytes,
    ratios,
    spread,
    table,
    verdict,
    write,
)
from torch import Tensor
from torch.nn.functional import normalize

from bcl_edu.losses import balanced_contrastive_loss, contrastive_loss
from bcl_edu.losses.definition import anchor_losses, mean_over_anchors
from bcl_edu.losses.named import CONTRASTIVE_LOSSES, ContrastiveName
from bcl_edu.training.device import keep_freed_memory

TEMPERATURE = 0.1
ALLOCATORS = ("default allocator", "freed memory kept")

# B, K, D: at most this many floors, at most this much extra memory (MB), at least this many times as fast as published
GOALS: dict[tuple[int, int, int], tuple[float | None, float | None, float | None]] = {
    (256, 10, 128): (2.0, None, None),
    (256, 100, 128): (2.0, None, 3.0),
    (256, 1000, 1024): (1.15, None, None),
    (256, 8142, 1024): (1.15, 80.0, 3.0),
    (2048, 100, 128): (1.0, 20.0, 3.0),
}
ROUNDS, ROUNDS_OF_LARGE = 51, 5

OTHERS: dict[ContrastiveName, str] = {
    "scl": "SCL (Eq. 2)",
    "scl-complement": "SCL + complement",
    "scl-averaging": "SCL + averaging (Eq. 6)",
    "bcl-inside": "BCL as L2 (Eq. 7)",
    "bcl-prototypes": "BCL as L3 (Eq. 8)",
    "bcl-class-anchors": "BCL, anchors averaged by class",
}
SIZES_OF_OTHERS = {(256, 100, 128): 31, (256, 1000, 1024): 9}
"""B, K, D, and how many rounds."""


def definition(z: Tensor, labels: Tensor, c: Tensor) -> Tensor:
    losses = anchor_losses(z, labels, c, averaging="outside", complement=True, temperature=TEMPERATURE)
    return mean_over_anchors(losses, labels)


def published(z: Tensor, labels: Tensor, c: Tensor) -> Tensor:
    column = torch.cat([labels, torch.arange(len(c))])[:, None]
    counts = torch.eye(len(c))[column].sum(dim=0).squeeze()
    group_size = torch.tensor([counts[label] for label in column])
    others = 1 - torch.eye(len(z), len(column))
    positives = (column[: len(z)] == column.T).float() * others
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


def forward_and_backward(loss: Callable[[], Tensor], z: Tensor, c: Tensor) -> Callable[[], None]:
    """One value of the loss, and its gradient."""

    def step() -> None:
        z.grad = c.grad = None
        loss().backward()

    return step


def sides(z: Tensor, labels: Tensor, c: Tensor) -> dict[str, Callable[[], None]]:
    keys = torch.cat([z, c]).detach()
    anchors = z.detach()
    probabilities = torch.rand(len(z), len(keys))

    def floor() -> None:
        _ = anchors @ keys.T
        _ = probabilities @ keys
        _ = probabilities.T @ anchors

    return {
        "floor": floor,
        "kernel": forward_and_backward(lambda: kernel(z, labels, c), z, c),
        "definition": forward_and_backward(lambda: definition(z, labels, c), z, c),
        "published": forward_and_backward(lambda: published(z, labels, c), z, c),
    }


def measure_other(name: ContrastiveName, size: tuple[int, int, int], rounds: int) -> dict:
    """Another loss of the paper: the kernel against the definition."""
    z, labels, c = batch(*size)
    form = CONTRASTIVE_LOSSES[name]
    prototypes = c if form.needs_prototypes else None

    def fast() -> Tensor:
        return contrastive_loss(z, labels, prototypes, **asdict(form), temperature=TEMPERATURE, check=False)

    def readable() -> Tensor:
        losses = anchor_losses(
            z,
            labels,
            prototypes,
            averaging=form.averaging,
            complement=form.complement,
            temperature=TEMPERATURE,
        )
        return mean_over_anchors(losses, labels, class_balanced_anchors=form.class_balanced_anchors)

    runs = {"kernel": fast, "definition": readable}
    seconds = in_turns({side: forward_and_backward(run, z, c) for side, run in runs.items()}, rounds)
    return {
        "loss": name,
        "allocator": ALLOCATORS[1],
        "B": size[0],
        "K": size[1],
        "D": size[2],
        "milliseconds": {side: spread([1e3 * s for s in values]) for side, values in seconds.items()},
        "definition_to_kernel": ratios(seconds["definition"], seconds["kernel"]),
    }


def measure(size: tuple[int, int, int], allocator: str, rounds: int) -> dict:
    z, labels, c = batch(*size)
    runs = sides(z, labels, c)
    seconds = in_turns(runs, rounds)
    memory = {}
    for name in ("kernel", "definition", "published"):
        z.grad = c.grad = None
        memory[name] = round(peak_megabytes(runs[name]), 1)
    return {
        "allocator": allocator,
        "B": size[0],
        "K": size[1],
        "D": size[2],
        "milliseconds": {name: spread([1e3 * s for s in values]) for name, values in seconds.items()},
        "kernel_to_floor": ratios(seconds["kernel"], seconds["floor"]),
        "published_to_floor": ratios(seconds["published"], seconds["floor"]),
        "published_to_kernel": ratios(seconds["published"], seconds["kernel"]),
        "definition_to_kernel": ratios(seconds["definition"], seconds["kernel"]),
        "peak_extra_megabytes": memory,
    }


def verdicts(result: dict) -> list[dict]:
    """The goals that are set for this size."""
    size = (result["B"], result["K"], result["D"])
    floors, megabytes, times = GOALS.get(size, (None, None, None))
    where = f"loss, B {size[0]:,}, K {size[1]:,}, D {size[2]:,}, {result['allocator']}"
    found = []
    if floors is not None:
        name = f"{where}: time of the kernel in floors"
        found.append(verdict(name, result["kernel_to_floor"]["median"], at_most=floors))
    if megabytes is not None and result["allocator"] == ALLOCATORS[0]:
        name = f"{where}: peak extra memory, MB"
        found.append(verdict(name, result["peak_extra_megabytes"]["kernel"], at_most=megabytes))
    if times is not None:
        name = f"{where}: times as fast as published (the floor itself: {result['published_to_floor']['median']:.2f})"
        found.append(verdict(name, result["published_to_kernel"]["median"], at_least=times))
    return found


def with_quartiles(figure: dict) -> str:
    low, high = figure["quartiles"]
    return f"{figure['median']:.2f} ({low:.2f} to {high:.2f})"


def summary(results: list[dict], others: list[dict]) -> dict:
    """What the page shows."""
    columns = ["B", "K", "D", "allocator", "n", "floor, ms", "kernel, ms", "definition, ms", "published, ms"]
    columns += ["kernel / floor (quartiles)", "published / kernel", "definition / kernel"]
    columns += ["memory: kernel, MB", "definition, MB", "published, MB"]
    rows = [
        [
            *(r[name] for name in "BKD"),
            r["allocator"],
            r["milliseconds"]["kernel"]["n"],
            *(f"{time['median']:.2f}" for time in r["milliseconds"].values()),
            *(
                with_quartiles(r[name])
                for name in ("kernel_to_floor", "published_to_kernel", "definition_to_kernel")
            ),
            *r["peak_extra_megabytes"].values(),
        ]
        for r in results
    ]
    tables = [table("The loss, forward and backward, float32, one thread", columns, rows)] if rows else []
    columns = ["loss", "B", "K", "D", "n", "kernel, ms", "definition, ms", "definition / kernel (quartiles)"]
    rows = [
        [
            OTHERS[r["loss"]],
            *(r[name] for name in "BKD"),
            r["milliseconds"]["kernel"]["n"],
            *(f"{time['median']:.2f}" for time in r["milliseconds"].values()),
            with_quartiles(r["definition_to_kernel"]),
        ]
        for r in others
    ]
    tables.append(table("The other losses through the same kernel, freed memory kept", columns, rows))
    return {"verdicts": [found for result in results for found in verdicts(result)], "tables": tables}


def as_size(text: str) -> tuple[int, int, int]:
    """B, K and D, written as 256,100,128."""
    batch_size, num_classes, dim = map(int, text.split(","))
    return batch_size, num_classes, dim


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=0, help="measurements of each side (default: 5 to 51)")
    parser.add_argument("--sizes", nargs="*", help="B,K,D (default: those of the goals)")
    parser.add_argument("--sizes-of-others", nargs="*", help="B,K,D (default: 256,100,128 and 256,1000,1024)")
    parser.add_argument("--output", type=Path, default=RESULTS / "loss.json")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    record = facts()
    sizes, sizes_of_others = list(GOALS), SIZES_OF_OTHERS
    if arguments.sizes is not None:
        sizes = [as_size(text) for text in arguments.sizes]
    if arguments.sizes_of_others is not None:
        sizes_of_others = {as_size(text): ROUNDS_OF_LARGE for text in arguments.sizes_of_others}
    results = []
    for allocator in ALLOCATORS:
        if allocator == ALLOCATORS[1]:
            keep_freed_memory()  # from here to the end of this process
        for size in sizes:
            small = size[0] * size[1] * size[2] < 1e7
            results.append(
                measure(size, allocator, arguments.rounds or (ROUNDS if small else ROUNDS_OF_LARGE))
            )
            print(results[-1], flush=True)
    others = [
        measure_other(name, size, arguments.rounds or rounds)
        for size, rounds in sizes_of_others.items()
        for name in OTHERS
    ]
    write(record | summary(results, others) | {"sizes": results, "others": others}, arguments.output)


if __name__ == "__main__":
    main()
