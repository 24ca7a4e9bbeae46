"""Is BCL closer to the regular simplex than SCL when it is trained on mini-batches? When, and why?

    python benchmarks/mini_batch_geometry.py                       five seeds, about an hour on one core;
                                                                   writes benchmarks/results/mini_batch_geometry.json
    python benchmarks/mini_batch_geometry.py --seeds 2 --steps 500

Unconstrained features (free embeddings; prototypes free, or at the class means; no network), ten classes of
50, 29, 17, 10, 6, 3, 2, 1, 1, 1 samples, two views. For each temperature and batch size: the deviation from
the simplex (root mean square over pairs of class means) of the certified optimum of that distribution of
batches, and of the trained embeddings along the way, mean and standard deviation over seeds. The learning
rate grows with the temperature, as the gradient's scale is 1/tau.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import torch

from bcl_edu.geometry import certified_optimum, full_batch, sampled_batches, unconstrained_dynamics

COUNTS = [50, 29, 17, 10, 6, 3, 2, 1, 1, 1]
LOSSES = (
    ("scl", None),
    ("scl-averaging", None),
    ("scl-complement", "free"),
    ("bcl", "free"),
    ("bcl", "means"),
    ("bcl-class-anchors", "free"),
    ("bcl-class-anchors", "means"),
)
TEMPERATURES = (0.3, 1.0, 0.1)
BATCH_SIZES = (8, 32, 120)
VIEWS = 2
RESULTS = Path(__file__).parent / "results" / "mini_batch_geometry.json"


def optimum(
    loss: str, prototypes: str | None, temperature: float, batch_size: int
) -> dict[str, float | bool]:
    """Deviation of the certified optimum, with prototypes free or tied to the class means as they are in training."""
    if batch_size == sum(COUNTS):
        batches = full_batch([VIEWS * n for n in COUNTS])
    else:
        batches = sampled_batches(COUNTS, batch_size, num_batches=4000, views=VIEWS)
    found = certified_optimum(
        batches, loss, temperature=temperature, prototypes="free" if prototypes == "free" else "tied"
    )
    return {"optimum": found.deviation.rms, "certified": found.certified, "relative_gap": found.relative_gap}


def trained(
    loss: str, prototypes: str | None, temperature: float, batch_size: int, steps: int, seeds: int
) -> dict[str, Any]:
    """Deviation along the path: moments that double, mean and standard deviation over seeds."""
    paths = [
        unconstrained_dynamics(
            COUNTS,
            loss,
            temperature=temperature,
            batch_size=batch_size,
            views=VIEWS,
            steps=steps,
            learning_rate=temperature,
            prototypes=prototypes or "free",
            record_every=max(steps // 40, 1),
            seed=seed,
        )
        for seed in range(seeds)
    ]
    moments = [0, 1, 2, 5, 10, 20, 40]
    deviation = torch.stack([path.deviation for path in paths])[:, moments]
    # the last quarter, because single moments of a noisy path are noisy
    late = torch.stack([path.deviation[30:].mean() for path in paths])
    tail = torch.stack([path.gram[30:, 5:, 5:].mean(dim=0) for path in paths])
    pairs = ~torch.eye(tail.shape[1], dtype=torch.bool)
    return {
        "step": paths[0].step[moments].tolist(),
        "mean": deviation.mean(dim=0).tolist(),
        "late_mean": [late.mean().item()],
        "late_deviation": [late.std().item()],
        "late_by_seed": late.tolist(),
        "late_tail_cosine": [tail[:, pairs].mean().item()],
        "late_spread": [torch.stack([path.spread[30:].mean() for path in paths]).mean().item()],
    }


def write(rows: list[dict[str, Any]], arguments: argparse.Namespace) -> None:
    """All rows so far, so that an interrupted run is not lost."""
    record = {
        "counts": COUNTS,
        "views": VIEWS,
        "steps": arguments.steps,
        "seeds": list(range(arguments.seeds)),
        "torch": torch.__version__,
        "rows": rows,
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    temporary = arguments.output.with_suffix(".tmp")
    temporary.write_text(json.dumps(record, indent=1) + "\n")
    os.replace(temporary, arguments.output)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, from 0")
    parser.add_argument("--steps", type=int, default=2000, help="SGD steps of each run")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the rows are written")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    rows: list[dict[str, Any]] = []
    print("tau  batch  loss (prototypes)          optimum  trained, last quarter  tail-tail  path")
    for temperature in TEMPERATURES:
        for batch_size in BATCH_SIZES:
            for loss, prototypes in LOSSES:
                best = optimum(loss, prototypes, temperature, batch_size)
                path = trained(loss, prototypes, temperature, batch_size, arguments.steps, arguments.seeds)
                case = {
                    "temperature": temperature,
                    "batch_size": batch_size,
                    "loss": loss,
                    "prototypes": prototypes,
                }
                rows.append(case | best | path)
                name = loss if prototypes is None else f"{loss} ({prototypes})"
                print(
                    f"{temperature:<4} {batch_size:<6} {name:<26} "
                    f"{best['optimum']:.4f}{' ' if best['certified'] else '?'}  "
                    f"{path['late_mean'][0]:.4f} +- {path['late_deviation'][0]:.4f}       "
                    f"{path['late_tail_cosine'][0]:+.3f}     " + " ".join(f"{x:.3f}" for x in path["mean"]),
                    flush=True,
                )
                write(rows, arguments)


if __name__ == "__main__":
    main()
